#!/usr/bin/env python3
"""Makes the table of partitions that a bootloader reads, of a file such as partitions.csv."""

import argparse
import csv
import hashlib
import struct
import sys
from pathlib import Path

from efuses import Refused
from steps import guarded

SIZE = 0xC00
TYPES = {"app": 0, "data": 1}
SUBTYPES = {
    "app": {"factory": 0, "test": 0x20, **{f"ota_{i}": 0x10 + i for i in range(16)}},
    "data": {"ota": 0, "phy": 1, "nvs": 2, "coredump": 3, "nvs_keys": 4, "fat": 0x81, "spiffs": 0x82},
}
FLAGS = {"": 0, "encrypted": 1, "readonly": 2}


def number(text: str) -> int:
    """Reads a number, such as 0x9000 or 24K."""
    unit = {"K": 1 << 10, "M": 1 << 20}.get(text[-1:].upper(), 1)
    return int(text[:-1] if unit > 1 else text, 0) * unit


def entry(cells: list[str]) -> bytes:
    """Makes an entry of a line of the file."""
    if len(cells) not in {5, 6}:
        raise Refused(f"{', '.join(cells)}: write Name, Type, SubType, Offset, Size, and flags if there are any")
    name, kind, subtype, at, size, flags = [*cells, ""][:6]
    try:
        which = SUBTYPES[kind].get(subtype)
        which = int(subtype, 0) if which is None else which
        place = number(at), number(size)
        packed = struct.pack("<HBBII16sI", 0x50AA, TYPES[kind], which, *place, name.encode(), FLAGS[flags])
    except (KeyError, ValueError, struct.error) as why:
        raise Refused(f"{', '.join(cells)}: {why} is not understood") from None
    if len(name.encode()) > 16:
        raise Refused(f"{name} is longer than 16 bytes")
    return packed


def table(text: str) -> bytes:
    """Makes the table, with its MD5."""
    lines = (line.partition("#")[0] for line in text.splitlines())
    entries = b"".join(entry([cell.strip() for cell in cells]) for cells in csv.reader(filter(str.strip, lines)))
    entries += b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(entries).digest()  # noqa: S324  # against damage
    if len(entries) > SIZE:
        raise Refused("these are too many partitions for a table")
    return entries.ljust(SIZE, b"\xff")


def script() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("partitions", type=Path)
    options.add_argument("output", type=Path)
    args = options.parse_args()
    args.output.write_bytes(table(args.partitions.read_text()))


if __name__ == "__main__":
    sys.exit(guarded(script))
