import type { Sample } from './limit.js';

/** Answers over which a time is averaged. */
const MEMORY = 64;
/** A mean of fewer answers is mixed with what was known. */
const ENOUGH = 4;
/** A mean that is this much off, as a share of what was known, is no chance: the server changed. */
const CHANGED = 0.25;

/**
 * How long a first token takes where no request waits, by size of the prompt in steps of a half octave. Means, as in
 * Little's law: of a mix of prompts that a server has computed before and others the median would jump.
 */
export class FirstTokenTimes {
  readonly #classes = new Map<number, { ms: number; count: number }>();

  /** Takes in answers that hardly waited. */
  learn(answers: readonly Sample[]): void {
    for (const answer of answers) {
      const key = classOf(answer);
      const known = this.#classes.get(key) ?? { ms: 0, count: 0 };
      const count = Math.min(known.count + 1, MEMORY);
      this.#classes.set(key, { ms: known.ms + (answer.firstTokenMs - known.ms) / count, count });
    }
  }

  /** Takes in answers that surely did not wait; where they are far from what was known, that is forgotten. */
  correct(answers: readonly Sample[]): void {
    for (const [key, members] of Map.groupBy(answers, classOf)) {
      const known = this.#classes.get(key);
      const ms = members.reduce((sum, { firstTokenMs }) => sum + firstTokenMs, 0) / members.length;
      if (known && Math.abs(ms - known.ms) > CHANGED * known.ms) {
        known.count = Math.max(0, ENOUGH - members.length);
      }
    }
    this.learn(answers);
  }

  /** Mean time that these answers waited. A prompt of a size never seen without a queue counts as not having waited. */
  waitedMs(answers: readonly Sample[]): number {
    const sum = answers.reduce((total, answer) => {
      const known = this.#classes.get(classOf(answer));
      return known ? total + answer.firstTokenMs - known.ms : total;
    }, 0);
    return Math.max(0, sum / answers.length);
  }
}

function classOf({ inputTokens }: Sample): number {
  return Math.round(2 * Math.log2(Math.max(1, inputTokens)));
}
