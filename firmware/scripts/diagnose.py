#!/usr/bin/env python3
"""Reads a chip's eFuses, and says which steps are done, what is wrong, and what to do. Burns nothing.

With the public keys it also says whose digests the chip has. --save keeps what was read, which is what to note of a
new chip and of a finished one.
"""

import json
import sys
import tempfile
from pathlib import Path

from chips import Chip
from efuses import Refused, State
from steps import (
    STEPS,
    Material,
    add_images,
    done,
    guarded,
    left,
    material_of,
    parser,
    read_keys,
    refuse,
    target_of,
)


def record(state: State) -> dict[str, object]:
    """What to write down of a device; there is no secret in it."""
    chip = state.chip
    return {
        "chip": chip.name,
        "mac": state.mac,
        "revision": state.revision,
        "digests": [state.key(slot.block).hex() for slot in chip.digests if not state.empty(slot.block)],
        "revoked": [i for i in range(len(chip.digests)) if state.revoked(i)],
        "secure_version": state.value("SECURE_VERSION").bit_count(),
        "steps": [step.name for step in STEPS if done(step, state)],
    }


def slots(chip: Chip, state: State, material: Material) -> None:
    for i, slot in enumerate(chip.digests):
        digest = state.key(slot.block)
        says = "empty" if state.empty(slot.block) else digest.hex()
        if material.public and not state.empty(slot.block):
            whose = [str(k) for k, d in zip(material.public, material.digests, strict=True) if d == digest]
            says += f", of {whose[0]}" if whose else ", of none of these keys"
        print(f"slot {i}, {slot.block}: {says}{', revoked' if state.revoked(i) else ''}")


def script() -> None:
    options = parser(__doc__)
    add_images(options)
    options.add_argument("--save", type=Path, help="a new file for what was read, in JSON")
    args = options.parse_args()
    args.device, args.burn = None, False
    target = target_of(args)
    with tempfile.TemporaryDirectory() as scratch:
        material = material_of(args, Path(scratch))
        if material.public:
            read_keys(target.chip, material)
        state = target.read()
        print(f"{state.chip.name} {state.mac}, revision {state.revision}")
        advice = ""
        for step in STEPS:
            if done(step, state):
                print(f"{step.name}: done")
                continue
            missing = left(step, state).arguments()
            print(f"{step.name}: not done, missing {' '.join(word for word in missing if word != '.')}")
            if not advice:
                advice = f"go on with {step.name}.py"
                try:
                    refuse(step, state)
                except Refused as refused:
                    advice = str(refused)
        slots(state.chip, state, material)
        if args.save:
            with args.save.open("x") as f:
                json.dump(record(state), f, indent=2)
        print(f"to do: {advice or 'nothing. If it does not start, only a signed update can help'}")


if __name__ == "__main__":
    sys.exit(guarded(script))
