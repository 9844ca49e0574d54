import { invalidRequest, type ResolvedCall } from '#libs/contracts';
import { compileValidators, type Toolset } from '#libs/tools';

/**
 * Checks arguments that a person gives a call instead of its own, by the toolset that its run was accepted with.
 *
 * @throws HammerlineError `invalid_request` that names each field of the body, and how to mend it
 */
export function checkEdit({ tools }: Toolset, call: ResolvedCall): void {
  const { validate } = compileValidators(tools.filter(({ name }) => name === call.name));
  const [first, ...others] = validate(call);
  if (first) throw invalidRequest(first, ...others);
}
