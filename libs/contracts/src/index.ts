export * from './error.js';
export * from './event.js';
export * from './hint.js';
export * from './run-control.js';
export * from './run-request.js';
export * from './run.js';
export * from './tool.js';
export * from './visible-json.js';
