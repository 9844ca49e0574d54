import type { Http2Stream } from '../http2/http2-stream.js';
import { TritonError } from '../triton-error.js';
import type { GrpcCall } from './grpc-call.js';

/**
 * Sends the requests of a stream as they come, no faster than the connection takes them. A source that fails ends the call.
 *
 * @param frame makes a request the bytes of a gRPC message
 * @returns lets the source go
 */
export function pumpRequests<Q>(
  call: GrpcCall,
  stream: Http2Stream,
  requests: AsyncIterable<Q>,
  frame: (request: Q) => readonly Uint8Array[],
): () => void {
  const source = requests[Symbol.asyncIterator]();
  const send = async (): Promise<void> => {
    try {
      for (;;) {
        const { done, value } = await source.next();
        if (call.ended) return;
        stream.send(done ? [] : frame(value), done === true);
        if (done) return;
        await stream.drained();
      }
    } catch (error) {
      const isOurs = error instanceof TritonError;
      const broken = 'the requests of the stream failed';
      call.giveUp(isOurs ? error : new TritonError('cancelled', broken, { cause: error }));
    }
  };
  void send();
  return () => void source.return?.().catch(() => {});
}
