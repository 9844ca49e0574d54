export * from './logger.js';
export * from './names.js';
export * from './span.js';
export * from './telemetry.js';
