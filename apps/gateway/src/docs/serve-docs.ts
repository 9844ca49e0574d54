import { randomBytes } from 'node:crypto';
import scalar from '@scalar/fastify-api-reference';
import type { FastifyInstance } from 'fastify';
import { openApiDocument } from './openapi.js';

/**
 * Serves the OpenAPI document at /openapi.json and a page that explains it at /docs. The page's script comes from this
 * process, and its policy forbids the browser to fetch anything from elsewhere: it works without the internet.
 */
export async function serveDocs(fastify: FastifyInstance): Promise<void> {
  const document = JSON.stringify(openApiDocument());
  fastify.get('/openapi.json', (_request, reply) =>
    reply.type('application/json; charset=utf-8').send(document),
  );

  // The page is the same for everyone and holds nothing that a user wrote, so one nonce per process is enough.
  const nonce = randomBytes(16).toString('base64');
  const policy = [
    "default-src 'none'",
    `script-src 'self' 'nonce-${nonce}'`,
    "style-src 'unsafe-inline'",
    "img-src 'self' data:",
    "font-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
  await fastify.register(scalar, {
    routePrefix: '/docs',
    hooks: {
      onRequest: (_request, reply, done) => {
        void reply.header('content-security-policy', policy);
        done();
      },
    },
    configuration: {
      url: '/openapi.json',
      pageTitle: 'Hammerline API',
      favicon: 'data:,',
      nonce,
      withDefaultFonts: false,
      telemetry: false,
      showDeveloperTools: 'never',
      hideClientButton: true,
      agent: { disabled: true },
      mcp: { disabled: true },
    },
  });
}
