import type { ScoredToken } from '#libs/hammer';
import { z } from 'zod';
import type { Piece } from './model-server.js';

const Logprobs = z.object({
  /** As chats have them; llama.cpp gives them so for completions, too. */
  content: z.array(z.object({ token: z.string(), logprob: z.number().nullable() })).nullish(),
  /** As completions have them. The first token of a prompt has none. */
  tokens: z.array(z.string().nullable()).nullish(),
  token_logprobs: z.array(z.number().nullable()).nullish(),
});

const Chunk = z.object({
  choices: z
    .array(
      z.object({
        text: z.string().nullish(),
        delta: z.object({ content: z.string().nullish() }).nullish(),
        finish_reason: z.enum(['stop', 'length']).nullish(),
        logprobs: Logprobs.nullish(),
      }),
    )
    .max(1)
    .default([]),
  usage: z
    .object({
      prompt_tokens: z.number().int().min(0),
      completion_tokens: z.number().int().min(0),
    })
    .nullish(),
});

/** Reads one chunk of a completion or of a chat. Throws a ZodError for what is none. */
export function readChunk(value: unknown): Piece {
  const { choices, usage } = Chunk.parse(value);
  const [choice] = choices;
  return {
    text: choice?.text ?? choice?.delta?.content ?? '',
    tokens: readLogprobs(choice?.logprobs),
    finishReason: choice?.finish_reason ?? undefined,
    inputTokens: usage?.prompt_tokens,
    outputTokens: usage?.completion_tokens,
  };
}

function readLogprobs(logprobs: z.infer<typeof Logprobs> | null | undefined): ScoredToken[] {
  const { content, tokens, token_logprobs } = logprobs ?? {};
  if (content) return content.map(({ token, logprob }) => scored(token, logprob));
  return (tokens ?? []).map((token, index) => scored(token, token_logprobs?.[index]));
}

function scored(text: string | null, logprob: number | null | undefined): ScoredToken {
  // Unknown counts as impossible: nothing is trusted for it.
  return { text: text ?? '', logprob: logprob ?? -Infinity };
}
