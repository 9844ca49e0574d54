import { build } from '../scripts/build.mjs';
import type { Bench } from './harness.js';
import { adaptive, adaptiveToolset } from './serving-adaptive.js';
import { affinity, depotToolsets } from './serving-affinity.js';
import { latency, latencyToolset } from './serving-latency.js';
import { replicas, replicaToolsets } from './serving-replicas.js';
import { saturation, salesToolset } from './serving-saturation.js';
import { full, small } from './serving-scale.js';
import { startSystem } from './serving-system.js';

export const serving: Bench = {
  name: 'serving',
  about:
    'the whole system in front of real Tritons: speed, latency, scale-out, prefix caches, adaptive concurrency (25 minutes)',
  async run({ smoke }) {
    const scale = smoke ? small : full;
    await build();
    const toolsets = [salesToolset, latencyToolset, adaptiveToolset];
    const system = await startSystem([...toolsets, ...replicaToolsets, ...depotToolsets]);
    try {
      return [
        await saturation(system, scale),
        ...(await latency(system, scale)),
        ...(await replicas(system, scale)),
        ...(await affinity(system, scale)),
        ...(await adaptive(system, scale)),
      ];
    } finally {
      await system.stop();
    }
  },
};
