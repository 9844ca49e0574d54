import asyncio
import json
import os
import signal
import threading

import numpy as np
import triton_python_backend_utils as pb_utils

from script import Script

FINAL = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL
# Asking whether a request is cancelled is a call to the server: a few at a time, so that a thousand idle requests do
# not hold up the others.
CANCEL_EVERY_S = 0.02
CANCEL_AT_ONCE = 32


class TritonPythonModel:
    """All requests run on one asyncio loop in a thread of its own, as in the vLLM backend."""

    def initialize(self, args):
        self.running = {}
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        asyncio.run_coroutine_threadsafe(self.watch(), self.loop)

    def execute(self, requests):
        for request in requests:
            self.loop.call_soon_threadsafe(self.begin, request, request.get_response_sender())

    def begin(self, request, sender):
        self.running[sender] = self.loop.create_task(self.answer(request, sender))

    async def watch(self):
        while True:
            for sender, task in list(self.running.items())[:CANCEL_AT_ONCE]:
                # To the end of the line.
                self.running[sender] = self.running.pop(sender)
                if sender.is_cancelled():
                    task.cancel()
            await asyncio.sleep(CANCEL_EVERY_S)

    async def answer(self, request, sender):
        observe("started", request)
        try:
            event, last = "finished", await generate(Call(request), sender)
        except asyncio.CancelledError:
            event, last = "cancelled", None
        except Exception as error:
            event, last = "failed", failure(error)
        # First: the server crashes when it is asked whether an ended request is cancelled.
        del self.running[sender]
        observe(event, request)
        if last:
            sender.send(last, flags=FINAL)
        else:
            sender.send(flags=FINAL)


async def generate(call, sender):
    """Sends all responses but the last, which it returns."""
    script = call.script
    pending = []
    for index in range(len(script.tokens) + 1):
        if index == script.hang:
            await asyncio.Event().wait()
        if index == script.kill:
            os.kill(os.getpid(), signal.SIGKILL)
        if script.error and index == script.error["after"]:
            raise RuntimeError(script.error["message"])
        if index == script.malformed:
            pending.append(b"\xff\xfe")
        if index == len(script.tokens):
            break
        await asyncio.sleep(script.first_s if index == 0 else script.every_s)
        pending.append(script.tokens[index].encode())
        # The last token goes out with its finish reason.
        if call.streams and index + 1 < len(script.tokens):
            sender.send(call.response(pending, "None"))
            pending = []
    return call.response(pending, script.finish_reason)


def failure(error):
    text = pb_utils.Tensor("text_output", np.array(["N/A"], dtype=object))
    message = f"Error generating stream: {error}"
    return pb_utils.InferenceResponse([text], pb_utils.TritonError(message))


class Call:
    """The inputs of one request, with the vLLM backend's defaults."""

    def __init__(self, request):
        inputs = {tensor.name(): tensor.as_numpy().flat[0] for tensor in request.inputs()}
        self.prompt = inputs["text_input"].decode()
        self.script = Script(self.prompt, json.loads(inputs.get("sampling_parameters", b"{}")))
        stream = bool(inputs.get("stream", False))
        self.streams = stream or self.script.always_stream
        self.echo = not inputs.get("exclude_input_in_output", stream)
        if stream and self.echo:
            raise ValueError("When streaming, `exclude_input_in_output` = False is not allowed.")
        returned = [name for name, value in inputs.items() if name.startswith("return_") and value]
        self.wanted = ["text_output", *(name[len("return_") :] for name in returned)]

    def response(self, tokens, finish_reason):
        prompt = self.prompt.encode() if self.echo else b""
        outputs = {
            "text_output": np.array([prompt + b"".join(tokens)], dtype=object),
            "finish_reason": np.array([finish_reason], dtype=object),
            "cumulative_logprob": np.array([-0.5 * len(tokens)], dtype=np.float32),
            "logprobs": np.array([json.dumps([logprob(token) for token in tokens])], dtype=object),
            "num_input_tokens": np.array([len(self.prompt.split())], dtype=np.uint32),
            "num_output_tokens": np.array([len(tokens)], dtype=np.uint32),
        }
        return pb_utils.InferenceResponse(
            [
                pb_utils.Tensor(name, value)
                for name, value in outputs.items()
                if name in self.wanted
            ]
        )


def logprob(token):
    text = token.decode(errors="replace")
    return {str(sum(token)): {"logprob": -0.5, "rank": 1, "decoded_token": text}}


def observe(event, request):
    """Writes what happened to the file that HAMMERLINE_OBSERVATIONS names: a test can await it."""
    file = os.environ.get("HAMMERLINE_OBSERVATIONS")
    if not file:
        return
    line = {"model": "text", "event": event, "id": request.request_id()}
    line["parameters"] = json.loads(request.parameters() or "{}")
    with open(file, "a") as out:
        out.write(json.dumps(line) + "\n")
