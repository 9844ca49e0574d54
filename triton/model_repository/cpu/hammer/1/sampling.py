"""The JSON of sampling_parameters, with vLLM's names and defaults, as llama.cpp wants it."""

import json
import math

from guided import guided_grammar

# vLLM's own limit on logprobs.
MOST_LOGPROBS = 20
# llama.cpp draws one by itself when it is given this.
RANDOM_SEED = 2**32 - 1


class Sampling:
    def __init__(self, text):
        try:
            given = json.loads(text)
        except ValueError as error:
            raise ValueError(f"not valid JSON: {error}") from None
        if not isinstance(given, dict):
            raise ValueError("must be a JSON object")
        for name, value in given.items():
            if name not in CHECKS:
                raise ValueError(
                    f"'{name}' is not supported by the CPU model; "
                    f"it takes {', '.join(CHECKS)}"
                )
            is_right, form = CHECKS[name]
            if not is_right(value):
                raise ValueError(f"{name} must be {form}, not {json.dumps(value)[:80]}")
        stop = given.get("stop") or []
        self.stop = [stop] if isinstance(stop, str) else stop
        self.include_stop = given.get("include_stop_str_in_output", False)
        self.logprobs = given.get("logprobs")
        self.lora_name = given.get("lora_name")
        self.body = engine_body(given)


def engine_body(given):
    max_tokens = given.get("max_tokens", 16)
    body = {
        # Without a limit the context is the limit.
        "max_tokens": -1 if max_tokens is None else max_tokens,
        "temperature": given.get("temperature", 1.0),
        "top_p": given.get("top_p", 1.0),
        # 0 is all of them.
        "top_k": max(given.get("top_k", 0), 0),
        "min_p": given.get("min_p", 0.0),
        "presence_penalty": given.get("presence_penalty", 0.0),
        "frequency_penalty": given.get("frequency_penalty", 0.0),
        "repeat_penalty": given.get("repetition_penalty", 1.0),
        # The penalties look at the whole text.
        "repeat_last_n": 2**16,
        # In vLLM's order, and none that it does not have.
        "samplers": ["penalties", "temperature", "min_p", "top_k", "top_p"],
        "ignore_eos": given.get("ignore_eos", False),
    }
    seed = given.get("seed")
    body["seed"] = RANDOM_SEED if seed is None else seed % RANDOM_SEED
    if given.get("logprobs") is not None:
        # One at least, to know whether the token that was taken was the likeliest.
        body["n_probs"] = max(given["logprobs"], 1)
    grammars = [
        guided_grammar(key, given[key])
        for key in ("structured_outputs", "guided_decoding")
        if given.get(key) is not None
    ]
    if len(grammars) > 1:
        raise ValueError("structured_outputs and guided_decoding are the same: give one of them")
    if grammars:
        body["grammar"] = grammars[0]
    return body


def is_number(value):
    return type(value) in (int, float) and math.isfinite(value)


def is_whole(value):
    return type(value) is int


def optional(check):
    is_right, form = check
    return (lambda value: value is None or is_right(value), f"{form}, or null")


def number(least, most):
    return (lambda value: is_number(value) and least <= value <= most, f"from {least} to {most}")


def only(allowed):
    return (lambda value: is_whole(value) and value == allowed, f"{allowed} on the CPU")


def is_stop(value):
    texts = value if isinstance(value, list) else [value]
    return all(isinstance(text, str) and text for text in texts)


BOOL = (lambda value: isinstance(value, bool), "true or false")
ANY = (lambda value: True, "anything")
CHECKS = {
    "max_tokens": optional((lambda value: is_whole(value) and value >= 1, "a whole number from 1")),
    "temperature": (lambda value: is_number(value) and value >= 0, "a number from 0"),
    "top_p": (lambda value: is_number(value) and 0 < value <= 1, "a number above 0, and at most 1"),
    "top_k": (lambda value: is_whole(value) and value >= -1, "a whole number from -1"),
    "min_p": number(0, 1),
    "seed": optional((is_whole, "a whole number")),
    "stop": optional((is_stop, "a text or a list of texts, none of them empty")),
    "include_stop_str_in_output": BOOL,
    "ignore_eos": BOOL,
    "presence_penalty": number(-2, 2),
    "frequency_penalty": number(-2, 2),
    "repetition_penalty": (lambda value: is_number(value) and value > 0, "a number above 0"),
    "logprobs": optional(
        (
            lambda value: is_whole(value) and 0 <= value <= MOST_LOGPROBS,
            f"a whole number from 0 to {MOST_LOGPROBS}",
        )
    ),
    "n": only(1),
    "min_tokens": only(0),
    "lora_name": optional((lambda value: isinstance(value, str) and value, "the name of an adapter")),
    # Looked at by guided_grammar.
    "structured_outputs": ANY,
    "guided_decoding": ANY,
}
