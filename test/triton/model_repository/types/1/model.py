import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        return [
            pb_utils.InferenceResponse([output(tensor) for tensor in request.inputs()])
            for request in requests
        ]


def output(tensor):
    name = f"OUT_{tensor.name()}"
    if tensor.name() == "BYTES":
        return pb_utils.Tensor(name, tensor.as_numpy())
    # numpy has no BF16: DLPack hands the memory on without looking at it.
    return pb_utils.Tensor.from_dlpack(name, tensor.to_dlpack())
