import { z } from 'zod';

/** Postgres and tokenisers cannot hold NUL or half a surrogate pair: refused, never changed. */
const Text = z
  .string()
  .max(200_000)
  .refine((text) => text.isWellFormed() && !text.includes('\0'), 'holds NUL or half a character');

/** A call of an earlier turn, in OpenAI's shape. */
const EarlierCall = z.strictObject({
  id: z.string().max(256).optional(),
  type: z.literal('function').optional(),
  function: z.strictObject({
    name: Text.min(1),
    arguments: Text.refine(isJsonObject, 'is not the JSON text of an object'),
  }),
});

export const Message = z
  .strictObject({
    role: z.enum(['system', 'user', 'assistant', 'tool']),
    content: Text.nullish().meta({ description: 'Only beside `tool_calls` it may be null.' }),
    tool_calls: z.array(EarlierCall).min(1).max(64).optional().meta({
      description:
        'The calls that the assistant made in this turn; their results follow as `tool` messages.',
    }),
    tool_call_id: z.string().max(256).optional().meta({
      description: 'Taken as clients send it; results are matched by their order.',
    }),
  })
  .superRefine(({ role, content, tool_calls }, context) => {
    if (tool_calls === undefined && typeof content !== 'string') {
      context.addIssue({ code: 'custom', path: ['content'], message: 'must be a text' });
    }
    if (tool_calls !== undefined && role !== 'assistant') {
      const message = 'belongs to messages of the role "assistant"';
      context.addIssue({ code: 'custom', path: ['tool_calls'], message });
    }
  })
  .meta({ id: 'Message' });
export type Message = z.infer<typeof Message>;

function isJsonObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

export const RunMode = z.enum(['resolve', 'execute']).meta({
  description:
    '`resolve` only chooses the calls; `execute` makes them. Default: `execute` with a toolset, `resolve` with inline tools.',
});
export type RunMode = z.infer<typeof RunMode>;

export const MaskMode = z.enum(['auto', 'on', 'off']).meta({
  description:
    'Whether function and parameter names are hidden from the model. Default: what the toolset says, else `auto`, which follows the model’s card.',
});
export type MaskMode = z.infer<typeof MaskMode>;

export const RunUntil = z.enum(['calls', 'answer']).meta({
  description:
    '`calls`: the run ends when the first calls have been made. `answer`: their results go back to the model, until it answers in words or a budget is spent. Default: `calls`.',
});
export type RunUntil = z.infer<typeof RunUntil>;

export const Budget = z
  .strictObject({
    turns: z.number().int().min(1).max(100).default(8),
    calls: z.number().int().min(1).max(1_000).default(32),
    tokens: z.number().int().min(1).max(10_000_000).default(100_000),
  })
  .meta({
    description:
      'What the run may use: questions to the model, calls, and tokens read and written by the model. A run that needs more fails.',
  });
export type Budget = z.infer<typeof Budget>;

/** Runs that do not say live for a day, and none for more than a month. */
export const DEFAULT_EXPIRES_IN_S = 86_400;
const MAX_EXPIRES_IN_S = 30 * 86_400;

function isRequest({ role, content }: Message): boolean {
  return role === 'user' && typeof content === 'string' && content.trim() !== '';
}

/** The body of `POST /v1/runs`. Exactly one of query/messages, exactly one of toolset/tools. */
export const RunRequest = z
  .strictObject({
    query: Text.min(1)
      .refine((text) => text.trim() !== '', 'is blank')
      .optional()
      .meta({
        description: 'The request in words. Short for one user message.',
      }),
    messages: z.array(Message).min(1).max(200).optional(),
    toolset: z.string().min(1).max(128).optional().meta({
      description: 'Name of a toolset that the service was started with.',
    }),
    tools: z.array(z.looseObject({})).min(1).max(128).optional().meta({
      description:
        'Inline tools, `resolve` only: OpenAI (`{type:"function",function:{…}}`), BFCL (`parameters.type` "dict") or xLAM (`parameters` maps names to `{type,description}`) shape.',
    }),
    mode: RunMode.optional(),
    mask: MaskMode.optional(),
    until: RunUntil.optional(),
    budget: Budget.optional(),
    priority: z.number().int().min(0).max(9).optional().meta({
      description: 'Among the runs of one tenant, higher ones go first. Default: 0.',
    }),
    expiresInS: z
      .number()
      .int()
      .min(1)
      .max(MAX_EXPIRES_IN_S)
      .optional()
      .meta({
        description: `Seconds after which the run ends, done or not. Default: ${DEFAULT_EXPIRES_IN_S}.`,
      }),
  })
  .superRefine((request, context) => {
    const exactlyOne = (a: 'query' | 'toolset', b: 'messages' | 'tools'): void => {
      if ((request[a] === undefined) === (request[b] === undefined)) {
        context.addIssue({
          code: 'custom',
          path: [a],
          message: `give exactly one of \`${a}\` and \`${b}\``,
        });
      }
    };
    if (request.messages && !request.messages.some(isRequest)) {
      context.addIssue({ code: 'custom', path: ['messages'], message: 'asks for nothing' });
    }
    exactlyOne('query', 'messages');
    exactlyOne('toolset', 'tools');
    if (
      request.until === 'answer' &&
      (request.mode ?? (request.toolset && 'execute')) !== 'execute'
    ) {
      const message =
        'can be `answer` in mode `execute` only: without results there is nothing to answer from';
      context.addIssue({ code: 'custom', path: ['until'], message });
    }
  })
  .meta({ id: 'RunRequest' });
export type RunRequest = z.infer<typeof RunRequest>;
