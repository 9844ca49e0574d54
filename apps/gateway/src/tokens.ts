export const RUNS = Symbol('runs');
export const NOTICES = Symbol('notices of changed runs');
export const ADMISSION = Symbol('whether runs are accepted');
export const TOOLSETS = Symbol('toolsets by name');
export const STOPPING = Symbol('signal that this process stops');
export const READINESS = Symbol('readiness checks');
