"""A model is asked batch by batch, and one bad input does not spoil the others."""

import socket
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from unhidra_worker import Context, Model, ModelError, Tensor, frames
from unhidra_worker.model import Inputs, Outputs
from unhidra_worker.packed import pack, unpack
from unhidra_worker.serve import answer, fitting, load
from unhidra_worker.streaming import Flow, stream


class Halves(Model):
    """Halves even numbers, and refuses a batch with others."""

    def predict(self, batch: Sequence[Inputs], context: Context) -> Sequence[Outputs]:
        out = []
        for inputs in batch:
            numbers = inputs["x"].numbers()
            if any(n % 2 for n in numbers):
                raise ModelError("odd")
            out.append({"y": Tensor.numbers_of([n // 2 for n in numbers], "INT64")})
        return out


def item(*numbers: int) -> list[dict[str, object]]:
    t = Tensor.numbers_of(numbers, "INT64")
    return [{"name": "x", "datatype": t.datatype, "shape": list(t.shape), "data": t.data}]


def test_one_bad_input_does_not_spoil_the_others() -> None:
    got = answer(Halves(Path()), [item(2, 4), item(3), item(6)], Context(1000))
    assert [list(g) for g in got] == [["outputs"], ["error"], ["outputs"]]
    assert got[1]["error"] == {"code": "input", "message": "odd"}
    assert Tensor("INT64", (2,), got[0]["outputs"][0]["data"]).numbers() == [1, 2]


def test_texts_and_numbers() -> None:
    assert Tensor.texts_of(["", "ü", "日本"]).texts() == ["", "ü", "日本"]
    assert Tensor.numbers_of([1.5, -2], shape=(1, 2)).numbers() == [1.5, -2]
    with pytest.raises(ValueError, match="do not fill"):
        Tensor.numbers_of([1, 2, 3], shape=(2, 2))


def test_a_class_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other_model.py").write_text("class Other:\n    pass\n")
    with pytest.raises(TypeError, match="does not derive"):
        load(tmp_path, "other_model:Other")


def test_answers_that_one_message_has_no_room_for_are_errors() -> None:
    items = [{"outputs": [{"data": bytes(n)}]} for n in (40, 90, 30, 200)]
    got = unpack(pack(fitting(items, 150)))["items"]
    assert [g["error"]["code"] if "error" in g else "" for g in got] == ["", "room", "", "room"]
    assert unpack(pack(fitting(items)))["items"] == items


class Counts(Model):
    """Counts in chunks, and keeps how far it came."""

    def load(self) -> None:
        self.ended: list[str] = []

    def stream(self, inputs: Inputs, context: Context) -> Iterator[Outputs]:
        """Count to x; -1 is a mistake, -2 has no end."""
        n = 0
        try:
            (most,) = inputs["x"].numbers()
            if most == -1:
                raise ModelError("there is nothing to count")
            while n != most:
                n += 1
                yield {"y": Tensor.numbers_of([n], "INT64")}
        finally:
            self.ended.append(f"{n} {context.cancelled()}")


def ask(
    model: Model, x: int, credit: int, flow: Flow, until: int = 1 << 30
) -> tuple[list[int], dict[str, Any]]:
    """Return the chunks of an answer and its end. The server cancels when it has so many."""
    here, there = socket.socketpair()
    body = {"inputs": item(x), "parameters": {}, "credit": credit}
    request = frames.Message(frames.STREAM, body, 5)
    with here, there:
        thread = threading.Thread(target=stream, args=(model, request, frames.Link(there), flow))
        thread.start()
        link, got = frames.Link(here), []
        while (message := link.receive()).kind == frames.CHUNK:
            (tensor,) = message.body["outputs"]
            got += Tensor("INT64", (1,), tensor["data"]).numbers()
            kind = frames.CREDIT if len(got) < until else frames.CANCEL
            flow.told(frames.Message(kind, {"chunks": 1}, message.id))
        thread.join()
    assert message.kind == frames.RESPONSE
    return got, message.body


def counts() -> Counts:
    model = Counts(Path())
    model.load()
    return model


def test_a_stream_is_sent_in_chunks() -> None:
    model = counts()
    assert ask(model, 20, 3, Flow()) == (list(range(1, 21)), {})
    assert ask(model, -1, 3, Flow())[1] == {
        "error": {"code": "input", "message": "there is nothing to count"}
    }
    assert model.ended == ["20 False", "0 False"]
    assert ask(Halves(Path()), 4, 3, Flow()) == ([2], {})  # predict alone: one chunk


def test_a_stream_that_is_cancelled_is_closed() -> None:
    model, flow = counts(), Flow()
    got, end = ask(model, -2, 1, flow, until=7)
    assert (got, end) == (list(range(1, 8)), {})
    assert model.ended == ["8 True"]
    model = counts()
    early = Flow()
    early.told(frames.Message(frames.CANCEL, None, 5))  # before the request itself is read
    assert ask(model, -2, 1, early) == ([], {})
    assert model.ended == ["1 True"]


def test_a_chunk_has_a_bound() -> None:
    class Long(Model):
        def stream(self, inputs: Inputs, context: Context) -> Iterator[Outputs]:
            yield {"y": Tensor.texts_of(["x" * frames.MAX_CHUNK])}

    end = ask(Long(Path()), 1, 1, Flow())[1]
    assert "a chunk of more than" in end["error"]["message"]


def test_a_model_answers_in_one_way_at_least(tmp_path: Path) -> None:
    text = "from unhidra_worker import Model\n\n\nclass Idle(Model):\n    pass\n"
    (tmp_path / "idle_model.py").write_text(text)
    with pytest.raises(TypeError, match="neither predict nor stream"):
        load(tmp_path, "idle_model:Idle")
