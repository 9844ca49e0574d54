import { expect, it } from 'vitest';
import { isTelling } from './triton-log.mjs';

it.each([
  'E1122 19:13:45.895963 311 model_lifecycle.cc:642] "failed to load \'a\' version 1: no weights"',
  'W1122 19:13:45.895963 311 server.cc:241] "a warning"',
  'printed by a model about CUDA',
  'error: creating server: Internal - failed to load all models',
])('%s is shown', (line) => {
  expect(isTelling(line)).toBe(true);
});

it.each([
  'W1122 19:13:45.895739 311 pinned_memory_manager.cc:273] "Unable to allocate pinned system memory, …"',
  'E1122 19:13:45.895963 311 server.cc:241] "CudaDriverHelper has not been initialized."',
  'W1122 19:13:45.895963 311 metrics.cc:811] "DCGM unable to start: DCGM initialization error"',
  'I1122 19:13:48.477433 311 model_lifecycle.cc:839] "successfully loaded \'broken\'"',
  'I1122 19:13:50.506351 311 server.cc:674] ',
  '+----------+---------+--------+',
  '| Model    | Version | Status |',
  '',
])('%s is not', (line) => {
  expect(isTelling(line)).toBe(false);
});
