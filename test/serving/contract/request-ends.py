"""How the CPU model's model.py ends its requests, in orders of events that a real server brings about by chance only.
Triton and the engine are stand-ins. Its one argument is the folder of model.py."""

import asyncio
import os
import sys
import tempfile
import threading
import types
import unittest

import numpy as np

WITHIN_S = 10


class Stand(types.SimpleNamespace):
    """Something of Triton's that only keeps what it was made of."""

    FINAL = 1

    def __init__(self, *given, **named):
        super().__init__(given=given, **named)


class TritonError(Stand):
    CANCELLED = "CANCELLED"
    INTERNAL = "INTERNAL"

    def __init__(self, message, code):
        # As the real one, which is C++.
        message.encode()
        super().__init__(message=message, code=code)


class Input:
    def __init__(self, name, value):
        self.name = lambda: name
        self.as_numpy = lambda: np.array([value], dtype=object)


class Request:
    """It is its own sender, and checks what Triton does not forgive."""

    def __init__(self, prompt, sampling="{}"):
        self.given = {"text_input": prompt.encode(), "sampling_parameters": sampling.encode()}
        self.cancelled = False
        self.ends = []
        self.ended = threading.Event()
        self.faults = []
        self.threads = set()

    def inputs(self):
        return [Input(name, value) for name, value in self.given.items()]

    def parameters(self):
        return ""

    def get_response_sender(self):
        return self

    def is_cancelled(self):
        self.threads.add(threading.current_thread())
        if self.ends:
            self.faults.append("asked whether it is cancelled after its end")
        return self.cancelled

    def send(self, response, flags=0):
        self.threads.add(threading.current_thread())
        if self.ends:
            self.faults.append("sent to after its end")
        if flags:
            self.ends.append(response)
            self.ended.set()

    def end(self):
        """Waits for it; the code of its error, or None."""
        if not self.ended.wait(WITHIN_S):
            raise AssertionError("the request has no end")
        return getattr(self.ends[0], "error", None)


class Engine:
    """Answers until it is told to stop, to the prompt `endless`; others at once."""

    def __init__(self, settings):
        self.began = threading.Semaphore(0)

    def complete(self, body, lora_name, on_chunk):
        self.began.release()
        ends = not body["prompt"].startswith("endless")
        while not on_chunk(chunk("stop" if ends else None)) and not ends:
            threading.Event().wait(0.001)


def chunk(reason):
    timings = {"cache_n": 0, "prompt_n": 1, "predicted_n": 1}
    return {"timings": timings, "choices": [{"text": "a", "logprobs": None, "finish_reason": reason}]}


pb_utils = types.ModuleType("triton_python_backend_utils")
pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL = Stand.FINAL
pb_utils.InferenceResponse = pb_utils.Tensor = Stand
pb_utils.TritonError = TritonError
engine = types.ModuleType("engine")
engine.Engine = Engine
sys.modules.update({pb_utils.__name__: pb_utils, engine.__name__: engine})
sys.path.insert(0, sys.argv.pop())
sys.dont_write_bytecode = True

import call  # noqa: E402
import model  # noqa: E402


class RequestEnds(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        version = os.path.join(folder.name, "1")
        os.mkdir(version)
        for name, text in {"model.json": '{"model": "a.gguf"}', "a.gguf": "GGUF"}.items():
            with open(os.path.join(version, name), "w") as file:
                file.write(text)
        named = {"model_repository": folder.name, "model_version": "1", "model_name": "hammer"}
        self.model = model.TritonPythonModel()
        self.model.initialize({**named, "model_config": '{"parameters": {}}'})
        self.requests = []

    def tearDown(self):
        on_loop(self.model, lambda: self.assertEqual(self.model.running, {}))
        self.model.finalize()
        for request in self.requests:
            self.assertEqual(request.faults, [])
            self.assertEqual(len(request.ends), 1)
            self.assertEqual(request.threads - {self.model.thread}, set())

    def request(self, *given):
        self.requests.append(Request(*given))
        return self.requests[-1]

    def test_is_answered(self):
        request = self.request("hi")
        self.model.execute([request])
        self.assertIsNone(request.end())

    def test_is_cancelled_before_its_task_has_begun(self):
        request = self.request("endless")
        request.cancelled = True

        def together():
            # The loop goes by turns: this looks before the request's own first step.
            self.model.loop.create_task(self.model.watch())
            self.model.begin(request, request)

        on_loop(self.model, together)
        self.assertEqual(request.end().code, "CANCELLED")

    def test_is_cancelled_while_it_is_answered(self):
        request = self.request("endless")
        self.model.execute([request])
        self.assertTrue(self.model.engine.began.acquire(timeout=WITHIN_S))
        request.cancelled = True
        self.assertEqual(request.end().code, "CANCELLED")

    def test_is_cancelled_while_it_waits_for_a_slot(self):
        others = [self.request("endless") for _ in range(self.model.settings.slots)]
        waiting = self.request("endless")
        self.model.execute(others)
        for _ in others:
            self.assertTrue(self.model.engine.began.acquire(timeout=WITHIN_S))
        self.model.execute([waiting])
        waiting.cancelled = True
        self.assertEqual(waiting.end().code, "CANCELLED")
        for request in others:
            request.cancelled = True
            self.assertEqual(request.end().code, "CANCELLED")

    def test_is_cancelled_while_it_is_checked_and_holds_up_nobody(self):
        checking, go_on, checked = threading.Event(), threading.Event(), threading.Event()
        true_sampling = call.Sampling

        def slow(text):
            if "slow" in text:
                checking.set()
                go_on.wait(WITHIN_S)
                checked.set()
            return true_sampling(text)

        call.Sampling = slow
        self.addCleanup(setattr, call, "Sampling", true_sampling)
        request, other = self.request("hi", '{"stop": "slow"}'), self.request("hi")
        self.model.execute([request])
        self.assertTrue(checking.wait(WITHIN_S))
        self.model.execute([other])
        self.assertIsNone(other.end())
        self.assertFalse(request.ends)
        request.cancelled = True
        self.assertEqual(request.end().code, "CANCELLED")
        go_on.set()
        self.assertTrue(checked.wait(WITHIN_S))

    def test_is_refused_with_what_it_said(self):
        for sampling, said in [
            ('{"temperature": -1}', "temperature must be"),
            ("", "sampling_parameters: not valid JSON"),
            # Half a character, which no text that goes over the wire can hold.
            ('{"\\ud800": 1}', "'?' is not supported"),
        ]:
            with self.subTest(sampling):
                request = self.request("hi", sampling)
                self.model.execute([request])
                self.assertIn(said, request.end().message)

    def test_fails_with_what_is_no_exception(self):
        # A panic in llguidance.
        panic = type("PanicException", (BaseException,), {})

        def panics(text):
            raise panic("index out of bounds")

        self.addCleanup(setattr, call, "Sampling", call.Sampling)
        call.Sampling = panics
        request = self.request("hi")
        self.model.execute([request])
        self.assertIn("index out of bounds", request.end().message)


def on_loop(served, work):
    """Runs it in the model's own thread, and waits."""

    async def run():
        return work()

    return asyncio.run_coroutine_threadsafe(run(), served.loop).result(WITHIN_S)


unittest.main()
