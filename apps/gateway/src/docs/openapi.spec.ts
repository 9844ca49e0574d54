import { readFileSync } from 'node:fs';
import {
  ApprovalRequest,
  ERROR_CODES,
  OutcomeRequest,
  ReplayRequest,
  RunRequest,
} from '#libs/contracts';
import { argumentsHash } from '#libs/runs';
import { readTools, readToolset } from '#libs/tools';
import type { INestApplication } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AppModule, type GatewayParts } from '../app.module.js';
import { ADMISSION, NOTICES, READINESS, RUNS, STOPPING, TOOLSETS } from '../tokens.js';
import {
  APPROVAL_EXAMPLES,
  OUTCOME_EXAMPLES,
  QUEUED_RUN,
  REPLAY_EXAMPLES,
  REPLAY_REPORT,
  REQUEST_EXAMPLES,
  SUCCEEDED_RUN,
  TRACE,
  WAITING_RUN,
} from './examples.js';
import { API_VERSION, openApiDocument } from './openapi.js';
import { componentSchemas, SCHEMAS, type JsonObject } from './schemas.js';

const root = new URL('../../../../', import.meta.url);
const readJson = (path: string): unknown => JSON.parse(readFileSync(new URL(path, root), 'utf8'));

/** The module's parts are used when it starts, which it does not do here. */
const NO_PARTS = {} as GatewayParts;

describe('the OpenAPI document', () => {
  const document = openApiDocument();
  const text = JSON.stringify(document);

  it('is valid OpenAPI 3.1', async () => {
    const { valid, errors } = await new Validator().validate(structuredClone(document));
    expect(errors).toBeUndefined();
    expect(valid).toBe(true);
  });

  it('refers only to schemas that it has, and uses each', () => {
    const referred = [...text.matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)];
    expect(new Set(referred.map(([, name]) => name))).toEqual(new Set(Object.keys(SCHEMAS)));
    expect(text.match(/"\$ref":"(?!#\/components\/schemas\/\w+")/)).toBeNull();
  });

  it('lets a run be cancelled without a body, and names what a body may be wrong in', () => {
    const paths = document['paths'] as Record<string, { post: JsonObject }>;
    const { requestBody, responses } = paths['/v1/runs/{id}/cancel']?.post ?? {};
    expect(requestBody).toMatchObject({ required: false });
    expect(Object.keys(responses as object)).toEqual(expect.arrayContaining(['400', '413']));
  });

  it('has the version of the package', () => {
    expect(readJson('package.json')).toMatchObject({ version: API_VERSION });
  });

  it('shows every code that the gateway answers with', () => {
    const shown = [...text.matchAll(/"urn:hammerline:error:(\w+)"/g)].map(([, code]) => code);
    const codes = Object.entries(ERROR_CODES).filter(([, entry]) => 'status' in entry);
    // The queues' page refuses other methods; no API route does: there they lead nowhere.
    expect(new Set([...shown, 'method_not_allowed'])).toEqual(new Set(codes.map(([code]) => code)));
  });

  it('gives examples that its schemas and the gateway take', () => {
    const office = readToolset(readJson('examples/office/toolset.json'));
    for (const { value } of Object.values(REQUEST_EXAMPLES)) {
      expect(schemaFaults(value)).toEqual([]);
      const { tools, toolset = office.name } = RunRequest.parse(value);
      readTools(tools ?? []);
      expect(toolset).toBe(office.name);
    }
    SCHEMAS.Run.parse(QUEUED_RUN);
    SCHEMAS.Run.parse(SUCCEEDED_RUN);
    SCHEMAS.Trace.parse(TRACE);
    SCHEMAS.ReplayReport.parse(REPLAY_REPORT);
  });

  it('gives decisions that the gateway takes', () => {
    const examples = [
      [ApprovalRequest, APPROVAL_EXAMPLES],
      [OutcomeRequest, OUTCOME_EXAMPLES],
      [ReplayRequest, REPLAY_EXAMPLES],
    ] as const;
    for (const [schema, of] of examples) {
      for (const { value } of Object.values(of)) schema.parse(value);
    }
    const [call] = SCHEMAS.Run.parse(WAITING_RUN).calls;
    expect(call?.argumentsHash).toBe(argumentsHash({ arguments: call?.arguments ?? {} }));
  });

  it.each([
    [{}, false],
    [{ query: 'x' }, false],
    [{ query: 'x', toolset: 'office' }, true],
    [{ query: '', toolset: 'office' }, false],
    [{ query: 'x', toolset: 'office', tools: [{}] }, false],
    [{ query: 'x', messages: [{ role: 'user', content: 'x' }], toolset: 'office' }, false],
    [{ messages: [{ role: 'user', content: 'x' }], tools: [{ name: 'x' }] }, true],
    [{ messages: [{ role: 'robot', content: 'x' }], tools: [{ name: 'x' }] }, false],
    [{ query: 'x', toolset: 'office', extra: 1 }, false],
  ])('says of the body %j the same as the gateway', (body, valid) => {
    expect(schemaFaults(body).length === 0).toBe(valid);
    expect(RunRequest.safeParse(body).success).toBe(valid);
  });
});

describe('the routes', () => {
  const routes = new Set<string>();
  let app: INestApplication;

  beforeAll(async () => {
    const { controllers = [] } = AppModule.register(NO_PARTS);
    const adapter = new FastifyAdapter();
    adapter.getInstance().addHook('onRoute', ({ method, url }) => {
      for (const verb of [method].flat())
        routes.add(`${verb} ${url.replaceAll(/:(\w+)/g, '{$1}')}`);
    });
    const module = await Test.createTestingModule({
      controllers,
      providers: [RUNS, NOTICES, ADMISSION, TOOLSETS, STOPPING, READINESS].map((provide) => ({
        provide,
        useValue: {},
      })),
    }).compile();
    app = module.createNestApplication(adapter, { logger: false });
    await app.init();
  });
  afterAll(() => app.close());

  it('are those of the document, and the pages', () => {
    const paths = openApiDocument()['paths'] as Record<string, JsonObject>;
    const documented = Object.entries(paths).flatMap(([path, item]) =>
      Object.keys(item)
        .filter((key) => key !== 'parameters')
        .map((method) => `${method.toUpperCase()} ${path}`),
    );
    const pages = ['GET /', 'GET /runs/{id}'];
    const served = [...routes].filter((route) => !route.startsWith('HEAD '));
    expect(new Set(served)).toEqual(new Set([...documented, ...pages]));
  });
});

describe('docs/api.md', () => {
  const guide = readFileSync(new URL('docs/api.md', root), 'utf8');

  it('lists every error code as it is', () => {
    const rows = Object.entries(ERROR_CODES).map(([code, entry]) => {
      const status = 'status' in entry ? String(entry.status) : '–';
      return [`\`${code}\``, status, entry.retryable ? 'yes' : 'no', entry.title].join('|');
    });
    const table = [...guide.matchAll(/^\| (`\w+`) *\| (\S+) *\| (yes|no) *\| (.+?) *\|$/gm)];
    expect(table.map(([, ...cells]) => cells.join('|'))).toEqual(rows);
  });

  it('has a curl for every route', () => {
    for (const path of Object.keys(openApiDocument()['paths'] as object)) {
      const shown = path
        .replace('{id}', '$RUN')
        .replace('{callId}', '$CALL')
        .replace('{name}', 'office');
      expect(guide).toMatch(
        new RegExp(`curl [^]*?"?\\$URL${shown.replaceAll(/[/$]/g, '\\$&')}["\\s]`),
      );
    }
  });

  it('sends bodies that the gateway takes', () => {
    const schemas = {
      '/v1/runs': RunRequest,
      '/v1/runs/replay': ReplayRequest,
      '/v1/runs/$RUN/calls/$CALL/approval': ApprovalRequest,
      '/v1/runs/$RUN/calls/$CALL/outcome': OutcomeRequest,
    };
    const sent = [...guide.matchAll(/curl [^\n]*"\$URL(\S+)"(?:[^\n]|\\\n)*? -d '(\{[^']+\})'/g)];
    expect(new Set(sent.map(([, route]) => route))).toEqual(new Set(Object.keys(schemas)));
    for (const [, route = '', body = ''] of sent) {
      const schema = schemas[route as keyof typeof schemas];
      expect(schema.safeParse(JSON.parse(body)).error).toBeUndefined();
    }
  });
});

/** What the document's schema of a request finds wrong with a body. */
function schemaFaults(body: unknown): unknown[] {
  const ajv = new Ajv2020({ strict: false });
  const validate = ajv.compile<object>({
    components: { schemas: componentSchemas() },
    $ref: '#/components/schemas/RunRequest',
  });
  return validate(body) ? [] : (validate.errors ?? ['invalid']);
}
