import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { TlsOptions } from './connection-options.js';
import { invalidArgument } from './triton-error.js';

/**
 * Refuses what OpenSSL would refuse, when the client is made and not at its first call.
 *
 * @throws TritonError `invalid_argument` that names the field
 */
export function checkTls({ ca, cert, key, passphrase }: TlsOptions): void {
  const authorities = ca === undefined ? undefined : [ca].flat();
  for (const [name, pems] of Object.entries({ ca: authorities, cert: [cert], key: [key] })) {
    for (const pem of pems ?? []) if (pem !== undefined) checkPem(`tls.${name}`, pem);
  }
  if ((cert === undefined) !== (key === undefined)) {
    const [given, absent] = cert === undefined ? ['key', 'cert'] : ['cert', 'key'];
    throw invalidArgument(`tls.${absent}`, `missing, with tls.${given}`, 'give both or neither');
  }
  try {
    createSecureContext({ ca: authorities, cert, key, passphrase });
  } catch (error) {
    throw readProblem(error);
  }
}

/** OpenSSL passes over authorities that it cannot read. */
function checkPem(where: string, pem: string | Buffer): void {
  if (!pem.includes('-----BEGIN '))
    throw invalidArgument(where, 'no PEM', "give the file's contents, not its path");
  if (where === 'tls.key') return;
  try {
    void new X509Certificate(pem);
  } catch {
    throw invalidArgument(where, 'no certificate', 'give PEM that begins with a certificate');
  }
}

function readProblem(error: unknown): Error {
  const { code = '', message }: NodeJS.ErrnoException =
    error instanceof Error ? error : new Error(String(error));
  if (/KEY_VALUES_MISMATCH|KEY_TYPE_MISMATCH/.test(code))
    return invalidArgument(
      'tls.key',
      'does not belong to tls.cert',
      'give the key of the certificate',
    );
  if (/PASSWORD|PASSPHRASE|BAD_DECRYPT|INTERRUPTED/.test(code))
    return invalidArgument(
      'tls.passphrase',
      'does not open tls.key',
      'give the passphrase of the key',
    );
  return invalidArgument('tls', `cannot be used (${message})`, 'look at ca, cert and key');
}
