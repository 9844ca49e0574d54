import { createServer } from 'node:net';
import { Failure } from './failure.mjs';

/**
 * The prebuilt model runtime needs the C++ library of GCC 12, and distributions that carry it have glibc 2.35 or newer.
 */
const GLIBC = { major: 2, minor: 35 };
const WORKS =
  'Hammerline runs on Linux x64 with glibc 2.35 or newer ' +
  '(Debian 12, Ubuntu 22.04, Fedora 36 or later) and Node 20 or newer';

/** @typedef {{ os: string, arch: string, node: string, glibc: string | undefined }} Platform */

/** @returns {Platform} */
export function thisPlatform() {
  const { platform: os, arch, versions } = process;
  return { os, arch, node: versions.node, glibc: os === 'linux' ? glibcVersion() : undefined };
}

function glibcVersion() {
  // Without this the report looks up host names, which can take seconds.
  Object.assign(process.report, { excludeNetwork: true });
  const report = /** @type {{ header: { glibcVersionRuntime?: string } }} */ (
    process.report.getReport()
  );
  return report.header.glibcVersionRuntime;
}

/** @param {Platform} platform */
export function checkPlatform({ os, arch, node, glibc }) {
  if (os !== 'linux' || arch !== 'x64') throw new Failure(`${WORKS}; this is ${os} ${arch}`);
  if (!glibc) throw new Failure(`${WORKS}; this Linux has no glibc (musl?)`);
  const [major = 0, minor = 0] = glibc.split('.').map(Number);
  if (major < GLIBC.major || (major === GLIBC.major && minor < GLIBC.minor)) {
    throw new Failure(`${WORKS}; this is glibc ${glibc}`);
  }
  if (Number(node.split('.')[0]) < 20) throw new Failure(`${WORKS}; this is Node ${node}`);
}

/**
 * Fails in one line when the port is taken, before anything is fetched or started.
 *
 * @param {string} host
 * @param {number} port 0: nothing to check
 */
export async function checkPort(host, port) {
  if (port === 0) return;
  const server = createServer();
  await new Promise((resolve, reject) => {
    server.once('error', reject).listen(port, host, () => server.close(resolve));
  }).catch((/** @type {NodeJS.ErrnoException} */ { code, message }) => {
    if (code === 'EADDRINUSE') {
      throw new Failure(`port ${port} is in use: stop what uses it, or take another with --port N`);
    }
    throw new Failure(`cannot listen on ${host}:${port}: ${code ?? message}`);
  });
}

/** A port of the loopback interface that nothing listens on now. @returns {Promise<number>} */
export async function freePort() {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', () => {
      const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
      server.close(() => resolve(port));
    });
  });
}
