"""Frames between server and worker; internal/ml/frame.go says what each byte means."""

import socket
import struct
import threading
from dataclasses import dataclass
from typing import Any

from unhidra_worker.packed import pack, unpack

HEADER = struct.Struct(">2sBBHBBQIIII")
MAX_FRAME = 1 << 20
MAX_MESSAGE = 16 << 20
MAX_CHUNK = 256 << 10  # of the answer of a stream

HELLO, HELLO_ACK, PING, PONG = 0x01, 0x02, 0x03, 0x04
REQUEST, RESPONSE, ERROR = 0x10, 0x12, 0x14
STREAM, CHUNK, CANCEL, CREDIT = 0x11, 0x13, 0x15, 0x16
LOAD, LOADED = 0x20, 0x21
END = 1


class FrameError(ValueError):
    """The server sent what is no frame: the connection is of no use any more."""


@dataclass(frozen=True)
class Message:
    """What one or several frames carry."""

    kind: int
    body: Any
    id: int = 0
    budget_ms: int = 0


def encode(message: Message) -> bytes:
    """Return the frames of a message."""
    payload = pack(message.body)
    if len(payload) > MAX_MESSAGE:
        raise FrameError(f"a message of {len(payload)} bytes; at most {MAX_MESSAGE} are sent")
    most = MAX_FRAME - HEADER.size
    out = bytearray()
    for chunk, start in enumerate(range(0, max(len(payload), 1), most)):
        part = payload[start : start + most]
        flags = END if start + most >= len(payload) else 0
        out += HEADER.pack(
            b"ML", 1, message.kind, flags, 1, 0, message.id, chunk, message.budget_ms, len(part), 0
        )
        out += part
    return bytes(out)


class Link:
    """One of the two sockets to the server. Any thread may send; one receives."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lock = threading.Lock()

    def send(self, message: Message) -> None:
        """Send a whole message."""
        data = encode(message)
        with self._lock:
            self._sock.sendall(data)

    def receive(self) -> Message:
        """Wait for a message. EOFError: the server has gone."""
        payload = bytearray()
        kind = request = budget = chunk = 0
        while True:
            head = HEADER.unpack(self._exactly(HEADER.size))
            magic, version, this, flags, codec, extension, number, seq, budget, size, plain = head
            if magic != b"ML" or version != 1 or flags & ~END or codec != 1 or extension or plain:
                raise FrameError("a header of another kind")
            if seq != chunk or (chunk and (this, number) != (kind, request)):
                raise FrameError("a chunk out of order")
            if size > MAX_FRAME - HEADER.size or len(payload) + size > MAX_MESSAGE:
                raise FrameError("too long")
            if size == 0 and not flags & END:
                raise FrameError("an empty chunk")
            kind, request, chunk = this, number, chunk + 1
            payload += self._exactly(size)
            if flags & END:
                return Message(kind, unpack(memoryview(payload)), request, budget)

    def _exactly(self, size: int) -> bytearray:
        data = bytearray(size)
        view = memoryview(data)
        while view:
            n = self._sock.recv_into(view)
            if n == 0:
                raise EOFError
            view = view[n:]
        return data
