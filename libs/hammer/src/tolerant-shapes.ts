import { isObject } from './json.js';
import { type ParsedCall, toCall } from './parse.js';
import { readLiteral } from './tolerant-reader.js';

const messageKeys: ReadonlySet<string> = new Set(['tool_calls', 'role', 'content']);

/** The calls that a value is, in any of the shapes that `parseTolerant` lists, or what is wrong with it. */
export function toCalls(value: unknown): ParsedCall[] | string {
  if (!Array.isArray(value)) {
    if (isObject(value) && Object.hasOwn(value, 'tool_calls')) return unwrap(value);
    const call = toCall(normalize(value));
    return typeof call === 'string' ? `a call ${call}` : [call];
  }
  const calls: ParsedCall[] = [];
  for (const [index, element] of value.entries()) {
    const call = toCall(normalize(element));
    if (typeof call === 'string') return `call ${index + 1} ${call}`;
    calls.push(call);
  }
  return calls;
}

/** A text that is the same for calls with the same name and arguments, in whatever order. */
export function canonicalText(call: ParsedCall): string {
  return JSON.stringify(call, (_, value: unknown) =>
    isObject(value)
      ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}

/** `{"tool_calls": […]}`, also as a whole message of OpenAI's. */
function unwrap(message: Record<string, unknown>): ParsedCall[] | string {
  const surplus = Object.keys(message).find((key) => !messageKeys.has(key));
  if (surplus !== undefined) return `"${surplus.slice(0, 60)}" stands beside "tool_calls"`;
  const calls = message.tool_calls ?? [];
  if (isObject(calls) && Object.hasOwn(calls, 'tool_calls')) return '"tool_calls" is no list';
  return toCalls(calls);
}

/** The other shapes of a call, brought to `{name, arguments}`. What does not fit stays, to be refused. */
function normalize(element: unknown): unknown {
  if (!isObject(element)) return element;
  const { type, ...call } = element;
  if (type !== undefined && type !== 'function') return element;
  if (!isObject(call.function)) return withArguments(call);
  // Elsewhere an `id` may be an argument that went astray.
  const surplus = Object.keys(call).find((key) => !['function', 'id', 'index'].includes(key));
  return surplus === undefined ? withArguments(call.function) : element;
}

function withArguments(call: Record<string, unknown>): Record<string, unknown> {
  if (Object.hasOwn(call, 'parameters') && Object.hasOwn(call, 'arguments')) return call;
  const { parameters, arguments: values = parameters, ...others } = call;
  const read = typeof values === 'string' ? readObject(values) : undefined;
  return { ...others, arguments: read ?? values };
}

function readObject(text: string): Record<string, unknown> | undefined {
  const { value, end } = readLiteral(text);
  return isObject(value) && text.slice(end).trim() === '' ? value : undefined;
}
