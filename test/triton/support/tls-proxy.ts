import { type AddressInfo, connect } from 'node:net';
import { once } from 'node:events';
import { createServer, type TlsOptions } from 'node:tls';

export interface TlsProxy {
  readonly port: number;
  close(): void;
}

/** Puts TLS before a plain port, as a gateway does: Triton's HTTP has none of its own. */
export async function startTlsProxy(
  target: string,
  { protocol, ...options }: TlsOptions & { readonly protocol: 'h2' | 'http/1.1' },
): Promise<TlsProxy> {
  const { hostname, port } = new URL(`tcp://${target}`);
  const server = createServer({ ...options, ALPNProtocols: [protocol] }, (client) => {
    const upstream = connect(Number(port), hostname);
    client.pipe(upstream).pipe(client);
    // Whoever breaks off takes the other side along.
    client.on('error', () => upstream.destroy());
    upstream.on('error', () => client.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, close: () => void server.close() };
}
