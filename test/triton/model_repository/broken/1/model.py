import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        return [pb_utils.InferenceResponse(error=error(request)) for request in requests]


def error(request):
    message = text(request, "MESSAGE")
    code = text(request, "CODE") or "INTERNAL"
    if code == "EXCEPTION":
        raise RuntimeError(message)
    return pb_utils.TritonError(message, getattr(pb_utils.TritonError, code))


def text(request, name):
    tensor = pb_utils.get_input_tensor_by_name(request, name)
    return tensor and tensor.as_numpy()[0].decode()
