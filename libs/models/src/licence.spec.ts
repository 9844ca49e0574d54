import { describe, expect, it } from 'vitest';
import { licenceOf, LicenceNotAccepted, requireAccepted } from './licence.js';

describe('licenceOf', () => {
  it.each([
    ['MadeAgents/Hammer2.1-0.5b', 'cc-by-nc-4.0', true],
    ['MadeAgents/Hammer2.1-1.5b', 'cc-by-nc-4.0', true],
    ['MadeAgents/Hammer2.1-3b', 'qwen-research', true],
    ['someone/Hammer2.1-3b-GGUF', 'qwen-research', true],
    ['MadeAgents/Hammer2.1-7b', 'cc-by-nc-4.0', true],
    ['MadeAgents/Hammer2.0-3b', 'qwen-research', true],
    ['MadeAgents/Hammer2.0-7b', 'cc-by-4.0', false],
    ['MadeAgents/Hammer-7b', 'cc-by-4.0', false],
    ['someone/else', null, true],
  ])('of %s, where its page says nothing, is %s', (name, id, mustAccept) => {
    expect(licenceOf(name, {})).toMatchObject({ id, mustAccept });
  });

  it('is what the page says, also where the name is a Hammer', () => {
    expect(licenceOf('MadeAgents/Hammer2.1-7b', { id: 'Apache-2.0' })).toMatchObject({
      id: 'apache-2.0',
      mustAccept: false,
    });
    const words = { id: 'other', name: 'qwen-research', link: 'https://example.com/terms' };
    expect(licenceOf('x/y', words)).toMatchObject({
      id: 'qwen-research',
      link: 'https://example.com/terms',
      mustAccept: true,
    });
  });

  it('must be accepted where this program does not know it', () => {
    expect(licenceOf('x/y', { id: 'llama3' })).toMatchObject({ id: 'llama3', mustAccept: true });
    expect(licenceOf('x/y', { id: 'other' })).toMatchObject({ id: null, mustAccept: true });
  });
});

it('a licence that asks for it is refused until it is accepted', () => {
  const limited = licenceOf('MadeAgents/Hammer2.1-7b', {});
  expect(() => requireAccepted('h', limited, false)).toThrow(LicenceNotAccepted);
  expect(() => requireAccepted('h', limited, false)).toThrow(/no commercial use.*--accept-licence/);
  expect(() => requireAccepted('h', limited, true)).not.toThrow();
  expect(() => requireAccepted('h', licenceOf('h', { id: 'mit' }), false)).not.toThrow();
});
