import { describe, expect, it } from 'vitest';
import { buildHttpRequest, headerProblem, type HttpSpec, urlProblem } from './http-request.js';

function build(spec: Partial<HttpSpec>, args: Record<string, unknown> = {}, env = {}) {
  const full: HttpSpec = { kind: 'http', method: 'GET', url: 'http://127.0.0.1/x', ...spec };
  return buildHttpRequest(full, { id: 'call-1', arguments: args }, env);
}

describe('buildHttpRequest', () => {
  it('puts the arguments of a GET into the query', () => {
    const { url, body } = build(
      { url: 'https://example.com/search?kind=a%20b' },
      { q: 'a&b=ü \ud800', n: 5, on: true, list: [1, 'x'], object: { a: null } },
    );
    expect(body).toBeUndefined();
    expect([...url.searchParams]).toEqual([
      ['kind', 'a b'],
      ['q', 'a&b=ü \ufffd'],
      ['n', '5'],
      ['on', 'true'],
      ['list', '[1,"x"]'],
      ['object', '{"a":null}'],
    ]);
    expect(url.host).toBe('example.com');
  });

  it('sends other arguments as JSON, with the headers of a call', () => {
    const request = build({ method: 'POST' }, { text: 'ü', n: [1] });
    expect(request.body).toBe('{"text":"ü","n":[1]}');
    expect(request.headers).toMatchObject({
      'content-type': 'application/json',
      'content-length': '21',
      'idempotency-key': 'call-1',
    });
  });

  it('fills the path, encoded, and leaves those arguments out of query and body', () => {
    const args = { id: 'a/../b ?#%ü', sub: 7, rest: 'x' };
    const url = 'http://127.0.0.1/v1/{id}/sub-{sub}';
    const get = build({ url }, args);
    expect(get.url.pathname).toBe('/v1/a%2F..%2Fb%20%3F%23%25%C3%BC/sub-7');
    expect([...get.url.searchParams]).toEqual([['rest', 'x']]);
    expect(build({ url, method: 'PUT' }, args).body).toBe('{"rest":"x"}');
  });

  it.each(['', '.', '..', undefined])('does not let %j change which path is meant', (id) => {
    expect(() => build({ url: 'http://127.0.0.1/users/{id}', method: 'DELETE' }, { id })).toThrow(
      /^not sent: the argument id/,
    );
  });

  it('takes variables from the environment, and braces in them for text', () => {
    const spec = { url: '${BASE}/a/{id}', headers: { Authorization: 'Bearer ${TOKEN}' } };
    const env = { BASE: 'http://127.0.0.1:81/{id}/', TOKEN: 's${BASE}' };
    const request = build(spec, { id: 'x' }, env);
    expect(request.url.href).toBe('http://127.0.0.1:81/%7Bid%7D/a/x');
    expect(request.headers.authorization).toBe('Bearer s${BASE}');
  });

  it.each([
    [{ url: '${BASE}/a' }, {}, /^not sent: the environment variable BASE is not set/],
    [
      { headers: { a: '${TOKEN}' } },
      { TOKEN: '' },
      /^not sent: the environment variable TOKEN is not set/,
    ],
    [
      { headers: { a: '${TOKEN}' } },
      { TOKEN: 'hush\nx' },
      /^not sent: the value of the header a cannot be sent$/,
    ],
    [
      { url: '${BASE}/a' },
      { BASE: 'hush' },
      /^not sent: the url is not valid after its variables were filled in$/,
    ],
    [
      { url: '${BASE}/a' },
      { BASE: 'ftp://hush' },
      /^not sent: the url must be http or https, not ftp:$/,
    ],
    [
      { url: '${BASE}/a' },
      { BASE: 'http://u:hush@h' },
      /^not sent: the url holds credentials; put them in a header$/,
    ],
  ])('does not send %j with %j', (spec, env, message) => {
    expect(() => build(spec, {}, env)).toThrow(message);
  });
});

describe('urlProblem', () => {
  const parameters = { type: 'object', properties: { id: {}, other: {} }, required: ['id'] };

  it.each([
    'http://example.com',
    'https://example.com:8443/a/{id}?x=1&y=${KEY}',
    '${BASE}',
    '${BASE}/a/{id}',
    'http://${HOST}:8080/x',
    'http://[::1]:80/x',
  ])('accepts %s', (url) => {
    expect(urlProblem(url, parameters)).toBeUndefined();
  });

  it.each([
    ['example.com/x', /must begin with/],
    ['ftp://example.com', /must begin with/],
    ['file:///etc/passwd', /must begin with/],
    ['${BASE}x/y', /must begin with/],
    ['http://u:p@example.com/', /credentials/],
    ['http://example.com/#a', /fragment/],
    ['http://{id}/x', /in its path only/],
    ['http://example.com/?q={id}', /in its path only/],
    ['http://example.com/{other}', /names \{other\}/],
    ['http://example.com/${a-b}', /names no environment variable/],
    ['http://exa mple.com/', /no valid url/],
    ['http://example.com:99999/', /no valid url/],
  ])('refuses %s', (url, problem) => {
    expect(urlProblem(url, parameters)).toMatch(problem);
  });
});

describe('headerProblem', () => {
  it('refuses what a call sets itself, and what is no header', () => {
    expect(headerProblem('Authorization', 'Bearer ${TOKEN}')).toBeUndefined();
    expect(headerProblem('Idempotency-Key', 'x')).toMatch(/set by the call/);
    expect(headerProblem('a b', 'x')).toBe('is no valid header');
    expect(headerProblem('a', 'x\r\ny: z')).toBe('is no valid header');
    expect(headerProblem('a', '${x y}')).toMatch(/names no environment variable/);
  });
});
