import { createServer, type AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { checkPlatform, checkPort, freePort, thisPlatform } from './platform.mjs';

const linux = { os: 'linux', arch: 'x64', node: '20.11.0', glibc: '2.36' };

it('passes where Hammerline runs', () => {
  expect(() => checkPlatform(linux)).not.toThrow();
  expect(() => checkPlatform(thisPlatform())).not.toThrow();
});

it.each([
  [{ os: 'darwin', arch: 'arm64' }, 'this is darwin arm64'],
  [{ glibc: undefined }, 'this Linux has no glibc (musl?)'],
  [{ glibc: '2.31' }, 'this is glibc 2.31'],
  [{ node: '18.20.0' }, 'this is Node 18.20.0'],
])('names what works when run on %j', (difference, reason) => {
  expect(() => checkPlatform({ ...linux, ...difference })).toThrow(
    new RegExp(`^Hammerline runs on Linux x64 .*; ${reason.replaceAll(/[().?]/g, '\\$&')}$`),
  );
});

it('says that a port is in use', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  await expect(checkPort('127.0.0.1', port)).rejects.toThrow(
    `port ${port} is in use: stop what uses it, or take another with --port N`,
  );
  await new Promise((resolve) => {
    server.close(resolve);
  });
  await expect(checkPort('127.0.0.1', port)).resolves.toBeUndefined();
});

it('finds a free port', async () => {
  await expect(checkPort('127.0.0.1', await freePort())).resolves.toBeUndefined();
});
