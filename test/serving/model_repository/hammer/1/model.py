import asyncio
import collections
import json
import os
import signal
import threading
import time

import numpy as np
import triton_python_backend_utils as pb_utils

from answer import Answer, Refusal
from settings import Settings

FINAL = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL
LOOK_EVERY_S = 0.02
# Asking whether a request is cancelled is a call to the server: a few at a time.
CANCEL_AT_ONCE = 32
LOGPROB = -0.001


class TritonPythonModel:
    """All requests run on one asyncio loop in a thread of its own, as in the vLLM backend."""

    def initialize(self, args):
        card = json.loads(args["model_config"])["parameters"]["hammerline_card"]["string_value"]
        self.context = json.loads(card)["contextTokens"]
        self.settings = Settings()
        observe("loading")
        while self.settings.loading:
            time.sleep(LOOK_EVERY_S)
            self.settings.refresh()
        self.requests = {}
        self.answering = 0
        self.line = collections.deque()
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        asyncio.run_coroutine_threadsafe(self.look(), self.loop)
        observe("loaded")

    def execute(self, requests):
        for request in requests:
            self.loop.call_soon_threadsafe(self.begin, request, request.get_response_sender())

    def begin(self, request, sender):
        self.requests[sender] = self.loop.create_task(self.serve(request, sender))

    async def look(self):
        while True:
            self.settings.refresh()
            self.admit()
            for sender, task in list(self.requests.items())[:CANCEL_AT_ONCE]:
                # To the end of the line.
                self.requests[sender] = self.requests.pop(sender)
                if sender.is_cancelled():
                    task.cancel()
            await asyncio.sleep(LOOK_EVERY_S)

    def admit(self):
        while self.line and self.answering < self.settings.slots:
            place = self.line.popleft()
            if not place.done():
                self.answering += 1
                place.set_result(None)

    async def serve(self, request, sender):
        try:
            event, last = "answered", await self.answer(self.read(request), sender)
        except asyncio.CancelledError:
            event, last = "cancelled", None
        except Exception as error:
            event, last = "failed", failure(error)
        # First: the server crashes when it is asked whether an ended request is cancelled.
        del self.requests[sender]
        observe(event)
        if last:
            sender.send(last, flags=FINAL)
        else:
            sender.send(flags=FINAL)

    def read(self, request):
        self.settings.refresh()
        return Call(request, self.context, self.settings.loras)

    async def answer(self, call, sender):
        """Sends all responses but the last, which it returns."""
        place = self.loop.create_future()
        self.line.append(place)
        self.admit()
        try:
            await place
            observe("began", answer="".join(call.answer.tokens), prompt=call.prompt)
            return await self.send_pieces(call, sender)
        finally:
            if place.done() and not place.cancelled():
                self.answering -= 1
            self.admit()

    async def send_pieces(self, call, sender):
        """On a clock of its own, so that what the sending takes does not add up."""
        fault = self.settings.take_fault()
        pieces = cut(call.answer.tokens, self.settings.pieces)
        service_s = self.settings.service_ms / 1000
        first_s = service_s * self.settings.first_share
        every_s = (service_s - first_s) / max(1, len(pieces) - 1)
        began = self.loop.time()
        for index, piece in enumerate(pieces):
            await self.until(began + first_s + index * every_s)
            if fault and index == fault["after"]:
                observe("fault", kind=fault["kind"])
                await act(fault["kind"])
            if index + 1 < len(pieces):
                sender.send(call.response(piece, "None"))
        await self.until(began + service_s)
        return call.response(pieces[-1], call.answer.finish_reason)

    async def until(self, moment):
        await asyncio.sleep(max(0, moment - self.loop.time()))


def cut(tokens, count):
    """At least one piece, even of nothing."""
    size = max(1, -(-len(tokens) // count))
    return [tokens[at : at + size] for at in range(0, max(1, len(tokens)), size)]


async def act(kind):
    if kind == "hang":
        await asyncio.Event().wait()
    if kind == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    raise RuntimeError("EngineCore encountered an issue. See stack trace (above) for the root cause.")


def failure(error):
    text = str(error) if isinstance(error, Refusal) else f"Error generating stream: {error}"
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(text))


class Call:
    """The inputs of one request. Only streaming is played: our worker asks for nothing else."""

    def __init__(self, request, context, loras):
        inputs = {tensor.name(): tensor.as_numpy().flat[0] for tensor in request.inputs()}
        if not inputs.get("stream", False):
            raise ValueError("the scripted hammer streams only")
        parameters = inputs.get("sampling_parameters", b"{}").decode()
        self.prompt = inputs["text_input"].decode()
        self.answer = Answer(self.prompt, parameters, context, loras)
        returned = [name for name, value in inputs.items() if name.startswith("return_") and value]
        self.wanted = ["text_output", *(name[len("return_") :] for name in returned)]

    def response(self, tokens, finish_reason):
        logprobs = [logprob(token) for token in tokens] if self.answer.with_logprobs else None
        outputs = {
            "text_output": np.array(["".join(tokens).encode()], dtype=object),
            "finish_reason": np.array([finish_reason], dtype=object),
            "cumulative_logprob": np.array([LOGPROB * len(tokens)], dtype=np.float32),
            "logprobs": np.array([json.dumps(logprobs)], dtype=object),
            "num_input_tokens": np.array([self.answer.input_tokens], dtype=np.uint32),
            "num_output_tokens": np.array([len(tokens)], dtype=np.uint32),
        }
        return pb_utils.InferenceResponse(
            [pb_utils.Tensor(name, value) for name, value in outputs.items() if name in self.wanted]
        )


def logprob(token):
    key = str(int.from_bytes(token.encode(), "big") % 100_000)
    return {key: {"logprob": LOGPROB, "rank": 1, "decoded_token": token}}


def observe(event, **details):
    """Writes what happened to the file that HAMMERLINE_OBSERVATIONS names, for whoever awaits it."""
    if file := os.environ.get("HAMMERLINE_OBSERVATIONS"):
        with open(file, "a") as out:
            out.write(json.dumps({"event": event, "pid": os.getpid(), **details}) + "\n")
