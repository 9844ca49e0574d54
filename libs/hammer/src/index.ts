export * from './confidence.js';
export * from './grammar.js';
export * from './parse.js';
export * from './prompt.js';
