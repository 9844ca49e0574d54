import asyncio
import json
import math

import numpy as np
import triton_python_backend_utils as pb_utils

from sampling import Sampling
from stop_strings import StopStrings


class Call:
    """The inputs of one request, with the vLLM backend's defaults. `check` is needed before it is answered."""

    def __init__(self, request):
        inputs = {tensor.name(): tensor.as_numpy().flat[0] for tensor in request.inputs()}
        if "image" in inputs:
            raise ValueError("image is not supported by the CPU model")
        self.prompt = text(inputs, "text_input")
        if not self.prompt:
            raise ValueError("The decoder prompt cannot be empty")
        # As in vLLM's backend, the request's own parameters count where there is no such input.
        if "sampling_parameters" in inputs:
            self.parameters = text(inputs, "sampling_parameters")
        else:
            self.parameters = request.parameters() or "{}"
        self.streams = bool(inputs.get("stream", False))
        self.echo = not inputs.get("exclude_input_in_output", self.streams)
        if self.streams and self.echo:
            raise ValueError("When streaming, `exclude_input_in_output` = False is not allowed.")
        returned = [name for name, value in inputs.items() if name.startswith("return_") and value]
        self.wanted = ["text_output", *(name[len("return_") :] for name in returned)]

    async def check(self):
        """In a thread: a large schema takes a second, in which the other answers must go on."""
        try:
            self.sampling = await asyncio.to_thread(Sampling, self.parameters)
        except ValueError as error:
            raise ValueError(f"sampling_parameters: {error}") from None


def text(inputs, name):
    try:
        return inputs.get(name, b"").decode()
    except UnicodeDecodeError:
        raise ValueError(f"{name} is not valid UTF-8") from None


class Answer:
    """What has been generated for a call. Each response carries what came since the one before."""

    def __init__(self, call):
        self.call = call
        self.stop = StopStrings(call.sampling.stop, call.sampling.include_stop)
        self.text = call.prompt if call.echo else ""
        self.scores = []
        self.cumulative = 0.0
        self.input_tokens = 0
        self.cached_tokens = 0
        self.output_tokens = 0
        self.told_tokens = 0
        self.finish_reason = None

    def add(self, chunk):
        """Takes a part of llama.cpp's answer; true if there is something to tell."""
        if "error" in chunk:
            raise ValueError(message(chunk["error"]))
        timings = chunk.get("timings")
        if "prompt_progress" in chunk or timings is None:
            return False
        choice = chunk["choices"][0]
        self.cached_tokens = timings["cache_n"]
        self.input_tokens = timings["cache_n"] + timings["prompt_n"]
        self.output_tokens = timings["predicted_n"]
        for token in (choice["logprobs"] or {}).get("content", []):
            self.scores.append(score(token, self.call.sampling.logprobs))
            self.cumulative += token["logprob"]
        self.text += self.stop.take(choice["text"])
        self.finish_reason = "stop" if self.stop.found else choice["finish_reason"]
        if self.finish_reason and not self.stop.found:
            self.text += self.stop.rest()
        return bool(self.text)

    def response(self):
        scored = self.call.sampling.logprobs is not None
        outputs = {
            "text_output": np.array([self.text.encode()], dtype=object),
            "finish_reason": np.array([str(self.finish_reason).encode()], dtype=object),
            "cumulative_logprob": np.array([self.cumulative if scored else math.nan], np.float32),
            "logprobs": np.array([json.dumps(self.scores if scored else None)], dtype=object),
            "num_input_tokens": np.array([self.input_tokens], np.uint32),
            "num_output_tokens": np.array([self.output_tokens - self.told_tokens], np.uint32),
        }
        self.text, self.scores, self.told_tokens = "", [], self.output_tokens
        return pb_utils.InferenceResponse(
            [
                pb_utils.Tensor(name, value)
                for name, value in outputs.items()
                if name in self.call.wanted
            ]
        )


def score(token, count):
    """One token in vLLM's form: itself first, then the likeliest. Its rank is known only if it is among them."""
    top = token["top_logprobs"]
    ranks = {entry["id"]: index + 1 for index, entry in enumerate(top)}
    return {
        str(entry["id"]): {
            "logprob": entry["logprob"],
            "rank": ranks.get(entry["id"]),
            "decoded_token": entry["token"],
        }
        for entry in [token, *top[:count]]
    }


def message(error):
    if error.get("type") == "exceed_context_size_error":
        return (
            f"The decoder prompt (length {error['n_prompt_tokens']}) is longer than the maximum model "
            f"length of {error['n_ctx']}. Make sure that `max_model_len` is no smaller than the number "
            "of text tokens."
        )
    said = error.get("message", "no reason given")
    if "grammar" in said:
        return f"sampling_parameters: Invalid grammar specification. llama.cpp: {said}"
    return f"llama.cpp: {said}"
