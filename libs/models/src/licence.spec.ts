import { describe, expect, it } from 'vitest';
import { licenceOf, LicenceNotAccepted, requireAccepted } from './licence.js';

const none = { ids: [] };

describe('licenceOf', () => {
  it.each([
    ['MadeAgents/Hammer2.1-0.5b', 'cc-by-nc-4.0'],
    ['MadeAgents/Hammer2.1-1.5b', 'cc-by-nc-4.0'],
    ['MadeAgents/Hammer2.1-3b', 'qwen-research'],
    ['someone/Hammer2.1-3b-GGUF', 'qwen-research'],
    ['MadeAgents/Hammer2.1-7b', 'cc-by-nc-4.0'],
    ['MadeAgents/Hammer2.0-3b', 'qwen-research'],
    ['MadeAgents/Hammer2.0-7b', null],
    ['MadeAgents/Hammer-7b', null],
    ['foo/sledgehammer2.0-13b', null],
    ['/files/hammer2.0-x.gguf', null],
    ['someone/else', null],
  ])('of %s, where its page says nothing, is %s', (name, id) => {
    expect(licenceOf([name], none)).toMatchObject({ id, mustAccept: true });
  });

  it.each([
    ['its repository', ['q/Hammer2.1-1.5b-GGUF']],
    ['its file', ['q/models', 'hammer2.1-1.5b.Q4_K_M.gguf']],
    ['what it was made of', ['q/tool-caller', 'q.gguf', 'MadeAgents/Hammer2.1-1.5b']],
  ])('of a Hammer model by %s is never opened by a page', (_, names) => {
    expect(licenceOf(names, { ids: ['Apache-2.0'], link: 'https://example.com/open' })).toEqual({
      id: 'cc-by-nc-4.0',
      title: expect.stringContaining('NonCommercial') as string,
      terms: expect.stringContaining('no commercial use') as string,
      link: 'https://creativecommons.org/licenses/by-nc/4.0/',
      mustAccept: true,
    });
  });

  it('is what the page says', () => {
    expect(licenceOf(['MadeAgents/Hammer2.0-7b'], { ids: ['cc-by-4.0'] })).toMatchObject({
      id: 'cc-by-4.0',
      mustAccept: false,
    });
    const link = 'https://example.com/terms';
    expect(licenceOf(['x/y'], { ids: ['qwen-research'], link })).toMatchObject({
      id: 'qwen-research',
      link,
      mustAccept: true,
    });
  });

  it.each([
    [['apache-2.0', 'mit'], 'apache-2.0 AND mit', false],
    [['apache-2.0', 'cc-by-nc-4.0'], 'cc-by-nc-4.0', true],
    [['llama3', 'mit', 'cc-by-nc-4.0'], 'llama3 AND cc-by-nc-4.0', true],
    [['mit', 'other'], null, true],
  ])('of %j is the strict ones', (ids, id, mustAccept) => {
    expect(licenceOf(['x/y'], { ids })).toMatchObject({ id, mustAccept });
  });

  it('must be accepted where this program does not know it', () => {
    for (const id of ['llama3', 'constructor', '__proto__']) {
      expect(licenceOf(['x/y'], { ids: [id] })).toMatchObject({ id, mustAccept: true });
    }
    const link = 'https://example.com/terms';
    const other = licenceOf(['MadeAgents/Hammer2.0-7b'], { ids: ['other'], link });
    expect(other).toMatchObject({ id: null, link, mustAccept: true });
  });
});

it('a licence that asks for it is refused until it is accepted', () => {
  const limited = licenceOf(['MadeAgents/Hammer2.1-7b'], none);
  expect(() => requireAccepted('h', limited, false)).toThrow(LicenceNotAccepted);
  expect(() => requireAccepted('h', limited, false)).toThrow(/no commercial use.*--accept-licence/);
  expect(() => requireAccepted('h', limited, true)).not.toThrow();
  expect(() => requireAccepted('h', licenceOf(['h'], { ids: ['mit'] }), false)).not.toThrow();
});
