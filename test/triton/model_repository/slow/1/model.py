import json
import os
import time

import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        return [self.wait(request) for request in requests]

    def wait(self, request):
        tensor = pb_utils.get_input_tensor_by_name(request, "MS")
        ms = int(tensor.as_numpy().flat[0])
        observe("started", request)
        until = time.monotonic() + ms / 1000
        while (left := until - time.monotonic()) > 0:
            if request.is_cancelled():
                observe("cancelled", request)
                error = pb_utils.TritonError("cancelled", pb_utils.TritonError.CANCELLED)
                return pb_utils.InferenceResponse(error=error)
            time.sleep(min(left, 0.01))
        observe("finished", request)
        return pb_utils.InferenceResponse([pb_utils.Tensor("WAITED", np.array([[ms]], np.int32))])


def observe(event, request):
    """Writes what happened to the file that HAMMERLINE_OBSERVATIONS names: a test can await it."""
    file = os.environ.get("HAMMERLINE_OBSERVATIONS")
    if not file:
        return
    line = {"model": "slow", "event": event, "id": request.request_id()}
    line["parameters"] = json.loads(request.parameters() or "{}")
    with open(file, "a") as out:
        out.write(json.dumps(line) + "\n")
