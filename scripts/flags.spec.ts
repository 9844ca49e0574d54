import { describe, expect, it } from 'vitest';
import { parseFlags } from './flags.mjs';

describe('parseFlags', () => {
  it('has defaults', () => {
    expect(parseFlags([])).toEqual({
      help: false,
      once: false,
      runtime: 'embedded',
      workers: 1,
      port: 3000,
    });
  });

  it('reads every flag', () => {
    const args = '--once --runtime triton --workers 3 --port 0 --tools t.json --ask hello'.split(
      ' ',
    );
    expect(parseFlags(args)).toEqual({
      help: false,
      once: true,
      runtime: 'triton',
      workers: 3,
      port: 0,
      tools: 't.json',
      ask: 'hello',
    });
  });

  it('takes PORT where no flag says otherwise', () => {
    expect(parseFlags([], { PORT: '4000' }).port).toBe(4000);
    expect(parseFlags(['--port', '5000'], { PORT: '4000' }).port).toBe(5000);
  });

  it('takes RUNTIME where no flag says otherwise', () => {
    expect(parseFlags([], { RUNTIME: 'openai' }).runtime).toBe('openai');
    expect(parseFlags(['--runtime', 'triton'], { RUNTIME: 'openai' }).runtime).toBe('triton');
    expect(parseFlags([], { RUNTIME: '' }).runtime).toBe('embedded');
    expect(() => parseFlags([], { RUNTIME: 'vllm' })).toThrow(/^RUNTIME must be/);
  });

  it.each([
    [['--frob'], "Unknown option '--frob'; npm start -- --help lists the options"],
    [['extra'], "Unexpected argument 'extra'; npm start -- --help lists the options"],
    [['--workers', '0'], '--workers must be a whole number from 1 to 64, not "0"'],
    [['--runtime', 'vllm'], '--runtime must be one of embedded, triton, openai, not "vllm"'],
    [['--port', '70000'], '--port must be a whole number from 0 to 65535, not "70000"'],
    [['--tools', 'x.json'], '--tools needs --ask'],
  ])('refuses %j in one line', (args, message) => {
    expect(() => parseFlags(args)).toThrow(message);
    expect(() => parseFlags(args)).toThrow(/^.*$/);
  });
});
