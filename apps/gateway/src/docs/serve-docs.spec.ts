import { FastifyAdapter } from '@nestjs/platform-fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openApiDocument } from './openapi.js';
import { serveDocs } from './serve-docs.js';

describe('serveDocs', () => {
  const fastify = new FastifyAdapter().getInstance();
  beforeAll(() => serveDocs(fastify));
  afterAll(() => fastify.close());

  it('serves the document', async () => {
    const answer = await fastify.inject('/openapi.json');
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(answer.json()).toEqual(JSON.parse(JSON.stringify(openApiDocument())));
  });

  it('serves a page that needs nothing from elsewhere', async () => {
    const page = await fastify.inject('/docs/');
    const sources = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url]) => url);
    expect(sources).toEqual(['js/scalar.js']);
    expect(page.body).not.toMatch(/https?:\/\//);
    expect(page.body).toContain('"withDefaultFonts": false');
    const policy = String(page.headers['content-security-policy']);
    expect(policy).toMatch(/^default-src 'none'/);
    expect(policy).not.toMatch(/https?:|\*/);
  });

  it('serves the page’s script itself', async () => {
    const script = await fastify.inject('/docs/js/scalar.js');
    expect(script.headers['content-type']).toMatch(/^application\/javascript/);
    expect(script.body.length).toBeGreaterThan(1_000_000);
  });
});
