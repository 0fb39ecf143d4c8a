"""Asks the model shout as tritonclient does, by HTTP and by gRPC: triton_client.py HOST:PORT KEY."""

import queue
import sys

import numpy
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import InferenceServerException

at, key = sys.argv[1:]
said = numpy.array(["hello", "ß", ""], dtype=object)
with_key = {"authorization": "Bearer " + key}


def refused(call, *args, **more):
    """Returns how a call was refused."""
    try:
        call(*args, **more)
    except InferenceServerException as e:
        return str(e)
    raise AssertionError("it was not refused")


def try_all(library, client, *, ways):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("shout")
    assert client.is_model_ready("shout", "1")
    for data, output in ways:
        given = library.InferInput("text", [3], "BYTES")
        given.set_data_from_numpy(said, **data)
        outputs = None if output is None else [library.InferRequestedOutput("loud", **output)]
        answer = client.infer("shout", [given], request_id="q1", outputs=outputs, timeout=20_000_000, priority=1)
        loud = [text.decode() if isinstance(text, bytes) else text for text in answer.as_numpy("loud")]
        assert loud == ["HELLO", "SS", ""], loud
    wrong = library.InferInput("text", [1], "FP32")
    wrong.set_data_from_numpy(numpy.array([1], dtype="float32"))
    assert "FP32" in refused(client.infer, "shout", [wrong])
    assert "no model" in refused(client.infer, "nobody", [given])
    assert "server's key" in refused(client.unload_model, "shout")
    client.unload_model("shout", headers=with_key)
    assert "unloaded" in refused(client.infer, "shout", [given])
    client.load_model("shout", headers=with_key)


http = tritonclient.http.InferenceServerClient(at)
assert http.get_server_metadata()["name"] == "unhidra"
assert http.get_model_metadata("shout")["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
assert http.get_model_repository_index()[0]["state"] == "READY"
yes, no = {"binary_data": True}, {"binary_data": False}
try_all(tritonclient.http, http, ways=[(yes, yes), (yes, no), (no, yes), (no, no), (yes, None)])
while not http.is_model_ready("shout"):
    pass  # it is loaded again

grpc = tritonclient.grpc.InferenceServerClient(at)
assert grpc.get_server_metadata().name == "unhidra"
assert grpc.get_model_metadata("shout").inputs[0].datatype == "BYTES"
assert grpc.get_model_repository_index().models[0].state == "READY"
try_all(tritonclient.grpc, grpc, ways=[({}, {}), ({}, None)])
while not grpc.is_model_ready("shout"):
    pass

# A stream: each request is answered by one response or more, and the last says so to who asks for that.
heard = queue.Queue()
grpc.start_stream(callback=lambda result, error: heard.put((result, error)))
spell = tritonclient.grpc.InferInput("text_input", [1], "BYTES")
spell.set_data_from_numpy(numpy.array(["hey"], dtype=object))
grpc.async_stream_infer("spell", [spell], request_id="s1", enable_empty_final_response=True)
wrong = tritonclient.grpc.InferInput("text", [3], "BYTES")
wrong.set_data_from_numpy(said)
grpc.async_stream_infer("spell", [wrong], request_id="s2")
letters = []
while True:
    result, error = heard.get(timeout=60)
    assert error is None, error
    response = result.get_response()
    assert response.id == "s1", response
    if response.parameters["triton_final_response"].bool_param:
        break
    letters.append(result.as_numpy("text_output")[0].decode())
assert letters == ["h", "e", "y"], letters
result, error = heard.get(timeout=60)
assert "text" in str(error), (result, error)
grpc.stop_stream()
