import {
  ApprovalRequest,
  Call,
  EFFECTS,
  ERROR_CODES,
  Message,
  OutcomeRequest,
  ReplayReport,
  ReplayRequest,
  Run,
  RunEvent,
  RunPage,
  RunRequest,
  type ErrorCode,
} from '#libs/contracts';
import { z } from 'zod';

export type JsonObject = Record<string, unknown>;

const Tool = z.object({
  name: z.string(),
  description: z.string(),
  parameters: z.record(z.string(), z.unknown()).meta({ description: 'A JSON Schema.' }),
  effect: z.enum(EFFECTS).meta({
    description:
      'What a second execution of the same call would do: `read` changes nothing, `idempotent` changes nothing more, `once` must not happen twice.',
  }),
});

const Toolset = z.object({
  name: z.string(),
  version: z.string(),
  description: z.string(),
  hash: z.string().meta({ description: 'Changes with every change of the toolset.' }),
  tools: z.array(Tool),
});

const ToolsetList = z.object({ toolsets: z.array(Toolset) });

const Span = z.object({
  spanId: z.string(),
  parentSpanId: z.string().optional(),
  name: z.string(),
  kind: z.string(),
  service: z.string(),
  start: z.number().meta({ description: 'Unix milliseconds, with fractions.' }),
  end: z.number().meta({ description: 'Unix milliseconds, with fractions.' }),
  error: z.string().optional().meta({ description: 'Present on a span that failed.' }),
  attributes: z.record(z.string(), z.unknown()),
  links: z.array(z.object({ traceId: z.string(), spanId: z.string() })),
});

const Trace = z.object({
  traceId: z.string(),
  spans: z.array(Span).meta({
    description: 'By start time. Empty where spans go to an OpenTelemetry collector instead.',
  }),
});

const Liveness = z.object({ live: z.literal(true) });

const Readiness = z.object({
  ready: z.boolean(),
  checks: z.record(z.string(), z.enum(['ok', 'failed'])),
  refusing: z.string().optional().meta({ description: 'Why no run is accepted now (503).' }),
});

/** The codes that the gateway answers with; the others appear only on runs and calls. */
export const HTTP_ERROR_CODES = (Object.keys(ERROR_CODES) as ErrorCode[]).filter(
  (code) => 'status' in ERROR_CODES[code],
);

const Problem = z
  .object({
    type: z.string().meta({ description: '`urn:hammerline:error:` and the code.' }),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.enum(HTTP_ERROR_CODES),
    errors: z
      .array(
        z.object({
          pointer: z.string().meta({ description: 'JSON Pointer into the body.' }),
          detail: z.string(),
          mend: z.string().optional(),
        }),
      )
      .optional()
      .meta({ description: 'Every faulty field.' }),
  })
  .meta({ description: 'What went wrong (RFC 9457).' });

/** Every schema that the document names. Those of the contracts are the very objects that requests are parsed with. */
export const SCHEMAS = {
  RunRequest,
  Message,
  Run,
  RunPage,
  RunEvent,
  Call,
  ApprovalRequest,
  OutcomeRequest,
  ReplayRequest,
  ReplayReport,
  ErrorRecord: Call.shape.error.unwrap(),
  Toolset,
  ToolsetList,
  Tool,
  Trace,
  Span,
  Liveness,
  Readiness,
  Problem,
} as const satisfies Record<string, z.ZodType>;
export type SchemaName = keyof typeof SCHEMAS;

export function refTo(name: SchemaName): JsonObject {
  return { $ref: `#/components/schemas/${name}` };
}

/** JSON Schemas (2020-12, as OpenAPI 3.1 has them) of all schemas; where one holds another it refers to it. */
export function componentSchemas(): Record<string, JsonObject> {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(SCHEMAS)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, {
    // Answers may gain fields, so only what we are sent is closed: by `strictObject`, which `input` keeps.
    io: 'input',
    uri: (id) => `#/components/schemas/${id}`,
    override: ({ jsonSchema }) => {
      delete jsonSchema.propertyNames;
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    },
  });
  const components = Object.fromEntries(
    Object.entries(schemas).map(([id, schema]) => {
      const component: JsonObject = { ...schema };
      delete component['$schema'];
      delete component['$id'];
      return [id, component];
    }),
  );
  // A refinement that JSON Schema can say but Zod's conversion cannot know.
  components['RunRequest'] = {
    ...components['RunRequest'],
    allOf: [exactlyOne('query', 'messages'), exactlyOne('toolset', 'tools')],
  };
  return components;
}

function exactlyOne(...names: string[]): JsonObject {
  return { oneOf: names.map((name) => ({ required: [name] })) };
}
