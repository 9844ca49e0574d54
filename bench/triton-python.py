"""Python's tritonclient (grpc.aio) as bench/triton.ts compares it: asked by lines on stdin, answers on stdout.

Each line is {"calls", "inFlight"}; the answer {"seconds", "cpuSeconds"}. The argument is the server's host:port.
"""

import asyncio
import json
import sys
import time

import numpy as np
import tritonclient.grpc.aio as triton

VALUES = np.arange(16, dtype=np.float32)


async def call(client):
    tensor = triton.InferInput("INPUT0", [16], "FP32")
    tensor.set_data_from_numpy(VALUES)
    answer = await client.infer("identity", [tensor])
    if len(answer.as_numpy("OUTPUT0")) != len(VALUES):
        raise RuntimeError("the answer is not the question")


async def run(client, calls, in_flight):
    left = iter(range(calls))

    async def worker():
        for _ in left:
            await call(client)

    await asyncio.gather(*(worker() for _ in range(in_flight)))


async def main(address):
    loop = asyncio.get_running_loop()
    async with triton.InferenceServerClient(address) as client:
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            work = json.loads(line)
            start, cpu = time.perf_counter(), time.process_time()
            await run(client, work["calls"], work["inFlight"])
            took = {
                "seconds": time.perf_counter() - start,
                "cpuSeconds": time.process_time() - cpu,
            }
            print(json.dumps(took), flush=True)


asyncio.run(main(sys.argv[1]))
