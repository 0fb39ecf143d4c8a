#!/usr/bin/env python3
"""Makes the keys of Secure Boot v2 for a chip: on a machine without a network, into an encrypted medium.

Key 0 signs. Key 1 and 2 are sealed, in two other places, until key 0 is lost. The public halves go to whoever sets
devices up; private ones go nowhere.
"""

import argparse
import sys
from pathlib import Path

from chips import CHIPS
from efuses import Refused, run
from steps import guarded, outside_git


def script() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--chip", required=True, choices=sorted(CHIPS))
    options.add_argument("--scheme", default="rsa3072", choices=("rsa3072", "ecdsa256"))
    options.add_argument("folder", type=Path, help="a new folder, outside any repository")
    args = options.parse_args()
    chip = CHIPS[args.chip]
    if args.scheme != "rsa3072" and not chip.ecdsa:
        raise Refused(f"the ROM of {chip.name} knows RSA alone: leave --scheme out")
    outside_git(args.folder)
    if args.folder.exists() and any(args.folder.iterdir()):
        raise Refused(f"{args.folder} is not empty: keys are never written over. Name a new folder")
    args.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    args.folder.chmod(0o700)
    for i in range(len(chip.digests)):
        key, public = args.folder / f"secure-boot-{i}.pem", args.folder / f"secure-boot-{i}.pub.pem"
        digest = args.folder / f"secure-boot-{i}.digest"
        version = ("--version", "2")
        run("espsecure", "generate-signing-key", *version, "--scheme", args.scheme, str(key))
        key.chmod(0o600)
        run("espsecure", "extract-public-key", *version, "--keyfile", str(key), str(public))
        run("espsecure", "digest-sbv2-public-key", "--keyfile", str(public), "--output", str(digest))
        print(f"{key}: {digest.read_bytes().hex()}")
    print("seal all but the first, each in another place; note the digests")


if __name__ == "__main__":
    sys.exit(guarded(script))
