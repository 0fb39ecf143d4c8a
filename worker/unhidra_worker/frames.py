"""Frames between server and worker; internal/ml/frame.go says what each byte means."""

import socket
import struct
import threading
from typing import Any, NamedTuple

from unhidra_worker.packed import Packed, unpack

HEADER = struct.Struct(">2sBBHBBQIIII")
MAX_FRAME = 1 << 20
MAX_MESSAGE = 16 << 20
MAX_CHUNK = 256 << 10  # of the answer of a stream

HELLO, HELLO_ACK, PING, PONG = 0x01, 0x02, 0x03, 0x04
REQUEST, RESPONSE, ERROR = 0x10, 0x12, 0x14
STREAM, CHUNK, CANCEL, CREDIT = 0x11, 0x13, 0x15, 0x16
LOAD, LOADED = 0x20, 0x21
END = 1

_MOST = MAX_FRAME - HEADER.size
_SMALL = 1 << 16  # bytes that are faster copied than handled in parts
_PARTS = 512  # of a call of the system, which takes 1024 at most


class FrameError(ValueError):
    """The server sent what is no frame: the connection is of no use any more."""


class Message(NamedTuple):
    """What one or several frames carry."""

    kind: int
    body: Any
    id: int = 0
    budget_ms: int = 0


Buffer = bytes | bytearray | memoryview


def frames_of(message: Message) -> list[Buffer]:
    """Return the frames of a message, in parts, of which the large ones are no copies."""
    packed = Packed(message.body)
    if packed.size > MAX_MESSAGE:
        raise FrameError(f"a message of {packed.size} bytes; at most {MAX_MESSAGE} are sent")
    out: list[Buffer] = [_header(message, 0, packed.size)]
    if packed.size <= _MOST:
        return out + packed.parts
    chunk, room = 0, _MOST
    for whole in packed.parts:
        part = memoryview(whole)
        while len(part) > room:
            out.append(part[:room])
            part = part[room:]
            chunk, room = chunk + 1, _MOST
            out.append(_header(message, chunk, packed.size - chunk * _MOST))
        out.append(part)
        room -= len(part)
    return out


def _header(message: Message, chunk: int, left: int) -> bytes:
    flags, size = (END, left) if left <= _MOST else (0, _MOST)
    return HEADER.pack(
        b"ML", 1, message.kind, flags, 1, 0, message.id, chunk, message.budget_ms, size, 0
    )


def encode(message: Message) -> bytes:
    """Return the frames of a message."""
    return b"".join(frames_of(message))


class Link:
    """One of the two sockets to the server. Any thread may send; one receives."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lock = threading.Lock()
        self._buffer = memoryview(bytearray(1 << 16))  # what came is in it from _start to _end
        self._start = self._end = 0

    def send(self, message: Message) -> None:
        """Send a whole message."""
        parts = frames_of(message)
        if sum(map(len, parts)) <= _SMALL:
            parts = [b"".join(parts)]
        with self._lock:
            while parts:
                sent = self._sock.sendmsg(parts[:_PARTS])
                while parts and sent >= len(parts[0]):
                    sent -= len(parts.pop(0))
                if sent:
                    parts[0] = memoryview(parts[0])[sent:]

    def receive(self) -> Message:
        """Wait for a message. EOFError: the server has gone."""
        payload = bytearray()  # of all frames but the last
        kind = request = budget = chunk = 0
        while True:
            head = HEADER.unpack(self._exactly(HEADER.size))
            magic, version, this, flags, codec, extension, number, seq, budget, size, plain = head
            if magic != b"ML" or version != 1 or flags & ~END or codec != 1 or extension or plain:
                raise FrameError("a header of another kind")
            if seq != chunk or (chunk and (this, number) != (kind, request)):
                raise FrameError("a chunk out of order")
            if size > _MOST or len(payload) + size > MAX_MESSAGE:
                raise FrameError("too long")
            if size == 0 and not flags & END:
                raise FrameError("an empty chunk")
            kind, request, chunk = this, number, chunk + 1
            part = self._exactly(size)
            if not flags & END:
                payload += part
                continue
            if payload:
                payload += part
                part = memoryview(payload)
            body = unpack(bytes(part) if len(part) <= _SMALL else part)
            return Message(kind, body, request, budget)

    def _exactly(self, size: int) -> memoryview:
        """Return so many bytes of what comes. They stay until the next call."""
        if len(self._buffer) - self._start < size:
            have = self._buffer[self._start : self._end]
            if len(self._buffer) < size:
                self._buffer = memoryview(bytearray(size))
            self._buffer[: len(have)] = have
            self._start, self._end = 0, len(have)
        while self._end - self._start < size:
            n = self._sock.recv_into(self._buffer[self._end :])
            if n == 0:
                raise EOFError
            self._end += n
        start = self._start
        self._start += size
        part = self._buffer[start : self._start]
        if self._start == self._end:
            self._start = self._end = 0
        return part
