"""An answer in chunks: each is sent when it is there, and no more of them than the server takes."""

import threading
from collections.abc import Iterator

from unhidra_worker import frames
from unhidra_worker.frames import Link, Message
from unhidra_worker.model import Context, Model, Outputs
from unhidra_worker.packed import Packed
from unhidra_worker.wire import describe, pack_outputs, unpack_inputs


class Flow:
    """What the server says about the stream that it is sent. Another thread hears that."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._stream = 0  # its id; they grow
        self._credit = 0  # chunks that may be sent
        self._cancelled = 0  # id of the last stream that nobody waits for any more

    def begin(self, stream: int, credit: int) -> None:
        """Start a stream. It may have been cancelled already."""
        with self._changed:
            self._stream, self._credit = stream, credit

    def told(self, message: Message) -> None:
        """Hear what the server says. What is not about a stream is not looked at."""
        with self._changed:
            if message.kind == frames.CREDIT and message.id == self._stream:
                self._credit += message.body["chunks"]
            elif message.kind == frames.CANCEL:
                self._cancelled = max(self._cancelled, message.id)
            self._changed.notify_all()

    def cancelled(self) -> bool:
        """Say whether nobody waits for the stream any more."""
        with self._changed:
            return self._cancelled >= self._stream

    def take(self) -> bool:
        """Wait until a chunk may be sent. False: the stream is cancelled."""
        with self._changed:
            while self._credit == 0 and self._cancelled < self._stream:
                self._changed.wait()
            self._credit -= 1
            return self._cancelled < self._stream


def stream(model: Model, request: Message, data: Link, flow: Flow) -> None:
    """Answer a request in chunks, and say at the end how it went."""
    flow.begin(request.id, request.body["credit"])
    end = {}
    try:
        parent = request.body.get("traceparent", "")
        context = Context(request.budget_ms, request.body["parameters"], flow.cancelled, parent)
        chunks = model.stream(unpack_inputs(request.body["inputs"]), context)
        try:
            _send(chunks, request.id, data, flow)
        finally:
            close = getattr(chunks, "close", None)  # an iterator that is no generator has none
            if close is not None:
                close()
    except Exception as err:
        end = {"error": describe(err)}
    data.send(Message(frames.RESPONSE, end, request.id))


def _send(chunks: Iterator[Outputs], stream: int, data: Link, flow: Flow) -> None:
    for outputs in chunks:
        body = Packed({"outputs": pack_outputs(outputs)})
        if body.size > frames.MAX_CHUNK:
            raise ValueError(f"a chunk of more than {frames.MAX_CHUNK} bytes")
        if not flow.take():
            return
        data.send(Message(frames.CHUNK, body, stream))
