import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TritonClient } from '#libs/triton';
import { ROOT } from '../../../scripts/root.mjs';
import { startTriton } from '../../../scripts/triton.mjs';
import { type HammerTriton, startHammerTriton } from '../../support/hammer-triton.js';
import { failureOf } from '../../triton/support/protocols.js';

const ADAPTER = path.join(ROOT, 'models/smollm2-135m-hammer-lora-q8_0.gguf');
/** The adapter answers no request without tools; the bare model does. */
const PROMPT = '<|im_start|>user\nSay hi.<|im_end|>\n<|im_start|>assistant\n';

describe('the CPU model', () => {
  let triton: HammerTriton;
  let client: TritonClient;

  beforeAll(async () => {
    triton = await startHammerTriton({ slots: 1, loras: { office: ADAPTER } });
    client = new TritonClient(`grpc://${triton.grpc}`);
  });
  afterAll(async () => {
    await client.close();
    await triton.kill();
    await triton.stop();
  });

  const generate = (sampling: object, fields: object = {}) =>
    client.generate({
      model: 'hammer',
      fields: {
        text_input: PROMPT,
        exclude_input_in_output: true,
        sampling_parameters: JSON.stringify({ temperature: 0, ...sampling }),
        ...fields,
      },
    });

  it.each([
    ['a text that is no JSON', 'nonsense', 'sampling_parameters: not valid JSON: Expecting value'],
    ['a list', '[]', 'sampling_parameters: must be a JSON object'],
    ['half a character', '{"\\ud800": 1}', "'?' is not supported by the CPU model"],
    [
      'a kind of vLLM that it lacks',
      '{"structured_outputs": {"structural_tag": {}}}',
      'structural_tag is not supported by the CPU model',
    ],
    [
      'guided decoding twice',
      '{"structured_outputs": {"regex": "a"}, "guided_decoding": {"regex": "a"}}',
      'structured_outputs and guided_decoding are the same',
    ],
    ['several answers', '{"n": 2}', 'n must be 1 on the CPU, not 2'],
    ['a grammar nested so deep', '', 'nested more than 500 deep'],
  ])('says what is wrong with %s', async (_, text, message) => {
    const deep = `root ::= ${'('.repeat(50_000)}"a"${')'.repeat(50_000)}`;
    const sampling = text || JSON.stringify({ structured_outputs: { grammar: deep } });
    const error = await failureOf(generate({}, { sampling_parameters: sampling }));
    expect(error.message).toContain('Error generating stream: ');
    expect(error.message).toContain(message);
  });

  it('says what is wrong with no text, which is not the same as no sampling parameters', async () => {
    const error = await failureOf(generate({}, { sampling_parameters: '' }));
    expect(error.message).toContain('sampling_parameters: not valid JSON: Expecting value');
  });

  it.each(['structured_outputs', 'guided_decoding'])(
    'knows %s, as an object and as the text of one',
    async (spelling) => {
      const kind = { choice: ['zebra'] };
      for (const value of [kind, JSON.stringify(kind)]) {
        expect(await generate({ [spelling]: value })).toMatchObject({ text_output: 'zebra' });
      }
    },
  );

  it('takes the parameters of the request where there are no sampling parameters, as vLLM does', async () => {
    const answer = await client.generate({
      model: 'hammer',
      fields: {
        text_input: PROMPT,
        return_num_output_tokens: true,
        max_tokens: 3,
        ignore_eos: true,
      },
    });
    expect(answer['num_output_tokens']).toBe(3);
  });

  it('uses the adapter that a request names, and its own for others', async () => {
    const sampling = { max_tokens: 4, ignore_eos: true };
    const own = (await generate(sampling))['text_output'];
    expect((await generate({ ...sampling, lora_name: 'office' }))['text_output']).toBe(own);
    const { message } = await failureOf(generate({ lora_name: 'other' }));
    expect(message).toContain("LoRA other is not supported, we currently support ['office']");
  });

  it('reports under the names of vLLM, and what its cache spared', async () => {
    const value = async (name: string): Promise<number> => {
      const text = await (await fetch(triton.metrics)).text();
      const line = text.split('\n').find((row) => row.startsWith(`vllm:${name}{`));
      return Number(line?.split(' ').at(-1) ?? NaN);
    };
    const names = [
      'prompt_tokens_total',
      'generation_tokens_total',
      'prefix_cache_queries',
      'prefix_cache_hits',
      'time_to_first_token_seconds_count',
      'e2e_request_latency_seconds_count',
    ];
    const all = (): Promise<number[]> => Promise.all(names.map(value));
    await generate({ max_tokens: 1 });
    const before = await all();
    const answer = await generate(
      { max_tokens: 2, ignore_eos: true },
      { return_num_input_tokens: true },
    );
    const prompt = Number(answer['num_input_tokens']);
    const after = await all();
    // Its last token is always computed.
    expect(after.map((count, index) => count - (before[index] ?? 0))).toEqual([
      prompt,
      2,
      prompt,
      prompt - 1,
      1,
      1,
    ]);
  });
});

it('says in one line each why its files cannot be loaded, and how to mend that', async () => {
  const repository = await mkdtemp(path.join(tmpdir(), 'hammerline-broken-'));
  const broken = {
    lost: [{ model: '/nowhere/model.gguf' }, '/nowhere/model.gguf, which cannot be read'],
    misspelt: [{ modle: 'a.gguf' }, "model.json: unknown key 'modle'; it may have model, adapter,"],
    damaged: [
      { model: ADAPTER },
      `llama.cpp cannot load ${ADAPTER}: a file is damaged or no model`,
    ],
  } as const;
  for (const [name, [settings]] of Object.entries(broken)) {
    const folder = path.join(repository, name);
    await cp(path.join(ROOT, 'triton/model_repository/cpu/hammer'), folder, { recursive: true });
    await writeFile(path.join(folder, '1/model.json'), JSON.stringify(settings));
    const config = path.join(folder, 'config.pbtxt');
    await writeFile(
      config,
      (await readFile(config, 'utf8')).replace('name: "hammer"', `name: "${name}"`),
    );
  }
  const reason = await startTriton({ modelRepository: repository }).then(
    async (server) => {
      await server.kill();
      return 'it started';
    },
    (error: Error) => error.message,
  );
  await rm(repository, { recursive: true });
  for (const [name, [, why]] of Object.entries(broken)) {
    expect(reason).toMatch(new RegExp(`failed to load '${name}' version 1: .*`));
    expect(reason).toContain(why);
  }
  expect(reason).not.toContain('\n');
});
