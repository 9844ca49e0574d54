// Several servers; the calls of one conversation go to the same one, whose cache has seen it.
// node servers.ts [grpc://10.0.0.1:8001 grpc://10.0.0.2:8001 …]; one alone runs, but there is little to see.
import { balance, grpcTransport, prefixAffinity, TritonClient } from '@hammerline/triton';
import type { Transport } from '@hammerline/triton';

const serversOf = new Map<string, Set<string>>();

// `new TritonClient(addresses, { policy: prefixAffinity() })` does the same; this one tells who was called.
function connect(url: URL): Transport {
  const server = grpcTransport(url);
  return {
    unary(call) {
      serversOf.get(call.context.affinity ?? '')?.add(url.host);
      return server.unary(call);
    },
    stream: (call) => server.stream(call),
    close: () => server.close(),
  };
}

const addresses = process.argv.slice(2);
const endpoints = addresses.length > 0 ? addresses : ['grpc://127.0.0.1:8001'];
const transport = balance({ endpoints, connect, policy: prefixAffinity() });
const triton = new TritonClient(transport);

for (const conversation of ['anna', 'ben', 'cleo', 'dora']) {
  serversOf.set(conversation, new Set());
  for (let turn = 1; turn <= 3; turn++) {
    const inputs = { INPUT0: [turn] };
    await triton.infer({ model: 'identity', inputs }, { affinity: conversation });
  }
}

for (const [conversation, servers] of serversOf) console.log(conversation, ...servers);
for (const { address, state } of transport.snapshot()) console.log(address, state);

await triton.close();
