import { HammerlineError } from '#libs/contracts';
import { tenantOfKey, type KeyOwner, type Pool } from '#libs/runs';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { LRUCache } from 'lru-cache';
import { sendProblem, toHammerlineError } from './problem.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Whose key came with the request. Empty only on the open paths. */
    tenantId: string;
    /** What that key is called. */
    keyName: string;
  }
}

const COOKIE = 'hammerline_key';
/** Compared with the path as it was sent, undecoded, as the router sees it. */
const OPEN_PATHS = /^\/(livez|readyz|openapi\.json|docs(\/.*)?)$/;
/** How long a revoked key may still work. */
const KEY_CACHE_MS = 10_000;

/**
 * Lets in only requests with a known key: `Authorization: Bearer`, or the cookie that a browser gets by opening a page
 * once with `?key=`. Other sites cannot use the cookie (SameSite=Strict), nor can scripts read it.
 */
export function authenticate(fastify: FastifyInstance, pool: Pool, loginPage: string): void {
  const owners = new LRUCache<string, KeyOwner>({ max: 1_000, ttl: KEY_CACHE_MS });
  const ownerOf = async (key: string): Promise<KeyOwner | undefined> => {
    const owner = owners.get(key) ?? (await tenantOfKey(pool, key));
    if (owner !== undefined) owners.set(key, owner);
    return owner;
  };

  fastify.decorateRequest('tenantId', '');
  fastify.decorateRequest('keyName', '');
  fastify.addHook('onRequest', async (request, reply) => {
    const [path = '/', search] = request.url.split('?', 2);
    if (OPEN_PATHS.test(path)) return;
    const query = new URLSearchParams(search);
    try {
      const login = request.method === 'GET' ? query.get('key') : null;
      const key = login ?? presentedKey(request);
      const owner = key ? await ownerOf(key) : undefined;
      if (owner && login !== null) {
        query.delete('key');
        void reply.header(
          'set-cookie',
          `${COOKIE}=${encodeURIComponent(login)}; HttpOnly; SameSite=Strict; Path=/`,
        );
        // `//host` would lead to another site.
        const target = /^\/(?![/\\])/.test(path) ? path : '/';
        return reply.redirect(query.size > 0 ? `${target}?${query}` : target, 303);
      }
      if (owner) {
        request.tenantId = owner.tenantId;
        request.keyName = owner.keyName;
        return;
      }
      if (request.headers.accept?.includes('text/html')) {
        return reply.status(401).type('text/html; charset=utf-8').send(loginPage);
      }
      const what = key ? 'The API key is not known.' : 'No API key was sent.';
      sendProblem(
        reply,
        new HammerlineError('unauthorized', `${what} Send it as \`Authorization: Bearer KEY\`.`),
      );
    } catch (error) {
      sendProblem(reply, toHammerlineError(error, 0));
    }
    return reply;
  });
}

function presentedKey(request: FastifyRequest): string | undefined {
  const bearer = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (bearer !== undefined) return bearer;
  const cookie = new RegExp(`(?:^|;\\s*)${COOKIE}=([^;]+)`).exec(request.headers.cookie ?? '')?.[1];
  if (cookie === undefined) return undefined;
  try {
    return decodeURIComponent(cookie);
  } catch {
    return undefined;
  }
}
