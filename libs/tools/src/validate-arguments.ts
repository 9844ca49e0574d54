import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import type { Fault, ResolvedCall, ToolDefinition } from '#libs/contracts';
import { runBounded } from './bounded.js';
import { findUnstorable, isObject, nestsDeeper, pointerStep } from './json.js';

/** Wall time for compiling one tool's schema, and for one validation that could take exponential time. */
const maxCompileMs = 2_000;
const maxValidateMs = 500;
const maxArgumentDepth = 64;
/** Faults named for one call: enough to repair it, and no prompt grows from it. */
const maxFaults = 20;

export interface Validators {
  /** What is wrong with a call: an unknown tool, or arguments that do not fit its schema. Empty: nothing. */
  validate: (call: ResolvedCall) => Fault[];
}

/**
 * Validators for tools that `readTools` has read. Each tool's schema is compiled at its first call and kept, so keep
 * what this returns as long as the toolset is in use, by its content hash.
 *
 * Nothing is coerced and no default is filled in. A schema with `pattern`, `$ref` or `uniqueItems` may take exponential
 * time on some argument (`(a+)+$`); rather than refuse patterns that might, such a schema is stopped after 500 ms and
 * the call is at fault. The time of all others is bounded by the size of schema and arguments.
 */
export function compileValidators(tools: readonly ToolDefinition[]): Validators {
  const toolByName = new Map(tools.map((tool) => [tool.name, tool]));
  const validators = new Map<string, (args: unknown) => Fault[]>();
  return {
    validate({ name, arguments: args }) {
      const tool = toolByName.get(name);
      if (tool === undefined) {
        const mend = `use one of: ${[...toolByName.keys()].join(', ').slice(0, 500)}`;
        return [{ pointer: '/name', detail: `there is no tool ${JSON.stringify(name)}`, mend }];
      }
      const broken = brokenLimit(args);
      if (broken !== undefined)
        return [{ pointer: '/arguments', detail: broken, mend: 'simplify' }];
      let validator = validators.get(name);
      if (validator === undefined) {
        validator = compile(tool);
        validators.set(name, validator);
      }
      return validator(args);
    },
  };
}

function brokenLimit(args: unknown): string | undefined {
  if (nestsDeeper(args, maxArgumentDepth)) return `nest deeper than ${maxArgumentDepth} levels`;
  return findUnstorable(args) === undefined ? undefined : 'hold a NUL or half a surrogate pair';
}

function compile(tool: ToolDefinition): (args: unknown) => Fault[] {
  let check: ValidateFunction;
  try {
    check = runBounded(maxCompileMs, () => compileSchema(tool));
  } catch (error) {
    return () => [cannotCheck(tool, 'compiled', error)];
  }
  const isRisky = /"(?:\$ref|pattern|patternProperties|uniqueItems)":/.test(
    JSON.stringify(tool.parameters),
  );
  return (args) => {
    try {
      const isValid = isRisky ? runBounded(maxValidateMs, () => check(args)) : check(args);
      return isValid ? [] : readErrors(check.errors ?? [], tool);
    } catch (error) {
      return [cannotCheck(tool, 'checked', error)];
    }
  };
}

function compileSchema(tool: ToolDefinition): ValidateFunction {
  const ajv = new Ajv2020({
    strict: false,
    allErrors: true,
    logger: false,
    // Already checked by readTools.
    meta: false,
    validateSchema: false,
    // Else an argument `constructor` would be found on every object.
    ownProperties: true,
    // Else a large schema that is referred to many times would grow into as many copies of its code.
    inlineRefs: false,
  });
  formats.default(ajv);
  return ajv.compile(tool.parameters);
}

function cannotCheck(tool: ToolDefinition, what: 'compiled' | 'checked', error: unknown): Fault {
  const reason = error instanceof Error ? error.message.slice(0, 200) : String(error);
  return {
    pointer: '/arguments',
    detail: `the schema of ${JSON.stringify(tool.name)} cannot be ${what}: ${reason}`,
    mend: 'simplify its patterns and references',
  };
}

function readErrors(errors: readonly ErrorObject[], tool: ToolDefinition): Fault[] {
  const faults = new Map<string, Fault>();
  for (const error of errors) {
    const fault = readError(error, tool);
    faults.set(`${fault.pointer} ${fault.detail}`, fault);
    if (faults.size === maxFaults) break;
  }
  return [...faults.values()];
}

function readError(
  { keyword, instancePath, params, message }: ErrorObject,
  tool: ToolDefinition,
): Fault {
  const pointer = `/arguments${instancePath}`;
  switch (keyword) {
    case 'required': {
      const name = String(params.missingProperty);
      return { pointer: pointer + pointerStep(name), detail: 'is missing', mend: 'give it' };
    }
    case 'additionalProperties':
    case 'unevaluatedProperties': {
      const name = String(params.additionalProperty ?? params.unevaluatedProperty);
      const known = isObject(tool.parameters.properties)
        ? Object.keys(tool.parameters.properties)
        : [];
      const mend =
        instancePath === '' ? `leave it out; there are: ${known.join(', ')}` : 'leave it out';
      return { pointer: pointer + pointerStep(name), detail: 'is no known parameter', mend };
    }
    case 'enum': {
      const allowed = (params.allowedValues as unknown[]).map((value) => JSON.stringify(value));
      const mend = `use one of: ${allowed.join(', ').slice(0, 500)}`;
      return { pointer, detail: 'is none of the allowed values', mend };
    }
    case 'const': {
      const mend = `use ${JSON.stringify(params.allowedValue)?.slice(0, 500)}`;
      return { pointer, detail: 'is not the allowed value', mend };
    }
    case 'type':
      return {
        pointer,
        detail: `must be ${[params.type].flat().join(' or ')}`,
        mend: 'give a value of this type',
      };
    default:
      return {
        pointer,
        detail: message ?? `breaks \`${keyword}\``,
        mend: 'give a value that fits',
      };
  }
}
