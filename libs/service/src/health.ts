import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a process depends on, by name; each check says whether it works now. */
export type ReadinessChecks = Record<string, () => boolean | Promise<boolean>>;

/** Runs all checks; a check that throws or takes over two seconds counts as failed. */
export async function checkReadiness(
  checks: ReadinessChecks,
): Promise<{ ready: boolean; checks: Record<string, 'ok' | 'failed'> }> {
  const entries = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => {
      const late = new Promise<boolean>((resolve) => setTimeout(resolve, 2_000, false).unref());
      const ok = await Promise.race([Promise.resolve().then(check), late]).catch(() => false);
      return [name, ok ? 'ok' : 'failed'] as const;
    }),
  );
  return {
    ready: entries.every(([, state]) => state === 'ok'),
    checks: Object.fromEntries(entries),
  };
}

/** Serves /livez and /readyz for a process that has no HTTP interface of its own. */
export async function serveHealth(options: {
  host: string;
  port: number;
  checks: ReadinessChecks;
}): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    const answer = (status: number, body: object): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    if (request.url === '/livez') answer(200, { live: true });
    else if (request.url === '/readyz') {
      void checkReadiness(options.checks).then((state) => answer(state.ready ? 200 : 503, state));
    } else answer(404, { title: 'Only /livez and /readyz are here' });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(options.port, options.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${options.host}:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
