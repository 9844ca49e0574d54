"""What the model answers: `script` inside the JSON of sampling_parameters, each part optional.

tokens         list of strings; without it, the words of the prompt over and over
first_ms       delay before the first token
every_ms       delay before each further one
error          {"after": n, "message": "..."}: fails after n tokens
malformed      n: the response after n tokens is not UTF-8
hang           n: says nothing more after n tokens; can still be cancelled
kill           n: the process kills itself after n tokens
always_stream  true: answers token by token though `stream` is false
"""

import itertools

DEFAULT_MAX_TOKENS = 16
PARTS = "tokens first_ms every_ms error malformed hang kill always_stream".split()


class Script:
    def __init__(self, prompt, parameters):
        script = parameters.get("script", {})
        unknown = set(script) - set(PARTS)
        if unknown:
            raise ValueError(f"script has no part {', '.join(sorted(unknown))}")
        words = prompt.split() or ["nothing"]
        tokens = script.get("tokens") or (f" {word}" for word in itertools.cycle(words))
        limit = parameters.get("max_tokens", DEFAULT_MAX_TOKENS)
        self.tokens = list(itertools.islice(tokens, limit))
        # Cut off where there would have been more; an endless answer always has more.
        more = len(script["tokens"]) > limit if script.get("tokens") else True
        self.finish_reason = "length" if more else "stop"
        self.first_s = script.get("first_ms", 0) / 1000
        self.every_s = script.get("every_ms", 0) / 1000
        self.error = script.get("error")
        self.malformed = script.get("malformed")
        self.hang = script.get("hang")
        self.kill = script.get("kill")
        self.always_stream = script.get("always_stream", False)
