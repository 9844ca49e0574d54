"""What the model answers, by its prompt: the text behind the last "Answer with ", up to the end of the line.

The answers to a run's turns are separated by " >> ". A prompt without tools asks for words to the turn that it comes behind,
and gets the next one. Several answers to one turn are separated by " || ": the second one is given when the first was
refused, and so on. One that ends in "…" repeats what stands before it without end. Where there are fewer than are asked
for, the last one is given again. A prompt that asks for nothing is answered with "[]".
"""

import itertools
import json
import re

ASKED = re.compile(r"Answer with (.+?)\s*(?:<\|im_end\|>|\n|$)")
REFUSED = "Your last answer cannot be used."
OWN_TURN = "<|im_start|>assistant\n"
TOOLS = "AVAILABLE TOOLS"
CHARACTERS = 4
DEFAULT_MAX_TOKENS = 16
KINDS = {"json", "regex", "choice", "grammar", "json_object", "structural_tag"}


class Answer:
    """As the vLLM backend, a token here being four characters."""

    def __init__(self, prompt, sampling_parameters, context, loras):
        parameters = json.loads(sampling_parameters)
        lora = parameters.get("lora_name")
        if lora is not None and lora not in loras:
            raise Refusal(f"LoRA {lora} is not supported, we currently support {loras}")
        check_guide(parameters)
        self.input_tokens = len(tokenize(prompt))
        if self.input_tokens > context:
            raise ValueError(
                f"The decoder prompt (length {self.input_tokens}) is longer than the maximum model length of "
                f"{context}. Make sure that `max_model_len` is no smaller than the number of text tokens."
            )
        tokens = asked_for(prompt)
        limit = min(parameters.get("max_tokens", DEFAULT_MAX_TOKENS), context - self.input_tokens)
        self.tokens = list(itertools.islice(tokens, limit))
        self.finish_reason = "stop" if next(tokens, None) is None else "length"
        self.with_logprobs = parameters.get("logprobs") is not None


class Refusal(Exception):
    """An error whose text the backend sends as it is."""


def check_guide(parameters):
    guides = [parameters[key] for key in ("structured_outputs", "guided_decoding") if key in parameters]
    if len(guides) > 1 or any(len(KINDS & set(json.loads(guide))) != 1 for guide in guides):
        raise Refusal("Error generating stream: 'NoneType' object has no attribute 'lora_name'")


def asked_for(prompt):
    asked = ASKED.findall(prompt)
    turns = asked[-1].split(" >> ") if asked else ["[]"]
    refusals = prompt.count(REFUSED)
    # The last of its turns is open, for this answer.
    turn = prompt.count(OWN_TURN) - 1 - refusals + (TOOLS not in prompt)
    text = at_most(at_most(turns, turn).split(" || "), refusals)
    if text.endswith("…"):
        return itertools.cycle(tokenize(text[:-1]))
    return iter(tokenize(text))


def at_most(items, index):
    return items[min(index, len(items) - 1)]


def tokenize(text):
    return [text[at : at + CHARACTERS] for at in range(0, len(text), CHARACTERS)]
