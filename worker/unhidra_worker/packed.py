"""The part of MessagePack (https://msgpack.org) that server and worker speak.

nil, booleans, integers of 64 bits, float64, text, bytes, arrays, and maps whose keys are texts.
There are no extensions, and nothing is ever unpickled.
"""

import struct
from typing import Any

MAX_DEPTH = 32
_INTEGER = struct.Struct(">Bq")


class PackedError(ValueError):
    """The bytes are not what the server sends."""


_APART = 1 << 14  # bytes from which a value is sent from where it is
_KEPT = 256  # of what was packed or read before
_ORDERS: dict[tuple[Any, ...], list[tuple[bytes, Any]]] = {}  # keys of maps, as they are packed
_TENSOR = ("name", "datatype", "shape", "data")
_DATA = b"\x84\xa4data"  # how a tensor begins
_ENDS: dict[tuple[Any, ...], bytes] = {}  # of tensors, behind their data
_KEYS: dict[bytes, str] = {}  # of maps that were read


class Packed:
    """A value that is packed: its bytes in parts, of which the large ones are no copies."""

    def __init__(self, value: Any) -> None:
        self.parts: list[bytes | bytearray | memoryview] = []
        self._tail = bytearray()
        self._add(value)
        if self._tail:
            self.parts.append(self._tail)
        self.size = sum(map(len, self.parts))

    def _add(self, value: Any) -> None:
        out, kind = self._tail, type(value)
        if kind is str:
            text = value.encode()
            _pack_length(out, len(text), 0xA0, 31, 0xD9)
            out += text
        elif kind is dict:
            self._map(value)
        elif kind is list:
            _pack_length(out, len(value), 0x90, 15, 0xDB)
            for item in value:
                self._add(item)
        elif kind is Packed:
            for part in value.parts:
                self._bytes_of(part)
        elif value is None:
            out.append(0xC0)
        elif value is True or value is False:
            out.append(0xC3 if value else 0xC2)
        elif isinstance(value, int):
            if -32 <= value <= 127:
                out.append(value & 0xFF)
            else:
                out += _INTEGER.pack(0xD3, value)
        elif isinstance(value, dict):
            self._map(value)
        elif isinstance(value, list | tuple):
            _pack_length(out, len(value), 0x90, 15, 0xDB)
            for item in value:
                self._add(item)
        elif isinstance(value, bytes | bytearray | memoryview):
            self._bytes(value)
        elif isinstance(value, float):
            out += struct.pack(">Bd", 0xCB, value)
        elif isinstance(value, str):
            self._add(str(value))
        else:
            raise TypeError(f"cannot pack {kind.__name__}")

    def _map(self, entries: dict[Any, Any]) -> None:
        keys = tuple(entries)
        if keys == _TENSOR:
            self._tensor(entries)
            return
        order = _ORDERS.get(keys)
        if order is None:
            order = [(pack(k), k) for k in sorted(keys, key=lambda k: k.encode())]
            if len(_ORDERS) < _KEPT:
                _ORDERS[keys] = order
        _pack_length(self._tail, len(keys), 0x80, 15, 0xDD)
        for packed, key in order:
            self._tail += packed
            self._add(entries[key])

    def _tensor(self, entries: dict[Any, Any]) -> None:
        """Pack a tensor, of which most have been there before but for the data."""
        name, datatype, shape, data = entries.values()
        self._tail += _DATA
        self._add(data)
        known = (name, datatype, repr(shape))
        end = _ENDS.get(known)
        if end is None:
            end = pack({"datatype": datatype, "name": name, "shape": shape})[1:]
            if len(_ENDS) < _KEPT:
                _ENDS[known] = end
        self._tail += end

    def _bytes(self, value: bytes | bytearray | memoryview) -> None:
        if isinstance(value, memoryview):
            value = value.tobytes()  # its items may be larger than a byte
        _pack_length(self._tail, len(value), 0, -1, 0xC4)
        self._bytes_of(value)

    def _bytes_of(self, value: bytes | bytearray | memoryview) -> None:
        if len(value) < _APART:
            self._tail += value
            return
        self.parts += (self._tail, value) if self._tail else (value,)
        self._tail = bytearray()


def pack(value: Any) -> bytes:
    """Return value packed. The same value has the same bytes, as keys are sorted."""
    return b"".join(Packed(value).parts)


def _pack_length(out: bytearray, length: int, small: int, most: int, eight: int) -> None:
    """Append a length as short as it goes. Arrays and maps have none of eight bits."""
    if length <= most:
        out.append(small | length)
    elif length <= 0xFF and eight < 0xDB:
        out += bytes((eight, length))
    elif length <= 0xFFFF:
        out += bytes((eight + 1, length >> 8, length & 0xFF))
    else:
        out += struct.pack(">BI", eight + 2, length)


def unpack(data: bytes | memoryview) -> Any:
    """Return the one value that data is."""
    value, rest = _unpack(data, 0, 0)
    if rest != len(data):
        raise PackedError(f"{len(data) - rest} bytes after the value")
    return value


_NUMBERS = {
    kind: struct.Struct(form)
    for kind, form in {
        0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q",
        0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q",
    }.items()
}  # fmt: skip
_LENGTHS = {
    0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4, 0xDC: 2, 0xDD: 4, 0xDE: 2, 0xDF: 4,
}  # fmt: skip


def _unpack(data: bytes | memoryview, at: int, depth: int) -> tuple[Any, int]:
    if at >= len(data):
        raise PackedError("it ends early")
    kind = data[at]
    at += 1
    if kind <= 0x7F:
        return kind, at
    if kind <= 0x8F:
        return _map(data, at, kind & 15, depth)
    if kind <= 0x9F:
        return _array(data, at, kind & 15, depth)
    if kind <= 0xBF:
        return _text(data, at, kind & 31)
    if kind >= 0xE0:
        return kind - 256, at
    if kind == 0xC0:
        return None, at
    if kind in (0xC2, 0xC3):
        return kind == 0xC3, at
    number = _NUMBERS.get(kind)
    if number is not None:
        return number.unpack(_slice(data, at, number.size))[0], at + number.size
    size = _LENGTHS.get(kind)
    if size is None:
        raise PackedError(f"type {kind:#x}")
    length = int.from_bytes(_slice(data, at, size))
    at += size
    if kind <= 0xC6:
        return bytes(_slice(data, at, length)), at + length
    if kind <= 0xDB:
        return _text(data, at, length)
    if kind <= 0xDD:
        return _array(data, at, length, depth)
    return _map(data, at, length, depth)


def _slice(data: bytes | memoryview, at: int, length: int) -> bytes | memoryview:
    end = at + length
    if end > len(data):
        raise PackedError("it ends early")
    return data[at:end]


def _text(data: bytes | memoryview, at: int, length: int) -> tuple[str, int]:
    try:
        return str(_slice(data, at, length), "utf-8"), at + length
    except UnicodeDecodeError as err:
        raise PackedError("a text that is not UTF-8") from err


def _array(data: bytes | memoryview, at: int, length: int, depth: int) -> tuple[list[Any], int]:
    if depth >= MAX_DEPTH or at + length > len(data):
        raise PackedError(f"an array of {length} items at depth {depth}")
    items = []
    for _ in range(length):
        item, at = _unpack(data, at, depth + 1)
        items.append(item)
    return items, at


def _map(data: bytes | memoryview, at: int, length: int, depth: int) -> tuple[dict[str, Any], int]:
    if depth >= MAX_DEPTH or at + 2 * length > len(data):
        raise PackedError(f"a map of {length} entries at depth {depth}")
    entries: dict[str, Any] = {}
    for _ in range(length):
        key, at = _key(data, at, depth)
        if key in entries:
            raise PackedError("a key that comes twice")
        entries[key], at = _unpack(data, at, depth + 1)
    return entries, at


def _key(data: bytes | memoryview, at: int, depth: int) -> tuple[str, int]:
    """Read the key of a map, most of which have been there before."""
    if at < len(data) and 0xA0 <= data[at] <= 0xBF:
        end = at + (data[at] & 31) + 1
        raw = bytes(data[at:end])
        known = _KEYS.get(raw)
        if known is not None:
            return known, end
    key, end = _unpack(data, at, depth + 1)
    if type(key) is not str:
        raise PackedError("a key that is no text")
    if len(_KEYS) < _KEPT and end - at <= 32:
        _KEYS[bytes(data[at:end])] = key
    return key, end
