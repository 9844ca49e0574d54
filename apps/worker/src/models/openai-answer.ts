import type { ScoredToken } from '#libs/hammer';
import { z } from 'zod';
import type { Piece } from './model-server.js';

/** Probabilities of tokens, as chats have them; llama.cpp gives them so for completions, too. */
const TokenList = z.object({
  content: z.array(z.object({ token: z.string(), logprob: z.number() })).nullish(),
});
/** As completions have them. The first token of a prompt has none. */
const TokenColumns = z.object({
  tokens: z.array(z.string()),
  token_logprobs: z.array(z.number().nullable()),
});

const Chunk = z.object({
  choices: z
    .array(
      z.object({
        text: z.string().nullish(),
        delta: z.object({ content: z.string().nullish() }).nullish(),
        finish_reason: z.enum(['stop', 'length']).nullish(),
        logprobs: z.union([TokenColumns, TokenList]).nullish(),
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

function readLogprobs(
  logprobs: z.infer<typeof TokenColumns> | z.infer<typeof TokenList> | null | undefined,
): ScoredToken[] {
  if (logprobs === null || logprobs === undefined) return [];
  if (!('tokens' in logprobs)) {
    return (logprobs.content ?? []).map(({ token, logprob }) => ({ text: token, logprob }));
  }
  return logprobs.tokens.map((text, index) => ({
    text,
    // Unknown counts as impossible: nothing is trusted for it.
    logprob: logprobs.token_logprobs[index] ?? -Infinity,
  }));
}
