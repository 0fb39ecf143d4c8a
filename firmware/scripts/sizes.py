#!/usr/bin/env python3
"""Says what an image consists of, by the map that the linker of Rust has written: libraries, and what is largest."""

import argparse
import re
import sys
from collections import Counter
from pathlib import Path

from steps import guarded

LINE = re.compile(r"^ *([0-9a-f]+) +([0-9a-f]+) +([0-9a-f]+) +\d+ ( *)(\S.*)$")
INPUT = re.compile(r"^(?P<file>.+?):\((?P<section>[^)]*)\)$")
OWN = "unhidra_core"
NAMES = {
    OWN: "our core",
    "unhidra_device": "our program and ports, in C",
    "mbedtls": "Mbed TLS",
    "rust": "Rust: esp-hal, drivers, smoltcp, our port",
}
PARTS = ("flash", "RAM with contents", "RAM")


def part_of(section: str) -> str | None:
    """Where a section of the image is."""
    if section.startswith((".text", ".rodata", ".flash", ".init")):
        return "flash"
    if section.startswith((".data", ".rwtext", ".trap")):
        return "RAM with contents"
    if section.startswith((".bss", ".noinit", ".dram2_uninit")):
        return "RAM"
    return None


def library_of(file: str) -> str:
    """Which library an object is of."""
    archive = re.search(r"lib([^/]*?)(?:-[0-9a-f]{16})?\.(?:a|rlib)(?:\(|$)", file)
    if not archive or ".rlib" in file:
        return "rust"
    return archive.group(1)


def read(text: str) -> tuple[dict[str, Counter[str]], Counter[str]]:
    """Adds up the sizes of libraries in each part, and of our core's functions and constants."""
    libraries: dict[str, Counter[str]] = {part: Counter() for part in PARTS}
    symbols: Counter[str] = Counter()
    section = None
    for line in text.splitlines():
        match = LINE.match(line)
        if not match:
            continue
        address, size, what = int(match[1], 16), int(match[3], 16), match[5]
        if not match[4]:
            section = part_of(what) if address else None
            continue
        found = INPUT.match(what)
        if not found or section is None or size == 0:
            continue
        library = library_of(found["file"])
        libraries[section][library] += size
        if library == OWN:
            symbols[re.sub(r"^\.s?(text|rodata)\.", "", found["section"])] += size
    return libraries, symbols


def report(text: str) -> str:
    libraries, symbols = read(text)
    out = [f"{'':44}{'flash':>10}{'RAM with contents':>20}{'RAM':>10}"]
    parts = list(libraries.values())
    total = Counter({library: sum(part[library] for part in parts) for part in parts for library in part})
    for library in sorted(total, key=lambda one: (one not in NAMES, -total[one])):
        name = NAMES.get(library, f"Espressif's lib{library}.a")
        out.append(f"{name:44}{parts[0][library]:10,}{parts[1][library]:20,}{parts[2][library]:10,}")
    sums = [sum(part.values()) for part in parts]
    out.append(f"{'all':44}{sums[0]:10,}{sums[1]:20,}{sums[2]:10,}")
    out += ["", "Of our core, by function or constant:"]
    out += [f"{size:8,} {name}" for name, size in sorted(symbols.items(), key=lambda one: (-one[1], one[0]))]
    return "\n".join(out)


def script() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("map", type=Path)
    args = options.parse_args()
    print(report(args.map.read_text()))


if __name__ == "__main__":
    sys.exit(guarded(script))
