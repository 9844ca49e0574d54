"""llama.cpp's own HTTP server, as the wheel xllamacpp has it. Its one argument is JSON: see llama-server.ts."""

import json
import os
import signal
import sys

import xllamacpp

options = json.loads(sys.argv[1])
params = xllamacpp.CommonParams()
params.model.path = options["weights"]
adapter = xllamacpp.CommonAdapterLoraInfo()
adapter.path = options["adapter"]
adapter.scale = 1.0
params.lora_adapters = [adapter]
# It is shared by the slots.
params.n_ctx = options["context"] * options["slots"]
params.n_parallel = options["slots"]
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
params.warmup = False
params.port = options["port"]
if options.get("apiKey"):
    params.api_keys = [options["apiKey"]]
server = xllamacpp.Server(params)
print(f"serving {server.listening_address}", flush=True)
signal.sigwait({signal.SIGTERM})
# Its threads would keep the process.
os._exit(0)
