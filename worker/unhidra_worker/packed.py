"""The part of MessagePack (https://msgpack.org) that server and worker speak.

nil, booleans, integers of 64 bits, float64, text, bytes, arrays, and maps whose keys are texts.
There are no extensions, and nothing is ever unpickled.
"""

import struct
from typing import Any

MAX_DEPTH = 32


class PackedError(ValueError):
    """The bytes are not what the server sends."""


def pack(value: Any) -> bytes:
    """Return value packed. The same value has the same bytes, as keys are sorted."""
    out = bytearray()
    _pack(out, value)
    return bytes(out)


def _pack(out: bytearray, value: Any) -> None:
    if value is None:
        out.append(0xC0)
    elif value is True or value is False:
        out.append(0xC3 if value else 0xC2)
    elif isinstance(value, int):
        if -32 <= value <= 127:
            out.append(value & 0xFF)
        else:
            out += struct.pack(">Bq", 0xD3, value)
    elif isinstance(value, float):
        out += struct.pack(">Bd", 0xCB, value)
    elif isinstance(value, str):
        text = value.encode()
        _pack_length(out, len(text), 0xA0, 31, 0xD9)
        out += text
    elif isinstance(value, bytes | bytearray | memoryview):
        _pack_length(out, len(value), 0, -1, 0xC4)
        out += value
    elif isinstance(value, list | tuple):
        _pack_length(out, len(value), 0x90, 15, 0xDB)
        for item in value:
            _pack(out, item)
    elif isinstance(value, dict):
        _pack_length(out, len(value), 0x80, 15, 0xDD)
        for key in sorted(value, key=lambda k: k.encode()):
            _pack(out, key)
            _pack(out, value[key])
    else:
        raise TypeError(f"cannot pack {type(value).__name__}")


def _pack_length(out: bytearray, length: int, small: int, most: int, eight: int) -> None:
    """Append a length as short as it goes. Arrays and maps have none of eight bits."""
    if length <= most:
        out.append(small | length)
    elif length <= 0xFF and eight < 0xDB:
        out += struct.pack(">BB", eight, length)
    elif length <= 0xFFFF:
        out += struct.pack(">BH", eight + 1, length)
    else:
        out += struct.pack(">BI", eight + 2, length)


def unpack(data: bytes | memoryview) -> Any:
    """Return the one value that data is."""
    view = memoryview(data)
    value, rest = _unpack(view, 0, 0)
    if rest != len(view):
        raise PackedError(f"{len(view) - rest} bytes after the value")
    return value


_NUMBERS = {
    0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q",
    0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q",
}  # fmt: skip
_LENGTHS = {
    0xC4: ">B", 0xC5: ">H", 0xC6: ">I", 0xD9: ">B", 0xDA: ">H", 0xDB: ">I",
    0xDC: ">H", 0xDD: ">I", 0xDE: ">H", 0xDF: ">I",
}  # fmt: skip


def _unpack(view: memoryview, at: int, depth: int) -> tuple[Any, int]:
    if at >= len(view):
        raise PackedError("it ends early")
    kind = view[at]
    at += 1
    if kind <= 0x7F:
        return kind, at
    if kind >= 0xE0:
        return kind - 256, at
    if kind <= 0x8F:
        return _map(view, at, kind & 15, depth)
    if kind <= 0x9F:
        return _array(view, at, kind & 15, depth)
    if kind <= 0xBF:
        return _text(view, at, kind & 31)
    if kind == 0xC0:
        return None, at
    if kind in (0xC2, 0xC3):
        return kind == 0xC3, at
    if kind in _NUMBERS:
        return _number(view, at, _NUMBERS[kind])
    if kind not in _LENGTHS:
        raise PackedError(f"type {kind:#x}")
    length, at = _number(view, at, _LENGTHS[kind])
    if kind <= 0xC6:
        return bytes(_slice(view, at, length)), at + length
    if kind <= 0xDB:
        return _text(view, at, length)
    if kind <= 0xDD:
        return _array(view, at, length, depth)
    return _map(view, at, length, depth)


def _slice(view: memoryview, at: int, length: int) -> memoryview:
    if at + length > len(view):
        raise PackedError("it ends early")
    return view[at : at + length]


def _number(view: memoryview, at: int, form: str) -> tuple[Any, int]:
    size = struct.calcsize(form)
    return struct.unpack(form, _slice(view, at, size))[0], at + size


def _text(view: memoryview, at: int, length: int) -> tuple[str, int]:
    try:
        return str(_slice(view, at, length), "utf-8"), at + length
    except UnicodeDecodeError as err:
        raise PackedError("a text that is not UTF-8") from err


def _array(view: memoryview, at: int, length: int, depth: int) -> tuple[list[Any], int]:
    if depth >= MAX_DEPTH or at + length > len(view):
        raise PackedError(f"an array of {length} items at depth {depth}")
    items = []
    for _ in range(length):
        item, at = _unpack(view, at, depth + 1)
        items.append(item)
    return items, at


def _map(view: memoryview, at: int, length: int, depth: int) -> tuple[dict[str, Any], int]:
    if depth >= MAX_DEPTH or at + 2 * length > len(view):
        raise PackedError(f"a map of {length} entries at depth {depth}")
    entries: dict[str, Any] = {}
    for _ in range(length):
        key, at = _unpack(view, at, depth + 1)
        if not isinstance(key, str) or key in entries:
            raise PackedError("a key that is no text, or comes twice")
        entries[key], at = _unpack(view, at, depth + 1)
    return entries, at
