#!/usr/bin/env python3
"""Has a key of Secure Boot count no more, in a chip whose download mode is still open.

A device in the field does that itself, with firmware that the next key has signed: there is no cable to it.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from efuses import Command, Refused, State
from steps import add_burning, confirm, guarded, parser, target_of


def refuse(state: State, slot: int) -> None:
    digests = state.chip.digests
    if len(digests) == 1:
        raise Refused(f"{state.chip.name} has one key for ever: it cannot be revoked")
    if slot not in range(len(digests)):
        raise Refused(f"there is no slot {slot}: they are 0 to {len(digests) - 1}")
    if state.closed:
        raise Refused("the download mode is closed: have its firmware revoke the key")
    if state.revoked(slot):
        raise Refused(f"the key in slot {slot} is revoked already")
    others = [i for i in range(len(digests)) if i != slot and not state.revoked(i)]
    if state.value(state.chip.secure_boot):
        others = [i for i in others if not state.empty(digests[i].block)]
    if not others:
        raise Refused(f"no other key would be left than that in slot {slot}: no image would start any more")


def script() -> None:
    options = parser(__doc__)
    add_burning(options)
    options.add_argument("--slot", type=int, required=True, help="0 to 2")
    args: argparse.Namespace = options.parse_args()
    target = target_of(args)
    state = target.read()
    refuse(state, args.slot)
    command = Command([], {f"SECURE_BOOT_KEY_REVOKE{args.slot}": 1}, [])
    with tempfile.TemporaryDirectory() as folder:
        target.copy(Path(folder)).burn(command)
    if not args.burn:
        print("nothing was burnt: that takes --burn")
        return
    state = confirm(target, state)
    refuse(state, args.slot)
    target.burn(command)
    if not target.again(state).revoked(args.slot):
        raise Refused("the key is not revoked after all: read the eFuses with diagnose.py")
    print(f"the key in slot {args.slot} is revoked: sign with another one")


if __name__ == "__main__":
    sys.exit(guarded(script))
