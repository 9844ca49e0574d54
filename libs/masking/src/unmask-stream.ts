import type { CallDelta } from '#libs/contracts';
import type { Place, Places } from './mask-places.js';
import { maxDepth } from './mask-values.js';

/**
 * Gives the pieces of calls their real names as they come: exactly those that the whole call would get. It holds back
 * at most one key, with the comma before it.
 *
 * @param tool a tool by its mask
 */
export function unmaskDeltas(
  tool: (mask: string) => { name: string; places: Places } | undefined,
): (delta: CallDelta) => CallDelta[] {
  const open = new Map<number, ArgumentsText>();
  return (delta) => {
    const { index } = delta;
    if (delta.type === 'name') {
      const unmasked = tool(delta.name);
      open.set(index, new ArgumentsText(unmasked?.places.root));
      return [{ ...delta, name: unmasked?.name ?? delta.name }];
    }
    const args = open.get(index);
    if (args === undefined) return [delta];
    const text = delta.type === 'end' ? args.end() : args.write(delta.text);
    const pieces: CallDelta[] = text === '' ? [] : [{ type: 'arguments', index, text }];
    if (delta.type === 'end') {
      open.delete(index);
      pieces.push(delta);
    }
    return pieces;
  };
}

/** A list or an object that the text is in, where schemas apply. */
interface Frame {
  readonly place: Place;
  readonly isObject: boolean;
  /** Items of a list that have ended. */
  index: number;
  /** Where the value of the current key stands. */
  value: Place | undefined;
  /** Members that came under their masks: the same under their real names no longer count. */
  unmasked: Set<string> | undefined;
}

/** The JSON text of one call's arguments on its way to real names. Text that is no JSON passes through somehow. */
class ArgumentsText {
  readonly #root: Place | undefined;
  readonly #frames: Frame[] = [];
  /** Levels of lists and objects, inside the frames, in which nothing is to be renamed. */
  #freeLevels = 0;
  #string: 'none' | 'key' | 'value' = 'none';
  #isEscaped = false;
  /** Whether the next string in this object is a key. Until it has ended, everything is held back. */
  #awaitsKey = false;
  #held = '';
  /** Where the key starts in what is held back. */
  #keyAt = 0;
  /** Whether the current member does not count, and is left out. */
  #isLeftOut = false;
  #ready = '';

  constructor(root: Place | undefined) {
    this.#root = root;
  }

  write(text: string): string {
    for (let at = 0; at < text.length; at++) this.#take(text.charAt(at));
    const ready = this.#ready;
    this.#ready = '';
    return ready;
  }

  /** What is still held back: something only if the text breaks off. */
  end(): string {
    return this.#held;
  }

  #take(character: string): void {
    if (this.#string !== 'none') this.#inString(character);
    else if (character === '"') this.#startString();
    else if (character === '{' || character === '[') this.#open(character);
    else if (character === '}' || character === ']') this.#close(character);
    else if (character === ',' && this.#freeLevels === 0) this.#comma();
    else this.#pass(character);
  }

  #pass(character: string): void {
    if (this.#awaitsKey) this.#held += character;
    else if (!this.#isLeftOut) this.#ready += character;
  }

  #startString(): void {
    this.#string = this.#awaitsKey ? 'key' : 'value';
    this.#keyAt = this.#held.length;
    this.#pass('"');
  }

  #inString(character: string): void {
    this.#pass(character);
    if (this.#isEscaped) this.#isEscaped = false;
    else if (character === '\\') this.#isEscaped = true;
    else if (character === '"') {
      if (this.#string === 'key') this.#endKey();
      this.#string = 'none';
    }
  }

  #endKey(): void {
    const frame = this.#frames.at(-1);
    const before = this.#held.slice(0, this.#keyAt);
    let key = this.#held.slice(this.#keyAt);
    const name = readString(key);
    if (frame !== undefined && name !== undefined) {
      const masked = frame.place.byMask.get(name);
      const member = masked ?? frame.place.byName.get(name);
      frame.value = member === undefined ? frame.place.rest(name) : member.place;
      if (masked !== undefined) {
        key = JSON.stringify(masked.name);
        (frame.unmasked ??= new Set()).add(masked.name);
      } else if (frame.unmasked?.has(name) === true) {
        this.#isLeftOut = true;
        frame.value = undefined;
      }
    }
    this.#awaitsKey = false;
    this.#held = '';
    if (!this.#isLeftOut) this.#ready += before + key;
  }

  #open(character: '{' | '['): void {
    const frame = this.#frames.at(-1);
    const place = this.#freeLevels > 0 ? undefined : this.#valuePlace(frame);
    this.#pass(character);
    if (place === undefined || this.#awaitsKey || this.#frames.length === maxDepth) {
      this.#freeLevels++;
      return;
    }
    const isObject = character === '{';
    this.#frames.push({ place, isObject, index: 0, value: undefined, unmasked: undefined });
    this.#awaitsKey = isObject;
  }

  #valuePlace(frame: Frame | undefined): Place | undefined {
    if (frame === undefined) return this.#root;
    return frame.isObject ? frame.value : frame.place.item(frame.index);
  }

  #close(character: '}' | ']'): void {
    if (this.#freeLevels > 0) {
      this.#freeLevels--;
      this.#pass(character);
      return;
    }
    this.#frames.pop();
    this.#ready += this.#held + character;
    this.#held = '';
    this.#awaitsKey = false;
    this.#isLeftOut = false;
  }

  #comma(): void {
    const frame = this.#frames.at(-1);
    if (frame?.isObject === true) {
      this.#isLeftOut = false;
      this.#awaitsKey = true;
    } else if (frame !== undefined) frame.index++;
    this.#pass(',');
  }
}

function readString(json: string): string | undefined {
  try {
    return JSON.parse(json) as string;
  } catch {
    return undefined; // a bad escape: no name
  }
}
