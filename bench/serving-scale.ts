/** How much is done: so much that figures are steady, or as little as shows that all works. */
export interface Scale {
  readonly rounds: number;
  /** Clients that keep a real model busy. */
  readonly clients: number;
  /** Answers of a real model in each measurement. */
  readonly modelAnswers: number;
  /** Requests that are timed one by one in each round. */
  readonly timed: number;
  /** Seconds that a scripted server is loaded in each measurement. */
  readonly seconds: number;
  readonly replicas: readonly number[];
  readonly toolsets: number;
  /** Fixed settings of a worker among which the best is looked for. */
  readonly fixed: readonly number[];
}

export const full: Scale = {
  rounds: 5,
  clients: 8,
  modelAnswers: 24,
  timed: 60,
  seconds: 10,
  replicas: [1, 2, 4, 8],
  toolsets: 50,
  fixed: [2, 4, 8, 16, 32],
};

export const small: Scale = {
  rounds: 1,
  clients: 1,
  modelAnswers: 2,
  timed: 5,
  seconds: 0.4,
  replicas: [1, 2],
  toolsets: 2,
  fixed: [4],
};
