import { hammer } from './hammer.js';
import { hammerModel } from './hammer-model.js';
import type { Bench } from './harness.js';
import { serving } from './serving.js';
import { triton } from './triton.js';

export const benches: readonly Bench[] = [hammer, hammerModel, triton, serving];
