/** The prompts that a model is asked with, by their names in the specification; `compact` is this product's own. */
export const SERVING_FLAVOURS = [
  'client-2.1',
  'bfcl-2.1',
  'bfcl-2.0',
  'bfcl-1.0',
  'hf-template-2.1',
  'compact',
] as const;
export type ServingFlavour = (typeof SERVING_FLAVOURS)[number];

/** Every prompt that the Hammer models were trained, tested or served with, and ours. */
export type Flavour = ServingFlavour | 'train-v1' | 'eval-v1' | 'eval-2.1';

const releases: Readonly<Record<string, ServingFlavour>> = {
  '1.0': 'bfcl-1.0',
  '2.0': 'bfcl-2.0',
  '2.1': 'bfcl-2.1',
};

// The first release carries no number: "Hammer-1.5b" names a size.
const released = /(?:^|[^a-z0-9])hammer[-_ ]?v?(1\.0|2\.0|2\.1)(?![0-9.]*b)/i;
const unnumbered = /(?:^|[^a-z0-9])hammer[-_ ]?[0-9]+(?:\.[0-9]+)?b(?![a-z0-9])/i;

/**
 * The flavour for a Hammer model by its name, such as `MadeAgents/Hammer2.1-7b` or `Hammer-7b` (which is 1.0);
 * undefined for any other name.
 *
 * Each release gets its BFCL flavour: there the tools are flat maps of parameters, as in the text that the models were
 * trained on and their scores were measured with. `client-2.1` shows them nested schemas.
 */
export function flavourOf(model: string): ServingFlavour | undefined {
  const release = released.exec(model)?.[1];
  if (release !== undefined) return releases[release];
  return unnumbered.test(model) ? 'bfcl-1.0' : undefined;
}
