import { ATTR } from '#libs/telemetry';
import { trace } from '@opentelemetry/api';

/** Tells the span around a question which server got it; the last one, where it was asked again elsewhere. */
export function noteServer({ hostname, port }: URL): void {
  trace.getActiveSpan()?.setAttributes({
    [ATTR.serverAddress]: hostname,
    ...(port !== '' && { [ATTR.serverPort]: Number(port) }),
  });
}
