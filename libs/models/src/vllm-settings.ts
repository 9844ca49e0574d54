/** What depends on a model's size; docs/gpu.md gives the reasons. */
interface SizeSettings {
  /** The Hammer model that this is meant for. */
  readonly size: string;
  /** Weights up to so many bytes (two a parameter). */
  readonly bytes: number;
  /** Most sequences that are answered at once: what the memory of a 24 GB GPU holds at some thousand tokens each. */
  readonly maxNumSeqs: number;
  /** Most tokens that a step computes: a long prompt must not hold up the answers under way for more than a moment. */
  readonly maxNumBatchedTokens: number;
  /** Tokens guessed ahead: the slower a step is, the more of them are worth a check. */
  readonly speculativeTokens: number;
}

export const SIZE_SETTINGS: readonly SizeSettings[] = [
  { size: '0.5b', bytes: 1.5e9, maxNumSeqs: 256, maxNumBatchedTokens: 8192, speculativeTokens: 3 },
  { size: '1.5b', bytes: 4.5e9, maxNumSeqs: 256, maxNumBatchedTokens: 8192, speculativeTokens: 4 },
  { size: '3b', bytes: 9e9, maxNumSeqs: 128, maxNumBatchedTokens: 4096, speculativeTokens: 4 },
  { size: '7b', bytes: Infinity, maxNumSeqs: 64, maxNumBatchedTokens: 2048, speculativeTokens: 5 },
];

/** What vLLM takes for an adapter's rank. */
const RANKS = [8, 16, 32, 64, 128, 256, 320, 512];

export interface VllmModel {
  /** Folder of the weights, as the server sees it. */
  readonly weights: string;
  readonly weightsBytes: number;
  readonly contextTokens: number;
  /** Rank of each adapter that a request may name; empty: the server takes none. */
  readonly loraRanks: readonly number[];
}

/**
 * The engine arguments (`model.json`) of a model on vLLM 0.11 or later, that is Triton 25.11 or later. A key that the
 * release does not know would fail the load, so nothing is named whose default serves.
 */
export function vllmSettings(model: VllmModel): Record<string, unknown> {
  const settings = SIZE_SETTINGS.find(({ bytes }) => model.weightsBytes <= bytes);
  if (settings === undefined) throw new RangeError('the last size has no upper bound');
  const withLoras = model.loraRanks.length > 0;
  const rank = Math.max(...model.loraRanks);
  return {
    model: model.weights,
    dtype: 'bfloat16',
    max_model_len: model.contextTokens,
    max_num_seqs: settings.maxNumSeqs,
    max_num_batched_tokens: settings.maxNumBatchedTokens,
    gpu_memory_utilization: 0.9,
    // A toolset's prompt is computed once for all requests that bring it.
    enable_prefix_caching: true,
    // Of the constrained distribution before sampling: what the confidence is made of.
    logprobs_mode: 'raw_logprobs',
    ...(withLoras
      ? {
          enable_lora: true,
          max_loras: Math.min(model.loraRanks.length, 8),
          max_cpu_loras: model.loraRanks.length,
          max_lora_rank: RANKS.find((known) => known >= rank),
        }
      : {
          // Calls repeat names and values of the prompt. Not with adapters: nobody is known to have tried both.
          speculative_config: {
            method: 'ngram',
            num_speculative_tokens: settings.speculativeTokens,
            prompt_lookup_min: 2,
            prompt_lookup_max: 4,
          },
        }),
  };
}
