import secrets

import xllamacpp

from settings import SettingsError

# How many tokens of a prompt are computed at a time, and so how long a cancelled request goes on at most.
BATCH = 64


class Engine:
    """llama.cpp's server in this process: `slots` requests at once, prompts computed once."""

    def __init__(self, settings):
        params = xllamacpp.CommonParams()
        params.model.path = settings.model
        # One context is shared out to the slots.
        params.n_ctx = settings.context * settings.slots
        params.n_parallel = settings.slots
        params.cpuparams.n_threads = settings.threads
        params.cpuparams_batch.n_threads = settings.threads
        params.n_batch = params.n_ubatch = max(BATCH, settings.slots)
        # It would take a prompt that was computed with one adapter for the same with another.
        params.cache_ram_mib = 0 if settings.loras else settings.cache_mib
        params.warmup = False
        params.verbosity = -1
        # It serves HTTP on a port of the loopback interface too; that is nobody's way in.
        params.api_keys = [secrets.token_hex()]
        params.ui = params.endpoint_slots = False
        files = [*filter(None, [settings.adapter]), *settings.loras.values()]
        params.lora_adapters = [adapter(path) for path in files]
        self.names = [*([None] if settings.adapter else []), *settings.loras]
        try:
            self.server = xllamacpp.Server(params)
        except Exception:
            # It gives no reason.
            names = " with ".join([settings.model, *files])
            raise SettingsError(
                f"llama.cpp cannot load {names}: a file is damaged or no model, an adapter belongs to "
                "another model, or there is not enough memory"
            ) from None

    def complete(self, body, lora_name, on_chunk):
        """Blocks until the answer has ended; `on_chunk` gets its parts, and ends it by returning True."""
        lora = [
            {"id": index, "scale": 1.0 if name == lora_name else 0.0}
            for index, name in enumerate(self.names)
        ]
        streamed = {"stream": True, "timings_per_token": True, "return_progress": True}
        self.server.handle_completions({**body, **streamed, "lora": lora}, on_chunk)


def adapter(path):
    info = xllamacpp.CommonAdapterLoraInfo()
    info.path = path
    info.scale = 1.0
    return info
