#!/usr/bin/env python3
"""Signs a bootloader or an image for Secure Boot v2, and verifies what it has signed.

With --signature it takes one that another machine or a token has made of the image's hash:

    openssl dgst -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32 -sign KEY -out SIGNATURE IMAGE

The image must then be as long as a multiple of 4 KiB, as `esptool elf2image --secure-pad-v2` makes it.
"""

import argparse
import sys
from pathlib import Path

from chips import CHIPS
from efuses import Refused, run
from steps import check_image, check_signed, guarded, outside_git

SECTOR = 0x1000
ROOM = 16 << 20


def script() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--chip", required=True, choices=sorted(CHIPS))
    how = options.add_mutually_exclusive_group(required=True)
    how.add_argument("--key", type=Path, help="private key of Secure Boot")
    how.add_argument("--signature", type=Path, help="made elsewhere; needs --public-key")
    options.add_argument("--public-key", type=Path)
    options.add_argument("image", type=Path)
    options.add_argument("output", type=Path)
    args = options.parse_args()
    if args.signature and not args.public_key:
        raise Refused("--signature needs the public half of the key that made it, --public-key")
    check_image(CHIPS[args.chip], args.image, 0, ROOM)
    if args.output.exists():
        raise Refused(f"{args.output} is there already: name another file")
    if args.key:
        outside_git(args.key.parent)
        with_ = ["--keyfile", str(args.key)]
    else:
        if args.image.stat().st_size % SECTOR:
            raise Refused(
                f"{args.image} is not a multiple of 4 KiB long, so that the signature is of something else than will "
                "be signed. Pad it (esptool elf2image --secure-pad-v2), and have that signed"
            )
        with_ = ["--pub-key", str(args.public_key), "--signature", str(args.signature)]
    run(
        "espsecure",
        "sign-data",
        "--version",
        "2",
        *with_,
        "--output",
        str(args.output),
        str(args.image),
    )
    try:
        check_signed(args.output, [args.key or args.public_key])
    except Refused:
        args.output.unlink()
        raise
    print(f"{args.output}: signed, and verified")


if __name__ == "__main__":
    sys.exit(guarded(script))
