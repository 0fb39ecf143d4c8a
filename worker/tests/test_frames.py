"""Frames are the same bytes here and in the server (internal/ml/frame_test.go)."""

import array
import json
import random
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from unhidra_worker import frames
from unhidra_worker.packed import Packed, PackedError, pack, unpack

GOLDEN = Path(__file__).parents[2] / "internal" / "ml" / "testdata" / "frames.json"


def plain(value: Any) -> Any:
    """Return what JSON holds as frames carry it: {"bytes": hex} stands for bytes."""
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        if list(value) == ["bytes"]:
            return bytes.fromhex(value["bytes"])
        return {k: plain(v) for k, v in value.items()}
    return value


def through(data: bytes) -> frames.Message:
    """Return the message that a link reads from data."""
    here, there = socket.socketpair()
    with here, there:
        here.sendall(data)
        here.shutdown(socket.SHUT_WR)
        return frames.Link(there).receive()


@pytest.mark.parametrize("golden", json.loads(GOLDEN.read_text()), ids=lambda g: g["name"])
def test_golden_frames(golden: dict[str, Any]) -> None:
    message = frames.Message(
        golden["kind"], plain(golden["body"]), golden["id"], golden["budget_ms"]
    )
    data = frames.encode(message)
    assert data.hex() == golden["hex"]
    assert through(data) == message


def test_a_long_message_is_sent_in_chunks() -> None:
    data = frames.encode(frames.Message(frames.RESPONSE, b"x" * (frames.MAX_FRAME + 5), 3))
    assert data.count(b"ML\x01\x12") == 2
    with pytest.raises(frames.FrameError):
        frames.encode(frames.Message(frames.RESPONSE, b"x" * (frames.MAX_MESSAGE + 1)))


def test_messages_of_any_size_come_one_after_the_other() -> None:
    sizes = [0, 1, 1 << 14, 1 << 16, frames.MAX_FRAME, 7, 3 * frames.MAX_FRAME + 5, 1 << 15, 2]
    bodies = [{"a": bytes([i]) * size, "b": [size]} for i, size in enumerate(sizes)]
    here, there = socket.socketpair()
    with here, there:
        sender = frames.Link(here)
        thread = threading.Thread(
            target=lambda: [sender.send(frames.Message(frames.RESPONSE, b, 7)) for b in bodies]
        )
        thread.start()
        link = frames.Link(there)
        got = [link.receive() for _ in bodies]
        thread.join()
    assert [m.body for m in got] == bodies


def test_large_values_are_not_copied() -> None:
    value = bytes(1 << 20)
    assert any(part is value for part in Packed({"a": [value]}).parts)
    wide = memoryview(array.array("d", [1.5, 2.5]))
    assert unpack(pack(wide)) == wide.tobytes()


def test_tensors_are_packed_like_other_maps() -> None:
    for shape in ([3, 1], [3, 1], [True, 1], [], [1 << 40]):
        fields = [("name", "x"), ("datatype", "FP32"), ("shape", shape), ("data", b"abc")]
        tensor, other = dict(fields), dict(reversed(fields))
        assert pack(tensor) == pack(other)
        assert unpack(pack([tensor])) == [tensor]


@pytest.mark.parametrize("at,value", [(0, 88), (2, 2), (5, 4), (6, 2), (7, 28), (19, 1), (24, 255)])
def test_frames_that_are_none_are_refused(at: int, value: int) -> None:
    data = bytearray(frames.encode(frames.Message(frames.PING, None, 1)))
    data[at] = value
    with pytest.raises(frames.FrameError):
        through(bytes(data))


def test_whatever_comes_is_a_value_or_an_error() -> None:
    chance = random.Random(1)  # noqa: S311
    seeds = [
        frames.encode(frames.Message(1, plain(g["body"])))[32:]
        for g in json.loads(GOLDEN.read_text())
    ]
    for _ in range(5000):
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.randrange(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            value = unpack(bytes(data))
        except PackedError:
            continue
        assert pack(unpack(pack(value))) == pack(value)
