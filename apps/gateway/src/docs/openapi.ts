import { paths } from './operations.js';
import { componentSchemas, type JsonObject } from './schemas.js';

/** A spec keeps it equal to the version in package.json. */
export const API_VERSION = '0.1.0';

const DESCRIPTION = `Requests in words plus a set of tools go in; executed tool calls come out.

Send your API key as \`Authorization: Bearer KEY\`. Errors are RFC 9457 problems: \`code\` is stable, \`errors\` names every
faulty field and how to mend it.`;

/** The OpenAPI 3.1 document, made from the Zod contracts and from the table of error codes. */
export function openApiDocument(): JsonObject {
  return {
    openapi: '3.1.1',
    info: {
      title: 'Hammerline',
      version: API_VERSION,
      summary: 'Language in, executed tool calls out',
      description: DESCRIPTION,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [{ key: [] }],
    tags: [
      { name: 'Runs', description: 'One request’s whole life, from acceptance to its end.' },
      { name: 'Control', description: 'What people decide about runs and their calls.' },
      { name: 'Toolsets', description: 'The tools that a request may name.' },
      { name: 'Health', description: 'For orchestrators; open without a key.' },
    ],
    paths: paths(),
    components: {
      schemas: componentSchemas(),
      securitySchemes: {
        key: { type: 'http', scheme: 'bearer', description: 'Your API key.' },
      },
    },
  };
}
