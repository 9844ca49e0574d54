import { z } from 'zod';

/** Postgres and tokenisers cannot hold NUL or half a surrogate pair: refused, never changed. */
const Text = z
  .string()
  .max(200_000)
  .refine((text) => text.isWellFormed() && !text.includes('\0'), 'holds NUL or half a character');

export const Message = z
  .strictObject({
    role: z.enum(['system', 'user', 'assistant', 'tool']),
    content: Text,
  })
  .meta({ id: 'Message' });
export type Message = z.infer<typeof Message>;

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

function isRequest({ role, content }: Message): boolean {
  return role === 'user' && content.trim() !== '';
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
  })
  .meta({ id: 'RunRequest' });
export type RunRequest = z.infer<typeof RunRequest>;
