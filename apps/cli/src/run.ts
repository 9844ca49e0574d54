import { Command, CommanderError } from 'commander';
import { HammerlineError } from '#libs/contracts';
import { LicenceNotAccepted } from '#libs/models';
import { ApiError } from './api-client.js';
import { addMaskCommand } from './mask-command.js';
import { addModelsCommand } from './models-command.js';
import { Interruption } from './models-interruption.js';
import { addPromptCommand } from './prompt-command.js';
import { addRunsCommand } from './runs-command.js';
import { NotConfirmed } from './runs-replay.js';

/** Exit statuses, documented in docs/cli.md. */
const FAILED = 1;
const WRONG_USAGE = 2;
const UNCONFIRMED = 3;
const UNAVAILABLE = 4;
const NOT_POSSIBLE = 5;
const INTERRUPTED = { SIGINT: 130, SIGTERM: 143 };

/** Does what a command line says. Returns its exit status. */
export async function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const program = new Command('hammerline')
    .description(
      'Language in, executed tool calls out: what the model sees, and what becomes of it.',
    )
    .showHelpAfterError()
    .exitOverride();
  addMaskCommand(program);
  addPromptCommand(program);
  addModelsCommand(program, env);
  addRunsCommand(program, env);
  try {
    await program.parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    return report(error);
  }
}

function report(error: unknown): number {
  // Commander has said what is wrong; help and version end here too, with status 0.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : WRONG_USAGE;
  if (error instanceof Interruption) {
    console.error('hammerline: stopped; the same command goes on from here');
    return INTERRUPTED[error.signal];
  }
  if (isSystemError(error)) {
    const mend =
      'are the folders of HAMMERLINE_MODELS and of the files right, may you use them, and has the disk room?';
    console.error(`hammerline: ${error.message}: ${mend}`);
    return FAILED;
  }
  if (!(error instanceof HammerlineError)) throw error;
  console.error(`hammerline: ${error.message}`);
  for (const { pointer, mend } of error.faults) {
    if (mend !== undefined) console.error(`  ${pointer}: ${mend}`);
  }
  return statusOf(error);
}

function statusOf(error: HammerlineError): number {
  if (error instanceof LicenceNotAccepted || error instanceof NotConfirmed) return UNCONFIRMED;
  if (!(error instanceof ApiError)) return FAILED;
  if (error.code === 'unavailable' || error.code === 'internal') return UNAVAILABLE;
  return error.code === 'not_possible' ? NOT_POSSIBLE : FAILED;
}

/** What the operating system refused: ENOTDIR, EACCES, ENOSPC … */
function isSystemError(error: unknown): error is Error {
  return error instanceof Error && 'syscall' in error && 'errno' in error;
}
