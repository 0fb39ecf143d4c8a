#!/usr/bin/env python3
"""Takes a new device through all steps, in their order: what a line in a factory calls for each.

Its checklist:

    before   the power is stable; --device is a folder in memory, empty, and this device's alone
             bootloader and image are signed (sign_image.py); the public keys are there, no private ones
    during   type the MAC from the label of the module, not from the screen
    after    it starts and comes online; its record is kept with its serial number; the device's folder is removed
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

from diagnose import record
from efuses import Refused, run
from steps import (
    STEPS,
    add_burning,
    add_images,
    guarded,
    material_of,
    parser,
    prepare,
    take,
)
from write_flash import encrypt, write


def script() -> None:
    options = parser(__doc__)
    add_burning(options)
    add_images(options)
    options.add_argument("--table", type=Path, required=True, help="table of partitions, as it is made")
    options.add_argument("--record", type=Path, help="a new file for what to write down of the device")
    args = options.parse_args()
    if args.burn and not args.record:
        raise Refused("where is this device to be written down? Name a new file, --record")
    if args.record and args.record.exists():
        raise Refused(f"{args.record} is there already. If it is this device's, only download_mode.py is left")
    with tempfile.TemporaryDirectory() as scratch:
        material = material_of(args, Path(scratch))
        target, state = prepare(args, list(STEPS), material)
        if not args.burn:
            return
        if target.port and not state.value(next(iter(target.chip.flash_on))):
            run("esptool", "--port", target.port, "--chip", target.chip.name, "erase-flash")
        state = take(target, state, list(STEPS[:4]), material)
        write(target, state, encrypt(state, material, args.table))
        args.record.write_text(json.dumps(record(state), indent=2) + "\n")
        take(target, state, list(STEPS[4:]), material)
        shutil.rmtree(args.device)
        print("start it, see it online, and keep its record")


if __name__ == "__main__":
    sys.exit(guarded(script))
