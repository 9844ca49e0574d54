"""Asks a Triton through tritonclient what stdin says, as JSON, and writes to stdout what it sent and what came back.

{"grpc": "host:port", "http": "http://host:port", "requests": [...], "streams": [...]}, see interop.spec.ts. Tensors go both
ways as their bytes on the wire, in base64; in between they are numpy's.
"""

import base64
import json
import queue
import sys
import urllib.request
from unittest.mock import MagicMock

import numpy as np

# What the HTTP client of tritonclient needs for its sockets. Only what makes and reads its messages is used here.
for name in ["gevent", "gevent.pool", "gevent.ssl", "geventhttpclient", "geventhttpclient.url"]:
    sys.modules[name] = MagicMock()

import tritonclient.grpc as grpc_client
import tritonclient.http as http_client
from tritonclient.grpc._utils import _get_inference_request
from tritonclient.utils import (
    deserialize_bytes_tensor,
    serialize_bf16_tensor,
    serialize_byte_tensor,
    triton_to_np_dtype,
)


def main():
    asked = json.load(sys.stdin)
    with grpc_client.InferenceServerClient(asked["grpc"]) as client:
        answers = {
            "requests": [
                {"grpc": over_grpc(client, request), "http": over_http(asked["http"], request)}
                for request in asked["requests"]
            ],
            "streams": [stream(client, request) for request in asked["streams"]],
        }
    json.dump(answers, sys.stdout)


def over_grpc(client, request):
    arguments = arguments_of(grpc_client, request)
    message = _get_inference_request(
        **{"sequence_id": 0, "sequence_start": False, "sequence_end": False, **arguments}
    )
    answer = client.infer(**arguments)
    return {
        "sent": text(message.SerializeToString(deterministic=True)),
        "answer": plain(answer, answer.get_response(as_json=True)),
    }


def over_http(url, request):
    arguments = arguments_of(http_client, request)
    model, version = arguments.pop("model_name"), arguments.pop("model_version")
    make_body = http_client.InferenceServerClient.generate_request_body
    body, json_size = make_body(**arguments)
    path = f"/v2/models/{model}{version and f'/versions/{version}'}/infer"
    headers = {"Inference-Header-Content-Length": str(json_size)}
    with urllib.request.urlopen(urllib.request.Request(url + path, body, headers)) as response:
        size = response.headers.get("Inference-Header-Content-Length")
        result = http_client.InferResult.from_response_body(
            response.read(), header_length=size and int(size)
        )
    return {
        "path": path,
        "json": json.loads(body[:json_size]),
        "binary": text(body[json_size:]),
        "answer": plain(result, result.get_response()),
    }


def stream(client, request):
    arguments = arguments_of(grpc_client, request)
    answers = queue.Queue()
    client.start_stream(lambda result, error: answers.put((result, error)))
    client.async_stream_infer(**arguments)
    seen = []
    while True:
        result, error = answers.get()
        if error is not None:
            seen.append({"error": error.message()})
            break
        answer = result.get_response(as_json=True)
        seen.append(plain(result, answer))
        if answer["parameters"]["triton_final_response"]["bool_param"]:
            break
    client.stop_stream()
    return seen


def arguments_of(package, request):
    """As both clients of tritonclient take them; `package` is one of them."""
    inputs = [input_of(package, given) for given in request["inputs"]]
    outputs = [
        package.InferRequestedOutput(output["name"], class_count=output.get("classification", 0))
        for output in request.get("outputs", [])
    ]
    return {
        "model_name": request["model"],
        "inputs": inputs,
        "model_version": request.get("version", ""),
        "request_id": request.get("id", ""),
        "outputs": outputs or None,
        "priority": request.get("priority", 0),
        "timeout": request.get("timeout"),
        "parameters": request.get("parameters"),
    }


def input_of(package, given):
    raw = base64.b64decode(given["raw"])
    tensor = package.InferInput(given["name"], given["shape"], given["datatype"])
    tensor.set_data_from_numpy(array(given["datatype"], raw).reshape(given["shape"]))
    return tensor


def array(datatype, raw):
    if datatype == "BYTES":
        return deserialize_bytes_tensor(raw)
    if datatype == "BF16":
        # numpy has none: tritonclient takes the upper halves of float32.
        return (np.frombuffer(raw, np.uint16).astype(np.uint32) << 16).view(np.float32)
    return np.frombuffer(raw, triton_to_np_dtype(datatype))


def plain(result, answer):
    return {
        "model": answer["model_name"],
        "version": answer["model_version"],
        "id": answer.get("id", ""),
        "outputs": {
            output["name"]: {
                "datatype": output["datatype"],
                "shape": [int(size) for size in output.get("shape", [])],
                "raw": text(wire_bytes(output["datatype"], result.as_numpy(output["name"]))),
            }
            for output in answer["outputs"]
        },
    }


def wire_bytes(datatype, values):
    if datatype == "BYTES":
        return serialize_byte_tensor(values).item()
    if datatype == "BF16":
        return serialize_bf16_tensor(values).item()
    return values.tobytes()


def text(raw):
    return base64.b64encode(raw).decode()


main()
