"""What a model is written with."""

import math
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_CODES = {
    "BOOL": "?", "INT8": "b", "UINT8": "B", "INT16": "h", "UINT16": "H", "INT32": "i",
    "UINT32": "I", "INT64": "q", "UINT64": "Q", "FP32": "f", "FP64": "d",
}  # fmt: skip


class ModelError(Exception):
    """What is wrong with an input. Its text is shown to whoever sent it."""


@dataclass(frozen=True)
class Tensor:
    """One input or output: its elements in order, the last index fastest, little-endian."""

    datatype: str
    shape: tuple[int, ...]
    data: bytes

    @staticmethod
    def texts_of(texts: Iterable[str]) -> "Tensor":
        """Return texts as a tensor of BYTES."""
        encoded = [t.encode() for t in texts]
        data = b"".join(struct.pack("<I", len(t)) + t for t in encoded)
        return Tensor("BYTES", (len(encoded),), data)

    @staticmethod
    def numbers_of(
        numbers: Sequence[float], datatype: str = "FP32", shape: Sequence[int] | None = None
    ) -> "Tensor":
        """Return numbers as a tensor; shape defaults to one dimension."""
        sizes = tuple(shape) if shape is not None else (len(numbers),)
        if math.prod(sizes) != len(numbers):
            raise ValueError(f"{len(numbers)} numbers do not fill {sizes}")
        return Tensor(datatype, sizes, struct.pack(f"<{len(numbers)}{_CODES[datatype]}", *numbers))

    def texts(self) -> list[str]:
        """Return the elements of a tensor of BYTES."""
        texts, at = [], 0
        while at < len(self.data):
            (size,) = struct.unpack_from("<I", self.data, at)
            texts.append(self.data[at + 4 : at + 4 + size].decode())
            at += 4 + size
        return texts

    def numbers(self) -> list[Any]:
        """Return the elements of any other tensor. numpy.frombuffer(t.data, ...) is faster."""
        return list(struct.unpack(f"<{math.prod(self.shape)}{_CODES[self.datatype]}", self.data))


Inputs = Mapping[str, Tensor]
Outputs = Mapping[str, Tensor]


@dataclass(frozen=True)
class Context:
    """What is known of a batch, or of a stream."""

    budget_ms: int  # so long the answer, or each chunk of it, is waited for
    parameters: Mapping[str, Any] = field(default_factory=dict)  # of a stream
    cancelled: Callable[[], bool] = lambda: False  # whether nobody waits for a stream any more
    traceparent: str = ""  # of the server's span, for spans of a model (W3C); empty: not traced


class Model:
    """Derive from this, and name the class in model.toml."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self) -> None:
        """Read weights from self.folder. Whatever is raised here, the version takes no requests."""

    def predict(self, batch: Sequence[Inputs], context: Context) -> Sequence[Outputs]:
        """Answer each request of batch, in its order. Raise ModelError about a bad input."""
        raise ModelError("this model answers only in streams: ask it by generate_stream")

    def stream(self, inputs: Inputs, context: Context) -> Iterator[Outputs]:
        """Answer one request in chunks, each when it is there: write yield where predict returns.

        The server takes a few chunks ahead of whoever reads them. If nobody does any more, the
        generator is closed where it yields: what it holds is freed by finally or with.
        """
        yield self.predict([inputs], context)[0]
