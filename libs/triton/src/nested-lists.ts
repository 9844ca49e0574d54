import { invalidArgument } from './triton-error.js';

const MOST_DEPTH = 64;

/** Elements one after the other, and the lengths of the lists that they were in, from the outermost on. */
export interface FlatList {
  readonly elements: readonly unknown[];
  readonly shape: number[];
}

/**
 * Takes lists of lists apart, as deep as their first elements are lists. `where` names them in errors.
 *
 * @throws TritonError `invalid_argument` that names the place, if lists of one depth differ in length
 */
export function flattenLists(where: string, lists: readonly unknown[]): FlatList {
  const shape: number[] = [];
  for (let list: unknown = lists; Array.isArray(list); list = list[0]) {
    if (shape.push(list.length) > MOST_DEPTH) {
      throw invalidArgument(where, `lists more than ${MOST_DEPTH} deep`, 'nest them less');
    }
  }
  if (shape.length === 1) return { elements: lists, shape };

  const elements: unknown[] = [];
  const path: number[] = [];
  const refuse = (problem: string): never => {
    const place = where + path.map((index) => `[${index}]`).join('');
    throw invalidArgument(place, problem, 'give lists of equal length, all equally deep');
  };
  const visit = (value: unknown, depth: number): void => {
    const length = shape[depth];
    if (length === undefined) {
      elements.push(value);
    } else if (!Array.isArray(value)) {
      refuse('no list, but the first one is');
    } else if (value.length !== length) {
      refuse(`a list of ${value.length}, but the first one has ${length}`);
    } else {
      for (let index = 0; index < length; index++) {
        path[depth] = index;
        visit(value[index], depth + 1);
      }
      path.length = depth;
    }
  };
  visit(lists, 0);
  return { elements, shape };
}

/** `[1][2]`: where the element of this number stands in lists of this shape. */
export function indexPath(element: number, shape: readonly number[]): string {
  let path = '';
  let rest = element;
  for (const size of shape.toReversed()) {
    path = `[${rest % size}]${path}`;
    rest = Math.floor(rest / size);
  }
  return path;
}
