import asyncio
import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing

import triton_python_backend_utils as pb_utils

from call import Answer, Call
from engine import Engine
from metrics import Metrics
from settings import Settings, SettingsError

FINAL = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL
# Asking whether a request is cancelled is a call to the server: a few at a time, so that a thousand waiting requests do
# not hold up the others.
CANCEL_EVERY_S = 0.02
CANCEL_AT_ONCE = 32


class TritonPythonModel:
    """Answers as vLLM's backend does. Everything is said to the server by one thread, which runs an asyncio loop; each
    request under way has a thread of the engine's, and further ones wait for one of these."""

    def initialize(self, args):
        folder = os.path.join(args["model_repository"], args["model_version"])
        try:
            self.settings = Settings(folder)
            self.engine = Engine(self.settings)
        except SettingsError as error:
            raise pb_utils.TritonModelException(str(error)) from None
        parameters = json.loads(args["model_config"])["parameters"]
        report = parameters.get("REPORT_CUSTOM_METRICS", {}).get("string_value", "")
        labels = {"model": args["model_name"], "version": args["model_version"]}
        self.metrics = Metrics(labels) if report.lower() in ("yes", "true") else None
        self.running = {}
        self.workers = ThreadPoolExecutor(self.settings.slots)
        self.closing = False
        self.loop = asyncio.new_event_loop()
        # A daemon: a process that is told to end must not wait for it.
        self.thread = threading.Thread(
            target=self.loop.run_until_complete, args=[self.watch()], daemon=True
        )
        self.thread.start()

    def execute(self, requests):
        for request in requests:
            self.loop.call_soon_threadsafe(self.begin, request, request.get_response_sender())

    def begin(self, request, sender):
        self.loop.create_task(self.answer(request, sender))

    async def watch(self):
        while not self.closing:
            for sender, task in list(self.running.items())[:CANCEL_AT_ONCE]:
                # To the end of the line.
                self.running[sender] = self.running.pop(sender)
                if sender.is_cancelled():
                    task.cancel()
            await asyncio.sleep(CANCEL_EVERY_S)
        await self.loop.shutdown_default_executor()

    async def answer(self, request, sender):
        # Only here: a task that is cancelled before it has begun never begins, and so never ends its request.
        self.running[sender] = asyncio.current_task()
        try:
            call = Call(request)
            await call.check()
            last = await self.generate(call, sender)
        except asyncio.CancelledError:
            last = failure("Request was cancelled", "CANCELLED")
        except UnknownLora as error:
            last = failure(str(error))
        except BaseException as error:
            # A panic in llguidance is no Exception.
            last = failure(f"Error generating stream: {error}")
        # First: the server crashes when it is asked whether an ended request is cancelled.
        del self.running[sender]
        sender.send(last, flags=FINAL)

    async def generate(self, call, sender):
        """Sends all responses but the last, which it returns."""
        self.check_lora(call.sampling.lora_name)
        answer = Answer(call)
        began, first = time.monotonic(), None
        async with aclosing(self.chunks(call)) as chunks:
            async for chunk in chunks:
                tells = answer.add(chunk)
                if first is None and answer.output_tokens > 0:
                    first = time.monotonic()
                if answer.finish_reason:
                    break
                if tells and call.streams:
                    sender.send(answer.response())
        if not answer.finish_reason:
            raise RuntimeError("llama.cpp ended without a finish reason")
        if self.metrics:
            self.metrics.report(answer, began, first, time.monotonic())
        return answer.response()

    async def chunks(self, call):
        """The parts of the engine's answer. Left early, it ends the answer and frees its slot."""
        queue = asyncio.Queue()
        over = threading.Event()

        def put(chunk):
            self.loop.call_soon_threadsafe(queue.put_nowait, chunk)
            return over.is_set()

        def work():
            try:
                body = {"prompt": call.prompt, **call.sampling.body}
                self.engine.complete(body, call.sampling.lora_name, put)
            except Exception as error:
                put({"error": {"message": str(error)}})
            finally:
                put(None)

        waiting = self.workers.submit(work)
        try:
            while (chunk := await queue.get()) is not None:
                yield chunk
        finally:
            over.set()
            waiting.cancel()

    def check_lora(self, name):
        loras = self.settings.loras
        if name is None or name in loras:
            return
        if not loras:
            raise UnknownLora("LoRA feature is not enabled.")
        supported = list(loras)
        raise UnknownLora(f"LoRA {name} is not supported, we currently support {supported}")

    def finalize(self):
        self.workers.shutdown()
        self.closing = True
        self.thread.join()
        self.loop.close()
        if self.metrics:
            self.metrics.close()
        del self.engine


class UnknownLora(Exception):
    """vLLM's backend reports these as they are."""


def failure(message, code="INTERNAL"):
    # It may quote what the request said, and JSON can say half a character, which the server cannot take.
    whole = message.encode(errors="replace").decode()
    error = pb_utils.TritonError(whole, getattr(pb_utils.TritonError, code))
    return pb_utils.InferenceResponse(error=error)
