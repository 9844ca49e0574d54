"""Guided decoding: one of vLLM's kinds, as a grammar of llama.cpp.

llama.cpp ignores a schema or a regular expression that it cannot take, so these are checked before.
"""

import json

from llguidance import LLMatcher

KINDS = ["json", "regex", "choice", "grammar", "json_object"]
# llama.cpp reads them by recursion, and would overrun its stack at some ten thousand.
DEEPEST_GRAMMAR = 500
# A small model that may choose its own blanks writes them without end.
JSON_STYLE = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}


def guided_grammar(key, value):
    """`key` is the sampling parameter's name, for errors; `value` an object, or the text of one in JSON."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise ValueError(f"{key} is not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise ValueError(f"{key} must be an object, or a string with one in JSON")
    given = {kind: part for kind, part in value.items() if part not in (None, False)}
    if "structural_tag" in given:
        raise ValueError(f"{key}: structural_tag is not supported by the CPU model")
    unknown = [kind for kind in given if kind not in KINDS]
    if unknown:
        raise ValueError(f"{key}: unknown kind '{unknown[0]}'; it may be one of {', '.join(KINDS)}")
    if len(given) != 1:
        found = " and ".join(given) or "none"
        raise ValueError(f"{key} must have exactly one of {', '.join(KINDS)}, but has {found}")
    [(kind, part)] = given.items()
    try:
        return GRAMMARS[kind](part)
    except ValueError as error:
        raise ValueError(f"{key}: {kind}: {error}") from None


def of_json(schema):
    if isinstance(schema, str):
        schema = json.loads(schema)
    if not isinstance(schema, dict):
        raise ValueError("must be a JSON Schema: an object, or a string with one in JSON")
    return checked(f"start: %json {json.dumps({**schema, 'x-guidance': JSON_STYLE})}")


def of_json_object(value):
    if value is not True:
        raise ValueError("must be true")
    return of_json({"type": "object"})


def of_regex(regex):
    if not isinstance(regex, str) or not regex:
        raise ValueError("must be a regular expression")
    body = json.loads(LLMatcher.grammar_from_regex(regex))["grammars"][0]["lark_grammar"]
    return checked(body)


def of_choice(choices):
    if not isinstance(choices, list) or not all(isinstance(text, str) and text for text in choices):
        raise ValueError("must be a list of texts, none of them empty")
    if not choices:
        raise ValueError("must have at least one text")
    return checked("start: " + " | ".join(json.dumps(text) for text in choices))


def of_grammar(grammar):
    if not isinstance(grammar, str) or "::=" not in grammar:
        raise ValueError("must be a grammar in GBNF, whose rule `root` is the answer")
    if deepest(grammar) > DEEPEST_GRAMMAR:
        raise ValueError(f"its parentheses are nested more than {DEEPEST_GRAMMAR} deep")
    return grammar


def deepest(grammar):
    """A rough count, which takes parentheses in texts for those of the grammar."""
    depth = most = 0
    for character in grammar:
        if character == "(":
            depth += 1
            most = max(most, depth)
        elif character == ")":
            depth -= 1
    return most


GRAMMARS = {
    "json": of_json,
    "regex": of_regex,
    "choice": of_choice,
    "grammar": of_grammar,
    "json_object": of_json_object,
}


def checked(rules):
    grammar = f"%llguidance {{}}\n{rules}"
    fault = LLMatcher.validate_grammar(grammar)
    if fault:
        # Its further lines show the place.
        raise ValueError(fault.strip().splitlines()[0])
    return grammar
