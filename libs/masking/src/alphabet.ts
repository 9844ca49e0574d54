export const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** The 64 symbols that Hammer models saw masks of in training. */
export const symbols = `${letters}_.0123456789`;

/** Lengths of masks in training, both ends included. */
export const maskLengths = {
  function: [5, 15],
  parameter: [4, 10],
  default: [5, 5],
} as const;

export type MaskKind = keyof typeof maskLengths;
