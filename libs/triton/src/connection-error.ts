import { type Progress, TritonError, type TritonErrorReason } from './triton-error.js';

/** What a transport expects at the other end, for words about what it found instead. */
export interface Expected {
  readonly protocol: 'HTTP/1.1' | 'HTTP/2';
  /** Schemes of a URL without and with TLS. */
  readonly plain: string;
  readonly secure: string;
  /** Whose port it should be. */
  readonly port: 'HTTP' | 'gRPC';
}

/** Alerts of a server that refuses our certificate. With TLS 1.3 it does so after our side of the handshake is done. */
const REFUSES_CLIENT =
  /ALERT_(CERTIFICATE|BAD_CERTIFICATE|NO_CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE)/;

const STEPS: readonly Progress[] = ['unsent', 'sent', 'answered'];

/** Causes by their codes of Node and OpenSSL, the first that fits; Node's own words stand after ours. */
const KNOWN: readonly (readonly [
  RegExp,
  string | ((expected: Expected) => string),
  TritonErrorReason,
])[] = [
  [/^CERT_HAS_EXPIRED$/, "the server's certificate has expired", 'tls'],
  [/^CERT_NOT_YET_VALID$/, "the server's certificate is not yet valid", 'tls'],
  [
    /SELF_SIGNED_CERT|^UNABLE_TO_(GET_ISSUER_CERT|VERIFY_LEAF_SIGNATURE)/,
    "the server's certificate is signed by nobody who is trusted here; see tls.ca",
    'tls',
  ],
  [
    /^ERR_TLS_CERT_ALTNAME_INVALID$/,
    "the server's certificate is for another name; see tls.serverName",
    'tls',
  ],
  [
    /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|UNEXPECTED_MESSAGE/,
    ({ plain, secure }) =>
      `what answers does not speak TLS: is it a plain port (${plain}, not ${secure})?`,
    'tls',
  ],
  [/ALERT_NO_APPLICATION_PROTOCOL/, notSpoken, 'protocol'],
  [REFUSES_CLIENT, "the server refuses this client's certificate; see tls.cert and tls.key", 'tls'],
  [/^(ERR_SSL_|ERR_OSSL_|CERT_|EPROTO$)/, 'TLS failed', 'tls'],
];

/**
 * The error of a connection that could not be made, broke, or speaks another protocol: `unavailable`, with a reason.
 *
 * @param progress how far the request was. An error that knows of more is not set back; a request that met only the
 *   refusal of our certificate is `unsent`, whatever was written before
 * @param heard whether anything of an answer has come
 */
export function connectionError(
  error: unknown,
  endpoint: string,
  progress: Progress,
  expected: Expected,
  heard = false,
): TritonError {
  if (error instanceof TritonError) {
    const isFurther = STEPS.indexOf(error.progress) > STEPS.indexOf(progress);
    return error.with({ endpoint, progress: isFurther ? error.progress : progress });
  }
  const known = facts(error);
  const [words, reason] = judge(known, expected);
  const isRefused = REFUSES_CLIENT.test(known.code) && progress === 'sent' && !heard;
  return new TritonError('unavailable', `${endpoint}: ${words}`, {
    reason,
    progress: isRefused ? 'unsent' : progress,
    endpoint,
    cause: error,
  });
}

interface Facts {
  readonly name: string;
  readonly code: string;
  readonly message: string;
  /** What came where HTTP/1.1 should have. */
  readonly data: string;
}

/** For a server with a good certificate that knows none of our protocols. */
export function notSpoken({ protocol, port }: Expected): string {
  return `the server speaks TLS, but not ${protocol}: is this its ${port} port?`;
}

function judge(
  { name, code, message, data }: Facts,
  expected: Expected,
): [string, TritonErrorReason] {
  for (const [codes, words, reason] of KNOWN) {
    if (!codes.test(code)) continue;
    return [`${typeof words === 'string' ? words : words(expected)} (${message})`, reason];
  }
  if (/before secure TLS connection/.test(message)) {
    const words = 'the server closed the connection during the TLS handshake: is it a plain port?';
    return [words, 'tls'];
  }
  if (name !== 'HTTPParserError' && code !== 'UND_ERR_HEADERS_OVERFLOW')
    return [message, 'connection'];
  if (data.startsWith('\u0015\u0003')) {
    return ['the server speaks TLS on this port: give an https: URL', 'tls'];
  }
  return [notHttp(message, data), 'protocol'];
}

/** An HTTP/2 server begins with a SETTINGS frame: three bytes of length, then 4. */
function notHttp(message: string, data: string): string {
  return data.startsWith('\0') && data[3] === '\u0004'
    ? 'the server speaks HTTP/2, not HTTP/1.1: is this its gRPC port?'
    : `the server does not speak HTTP/1.1 (${message})`;
}

/** Where every address of a name was tried, Node gives the errors in a list, with no words of its own. */
function facts(error: unknown): Facts {
  const told = error instanceof AggregateError && error.message === '' ? error.errors[0] : error;
  if (!(told instanceof Error)) return { name: '', code: '', message: String(told), data: '' };
  const { name } = told;
  // OpenSSL's messages have places in its sources; its reasons have none.
  const message = 'reason' in told && typeof told.reason === 'string' ? told.reason : told.message;
  const code = 'code' in told && typeof told.code === 'string' ? told.code : '';
  const data = 'data' in told && typeof told.data === 'string' ? told.data : '';
  return { name, code, message, data };
}
