export * from './config.js';
export * from './health.js';
export * from './run-service.js';
