#!/usr/bin/env python3
"""Encrypts the signed images for a device, each for its address, and writes them.

Without --burn it only encrypts them, into the device's folder.
"""

import argparse
import sys
from pathlib import Path

from efuses import Refused, State, Target, run
from steps import (
    APP,
    STEPS,
    TABLE,
    Material,
    add_burning,
    add_images,
    check_images,
    check_owner,
    confirm,
    done,
    guarded,
    material_of,
    parser,
    read_keys,
    target_of,
)


def encrypt(state: State, material: Material, table: Path) -> list[tuple[int, Path]]:
    """Encrypts bootloader, table and image with the device's key; returns addresses and files."""
    chip = state.chip
    for step in STEPS[:4]:
        if not done(step, state):
            raise Refused(f"{step.name} comes before the flash is written. Run {step.name}.py first")
    check_owner(state, material.device, f"name that of {state.mac}, which is connected")
    bootloader, app = check_images(state, material)
    if table.read_bytes()[:2] != b"\xaa\x50":
        raise Refused(f"{table} is no table of partitions: make it of partitions-secure.csv")
    key = material.device / "flash.key"
    if not key.exists():
        raise Refused(
            f"{key} is not there, and nobody can read it from the chip: its flash cannot be written. "
            "If the folder is lost, sort this chip out"
        )
    written = []
    for at, file in ((chip.bootloader, bootloader), (TABLE, table), (APP, app)):
        out = material.device / f"flash-{at:x}.bin"
        out.unlink(missing_ok=True)
        how = ["--aes-xts"] if chip.xts else []
        where = ["--keyfile", str(key), "--address", hex(at), "--output", str(out)]
        run("espsecure", "encrypt-flash-data", *how, *where, str(file))
        written.append((at, out))
    return written


def write(target: Target, state: State, files: list[tuple[int, Path]]) -> None:
    """Writes to the flash of a real chip, if it is still the same. A virtual one has none."""
    target.again(state)
    if not target.port:
        print("virtual eFuses have no flash: nothing was written")
        return
    pairs = [word for at, file in files for word in (hex(at), str(file))]
    # esptool cannot know that these are encrypted already, and demands --force.
    run(
        "esptool",
        "--port",
        target.port,
        "--chip",
        target.chip.name,
        "write-flash",
        "--force",
        *pairs,
    )
    print("written")


def script() -> None:
    options = parser(__doc__)
    add_burning(options)
    add_images(options)
    options.add_argument("--table", type=Path, required=True, help="table of partitions, as it is made")
    args: argparse.Namespace = options.parse_args()
    if not args.device:
        raise Refused("where is the key of this device's flash? Name its folder, --device")
    material = material_of(args, args.device)
    target = target_of(args)
    state = target.read()
    read_keys(target.chip, material)
    files = encrypt(state, material, args.table)
    for at, file in files:
        print(f"{at:#x}: {file}")
    if args.burn:
        write(target, confirm(target, state), files)


if __name__ == "__main__":
    sys.exit(guarded(script))
