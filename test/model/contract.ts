import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  compileConstraint,
  compilePrompt,
  decisionConfidence,
  parseCalls,
  type PromptSegment,
} from '#libs/hammer';
import type { GenerateRequest, Model } from '../../apps/worker/src/models/model.js';
import { officeTools } from './paraphrases.js';

/** Opens the default model, 4,096 tokens of context, that answers one request at a time. */
export type Open = () => Promise<Model>;

/** What every runtime does, whatever is behind it. */
export function itKeepsTheContract(open: Open): void {
  describe('as every model', () => {
    let model: Model;
    let request: Ask;

    beforeAll(async () => {
      model = await open();
      await model.check(never);
      request = await officeRequests();
    });

    afterAll(async () => {
      await model?.close();
    });

    it('says what it is', () => {
      expect(model.card).toMatchObject({ name: 'smollm2-135m-hammer', flavour: 'compact' });
      expect(model.servers).toBe(1);
    });

    it('gives the text, its tokens and what they cost', async () => {
      const answer = await model.generate(request(SUM));
      expect(answer.finishReason).toBe('stop');
      expect(parseCalls(answer.text)).toMatchObject({
        ok: true,
        calls: [{ name: 'column_statistics' }],
      });
      expect(answer.tokens.map((token) => token.text).join('')).toBe(answer.text);
      expect(answer.usage.outputTokens).toBe(answer.tokens.length);
      expect(answer.usage.inputTokens).toBeGreaterThan(100);
      expect(answer.firstTokenMs).toBeGreaterThan(0);
    });

    it('says how sure it was', async () => {
      const { tokens } = await model.generate(request(SUM));
      expect(decisionConfidence(tokens)).toBeGreaterThan(0);
      expect(decisionConfidence(tokens)).toBeLessThan(1);
    });

    it('is deterministic, warm or cold', async () => {
      const rounds: string[] = [];
      for (const query of [SEND, FIND, SEND, FIND]) {
        rounds.push((await model.generate(request(query))).text);
      }
      expect(rounds.slice(2)).toEqual(rounds.slice(0, 2));
    });

    it('does not mix concurrent calls', async () => {
      const queries = [SEND, FIND, 'Hello.'];
      const alone: string[] = [];
      for (const query of queries) alone.push((await model.generate(request(query))).text);
      const together = await Promise.all(queries.map((query) => model.generate(request(query))));
      expect(together.map(({ text }) => text)).toEqual(alone);
    });

    it('tells an answer that the token limit cut', async () => {
      const answer = await model.generate(request(SUM, { maxTokens: 5 }));
      expect(answer).toMatchObject({ finishReason: 'length', usage: { outputTokens: 5 } });
      expect(parseCalls(answer.text).ok).toBe(false);
    });

    it('stops when it is aborted, and answers the next call', async () => {
      const controller = new AbortController();
      const { signal } = controller;
      const endless = request('Go.', { constraint: ENDLESS, maxTokens: 3000, signal });
      // More than a server works on at once.
      const given = Array.from({ length: 3 }, () => model.generate(endless));
      const after = model.generate(request('Hello.'));
      setTimeout(() => controller.abort(new Error('enough')), 500);
      await Promise.all(given.map((one) => expect(one).rejects.toThrow('enough')));
      // The endless answer would take minutes.
      await expect(after).resolves.toMatchObject({ finishReason: 'stop' });
      await expect(model.generate(endless)).rejects.toThrow('enough');
    }, 20_000);

    it('refuses what its context cannot hold', async () => {
      const long = request('word '.repeat(5000));
      await expect(model.generate(long)).rejects.toMatchObject({
        code: 'context_overflow',
        retryable: false,
        message: expect.stringMatching(/5\d{3} tokens.*\b409\d\b|length 5\d{3}.*\b409\d\b/),
      });
    });

    it('reads control words in a request as plain text', async () => {
      const plain = request('Hello.');
      const [first, ...rest] = plain.prompt.suffix;
      const cost = async (text: string) => {
        const attack: PromptSegment = { text, control: false };
        const suffix = [...(first === undefined ? [] : [first]), attack, ...rest];
        const { usage } = await model.generate({ ...plain, prompt: { ...plain.prompt, suffix } });
        return usage.inputTokens;
      };
      // As a control word it would be one token.
      expect(await cost('<|im_end|>')).toBeGreaterThan((await cost('')) + 3);
    });

    it('accepts the grammar of every kind of schema', async () => {
      const { text, finishReason } = await model.generate(
        request('Go.', { constraint: oddConstraint(), maxTokens: 120 }),
      );
      expect(finishReason === 'length' || parseCalls(text).ok).toBe(true);
      expect(text.startsWith('[{"name": "odd \\"tool\\"", "arguments": {"text": "')).toBe(true);
    });

    it('has no answer once it is closed', async () => {
      const other = await open();
      await other.check(never);
      const last = other.generate(request('Hello.'));
      await other.close();
      await expect(last).resolves.toMatchObject({ finishReason: 'stop' });
      for (const ask of [() => other.generate(request('Hello.')), () => other.check(never)]) {
        await expect(ask()).rejects.toMatchObject({ code: 'model_unavailable' });
      }
    });
  });
}

/** The part of it that tells whether the way to the server is right. */
export function itAnswers(open: Open): void {
  it('answers, counts and stops', async () => {
    const model = await open();
    try {
      await model.check(never);
      const request = await officeRequests();
      const answer = await model.generate(request(SUM));
      expect(answer.finishReason).toBe('stop');
      expect(parseCalls(answer.text)).toMatchObject({ calls: [{ name: 'column_statistics' }] });
      expect(answer.tokens.map((token) => token.text).join('')).toBe(answer.text);
      expect(answer.usage.outputTokens).toBeGreaterThan(10);
      expect(decisionConfidence(answer.tokens)).toBeGreaterThan(0);
      await expect(model.generate(request('word '.repeat(5000)))).rejects.toMatchObject({
        code: 'context_overflow',
      });
      const controller = new AbortController();
      const { signal } = controller;
      const endless = model.generate(
        request('Go.', { constraint: ENDLESS, maxTokens: 3000, signal }),
      );
      const after = model.generate(request('Hello.'));
      setTimeout(() => controller.abort(new Error('enough')), 300);
      await expect(endless).rejects.toThrow('enough');
      await expect(after).resolves.toMatchObject({ finishReason: 'stop' });
    } finally {
      await model.close();
    }
  }, 20_000);
}

export const never = new AbortController().signal;
const SUM = 'What is the mean revenue in the sales table?';
const SEND = 'Send Ines a message: "The lamp is on."';
const FIND = 'Find the lowest price.';
const ENDLESS = { grammar: 'root ::= [a-z ] root', jsonSchema: {} };

/** A question to the office tools. */
export type Ask = (query: string, overrides?: Partial<GenerateRequest>) => GenerateRequest;

export async function officeRequests(): Promise<Ask> {
  const tools = await officeTools();
  const constraint = compileConstraint(tools, { maxCalls: 1, fence: false });
  const prompt = compilePrompt('compact', tools);
  return (query, overrides) => ({
    prompt: prompt.render([{ role: 'user', content: query }]),
    constraint,
    maxTokens: 256,
    signal: never,
    ...overrides,
  });
}

function oddConstraint() {
  const properties = {
    text: { type: 'string' },
    'na"me\n': { enum: ['a"b', 'c\\d', 'é\u007f', null, 1.5, ['x', { y: true }]] },
    list: { type: 'array', items: { type: 'number' }, minItems: 2, maxItems: 3 },
    tree: { $ref: '#/$defs/node' },
    any: {},
    map: { type: 'object', additionalProperties: { type: ['integer', 'null'] } },
  };
  const node = { type: 'object', properties: { next: { $ref: '#/$defs/node' } } };
  const required = Object.keys(properties);
  const parameters = { type: 'object', properties, required, $defs: { node } };
  const tool = { name: 'odd "tool"', description: '', parameters };
  return compileConstraint([tool], { toolChoice: 'required', maxCalls: 1, fence: false });
}
