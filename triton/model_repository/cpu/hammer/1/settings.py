import json
import os
import re

"""What model.json may say, and what is taken where it does not."""
DEFAULTS = {
    # A GGUF file.
    "model": None,
    # A LoRA adapter (GGUF) that belongs to the model: it is used unless a request names another.
    "adapter": None,
    # How many requests are answered at once.
    "slots": 2,
    # More than one is slower where others use the processor too.
    "threads": 1,
    # Tokens that the prompt and the answer of one request may take together.
    "context": 4096,
    # Memory for the computed prompts of earlier requests; 0 for none.
    "cache_mib": 256,
}
LEAST = {"slots": 1, "threads": 1, "context": 256, "cache_mib": 0}
GGUF = b"GGUF"


class SettingsError(Exception):
    """Says what is wrong with the model's files, and how to mend it."""


class Settings:
    """Reads model.json, and multi_lora.json where it is, from the folder of the model's version."""

    def __init__(self, folder):
        given = read_json(folder, "model.json")
        for key in given:
            if key not in DEFAULTS:
                raise SettingsError(f"model.json: unknown key '{key}'; it may have {', '.join(DEFAULTS)}")
        values = {**DEFAULTS, **given}
        for key, least in LEAST.items():
            value = values[key]
            if type(value) is not int or value < least:
                raise SettingsError(
                    f"model.json: '{key}' must be a whole number from {least}, not {json.dumps(value)}"
                )
        if values["model"] is None:
            raise SettingsError("model.json: 'model' is missing: the path of a GGUF file")
        self.model = gguf_path(folder, "model.json: 'model'", values["model"])
        adapter = values["adapter"]
        self.adapter = adapter and gguf_path(folder, "model.json: 'adapter'", adapter)
        self.slots = values["slots"]
        self.threads = values["threads"]
        self.context = values["context"]
        self.cache_mib = values["cache_mib"]
        # By name; in this order the engine knows them.
        self.loras = {}
        if os.path.exists(os.path.join(folder, "multi_lora.json")):
            loras = read_json(folder, "multi_lora.json")
            for name, path in loras.items():
                self.loras[name] = gguf_path(folder, f"multi_lora.json: '{name}'", path)


def read_json(folder, name):
    file = os.path.join(folder, name)
    try:
        with open(file, encoding="utf-8") as stream:
            value = json.load(stream)
    except OSError as error:
        raise SettingsError(f"cannot read {file}: {error.strerror}") from None
    except ValueError as error:
        raise SettingsError(f"{name} is not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise SettingsError(f"{name} must be a JSON object")
    return value


def gguf_path(folder, what, text):
    """Puts environment variables in; a relative path starts at the folder of model.json."""
    if not isinstance(text, str):
        raise SettingsError(f"{what} must be the path of a GGUF file, not {json.dumps(text)}")
    expanded = os.path.expandvars(text)
    unset = re.search(r"\$\{?\w+", expanded)
    if unset:
        raise SettingsError(f"{what} names the environment variable {unset[0]}, which is not set")
    path = os.path.join(folder, expanded)
    try:
        with open(path, "rb") as file:
            magic = file.read(len(GGUF))
    except OSError as error:
        raise SettingsError(
            f"{what} names {path}, which cannot be read ({error.strerror}): put the file there, "
            "or name another. `npm run triton` fetches the default model"
        ) from None
    if magic != GGUF:
        raise SettingsError(f"{what} names {path}, which is not a GGUF file")
    return path
