"""The steps in which a chip is secured, in their order: docs/firmware-security.md says why it is that one."""

import argparse
import base64
import os
import secrets
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from chips import CHIPS, Chip, Slot
from efuses import Command, Refused, State, Target, run

TABLE = 0x10000  # where partitions-secure.csv has the table of partitions
APP = 0x20000  # and its first slot for an image


@dataclass(frozen=True)
class Step:
    """A step, and what it burns. Its script has its name."""

    name: str
    says: str
    keys: Callable[[Chip], tuple[Slot, ...]] = lambda _: ()
    values: Callable[[Chip], dict[str, int]] = lambda _: {}
    protect: Callable[[Chip], list[str]] = lambda _: []


STEPS = (
    Step(
        "flash_encryption",
        "burns the key of flash encryption, and switches it on for ever",
        keys=lambda chip: chip.flash_key,
        values=lambda chip: chip.flash_on,
    ),
    Step(
        "debuggers",
        "shuts out JTAG and other ways to look into the chip",
        values=lambda chip: chip.closed,
        protect=lambda chip: [chip.cache] if chip.cache else [],
    ),
    Step("nvs_key", "burns the key of NVS", keys=lambda chip: chip.nvs_key),
    Step(
        "secure_boot",
        "burns the digests of Secure Boot, switches it on, and ends read protection",
        keys=lambda chip: chip.digests,
        values=lambda chip: {chip.secure_boot: 1},
        protect=lambda _: ["RD_DIS"],
    ),
    Step(
        "download_mode",
        "closes the download mode, the last way to burn anything",
        values=lambda chip: {chip.download: 1},
    ),
)


@dataclass
class Material:
    """What steps burn or look at that comes from outside the chip."""

    device: Path  # folder of the keys that are this device's alone
    public: list[Path] = field(default_factory=list)  # keys of Secure Boot
    digests: list[bytes] = field(default_factory=list)  # theirs
    bootloader: Path | None = None  # signed, not encrypted
    app: Path | None = None


def left(step: Step, state: State) -> Command:
    """What of a step is not burnt yet, with blocks for keys but no files."""
    chip = state.chip
    keys = [
        (slot.block, Path(), slot.purpose)
        for i, slot in enumerate(step.keys(chip))
        if state.empty(slot.block) and not (step.keys(chip) == chip.digests and state.revoked(i))
    ]
    values = {name: value for name, value in step.values(chip).items() if state.value(name) & value != value}
    return Command(keys, values, [n for n in step.protect(chip) if state.writeable(n)])


def done(step: Step, state: State) -> bool:
    return not left(step, state).arguments()


def _wrong_keys(step: Step, state: State) -> None:
    secret = step.keys(state.chip) != state.chip.digests
    for slot in step.keys(state.chip):
        block = slot.block
        if state.empty(block):
            continue
        if state.purpose(block) != slot.purpose:
            raise Refused(
                f"{block} is for {slot.purpose or slot.alias} but has something else, "
                f"{state.purpose(block) or 'unknown'}. It cannot be emptied: sort this chip out"
            )
        if secret and state.readable(block):
            raise Refused(
                f"the key in {block} can be read: burning was cut short. Compare it with its file; if it is whole, "
                f"burn `espefuse ... read-protect-efuse {block} write-protect-efuse {block}`, then go on here"
            )
        if not secret and not state.readable(block):
            raise Refused(f"the digest in {block} is read-protected, so that no image would start: sort this chip out")


def refuse(step: Step, state: State) -> None:
    """Refuses a step before its turn, and what would end in waste."""
    for before in STEPS[: STEPS.index(step)]:
        if not done(before, state):
            raise Refused(f"{before.name} comes before {step.name}, and is not done. Run {before.name}.py first")
    refuse_waste(step, state)


def refuse_waste(step: Step, state: State) -> None:
    """Refuses what would end in waste, also where virtual eFuses allow it and a chip does not."""
    chip = state.chip
    if state.closed and not done(step, state):
        raise Refused(
            f"the download mode of {chip.name} {state.mac} is closed: nothing can be burnt any more, "
            "whatever virtual eFuses allow. What it lacks, it lacks for ever"
        )
    if chip.revision > state.value("WAFER_VERSION_MAJOR"):
        raise Refused(
            f"this {chip.name} is of revision {state.revision}: Secure Boot v2 needs {chip.revision}.0. "
            "Take another chip"
        )
    if chip.name == "esp32" and state.value("CODING_SCHEME"):
        raise Refused("the coding scheme of this esp32 is not NONE: keys do not fit. Take another chip")
    _wrong_keys(step, state)
    missing = left(step, state)
    if missing.keys and not state.writeable("RD_DIS"):
        raise Refused(
            "RD_DIS is write-protected while keys are missing: they could not be kept secret. Sort this chip out"
        )
    for name in missing.values:
        if not state.writeable(name):
            raise Refused(f"{name} cannot be burnt any more, it is write-protected: sort this chip out")


def _create(file: Path, data: bytes) -> None:
    """Makes a file that nobody else can read, not even for a moment."""
    with open(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as f:
        f.write(data)


def check_owner(state: State, device: Path, what_to_do: str) -> None:
    """Refuses the folder of another device."""
    owner = device / "mac"
    if owner.exists() and owner.read_text() != state.mac:
        raise Refused(f"{device} has the keys of another device, {owner.read_text()}: {what_to_do}")


def _device_key(material: Material, state: State, name: str, size: int) -> Path:
    """The file of a key of this device alone; it is made at random if it is not there."""
    file = material.device / name
    material.device.mkdir(mode=0o700, parents=True, exist_ok=True)
    check_owner(state, material.device, "name an empty folder")
    (material.device / "mac").write_text(state.mac)
    if not file.exists():
        _create(file, secrets.token_bytes(size))
    if file.stat().st_size != size:
        raise Refused(f"{file} has {file.stat().st_size} bytes, not {size}: it is another chip's")
    return file


def command(step: Step, state: State, material: Material) -> Command:
    """What is to be burnt, with the files of the keys."""
    chip = state.chip
    missing = left(step, state)
    files: dict[str, Path] = {}
    if step.name == "flash_encryption" and missing.keys:
        if len(missing.keys) != len(chip.flash_key):
            raise Refused("one half of the key of flash encryption is burnt, and the other is not: sort this chip out")
        whole = _device_key(material, state, "flash.key", 32 * len(chip.flash_key)).read_bytes()
        for i, slot in enumerate(chip.flash_key):
            files[slot.block] = material.device / f"flash-{i + 1}.part"
            files[slot.block].unlink(missing_ok=True)
            _create(files[slot.block], whole[32 * i : 32 * (i + 1)])
    if step.name == "nvs_key" and missing.keys:
        files[chip.nvs_key[0].block] = _device_key(material, state, "nvs.key", 32)
    if step.name == "secure_boot":
        for i, slot in enumerate(chip.digests):
            files[slot.block] = material.device / f"digest-{i}.bin"
            files[slot.block].write_bytes(material.digests[i])
    alias = {slot.block: slot.alias for slot in step.keys(chip)}
    missing.keys = [(alias[block] or block, files[block], purpose) for block, _, purpose in missing.keys]
    return missing


def check(step: Step, state: State, material: Material) -> None:
    """Looks, after a step, whether the chip has what it should."""
    _wrong_keys(step, state)
    missing = left(step, state).arguments()
    if missing:
        raise Refused(
            f"after {step.name}, this is still missing: {' '.join(missing)}. "
            "Keep the power on, and see what diagnose.py says"
        )
    if step.name == "secure_boot":
        usable_keys(state, material)


def usable_keys(state: State, material: Material) -> list[Path]:
    """Which public keys count once Secure Boot is on. Refuses a digest in the chip that is none of theirs."""
    keys = []
    for i, slot in enumerate(state.chip.digests):
        if state.revoked(i):
            continue
        if not state.empty(slot.block) and state.key(slot.block) != material.digests[i]:
            raise Refused(
                f"the digest in {slot.block} is not that of {material.public[i]}. "
                + (
                    f"Is it a wrong one? revoke_key.py --slot {i} has it count no more; then go on here"
                    if len(state.chip.digests) > 1
                    else f"{state.chip.name} has only one: sort this chip out"
                )
            )
        keys.append(material.public[i])
    if not keys:
        raise Refused("all keys of Secure Boot are revoked: no image would start. Sort this chip out")
    return keys


# How a SubjectPublicKeyInfo begins: its length, and the object identifier of RSA; and that of keys on a curve.
_RSA_3072 = bytes.fromhex("308201a2300d06092a864886f70d0101010500")
_EC_KEY = bytes.fromhex("06072a8648ce3d0201")


def _check_key(chip: Chip, file: Path) -> bytes:
    """The key in DER, if the chip can verify with it."""
    text = file.read_text(errors="replace")
    if "PRIVATE KEY" in text:
        raise Refused(
            f"{file} is a private key: it must not be here. Take its public half, which make_keys.py wrote beside it"
        )
    if "-----BEGIN PUBLIC KEY-----" not in text:
        raise Refused(f"{file} is no public key in PEM")
    der = base64.b64decode("".join(line for line in text.splitlines() if not line.startswith("-----")))
    if der.startswith(_RSA_3072):
        return der
    if _EC_KEY not in der[:20]:
        raise Refused(f"{file} is no key for Secure Boot v2: take RSA-3072")
    if not chip.ecdsa:
        raise Refused(
            f"{file} is an ECDSA key. The ROM of {chip.name} knows RSA alone: with its digest no image would start, "
            "whatever virtual eFuses allow. Take RSA-3072"
        )
    return der


def read_keys(chip: Chip, material: Material) -> None:
    """Checks the public keys, and computes their digests."""
    wanted = len(chip.digests)
    if len(material.public) != wanted:
        raise Refused(
            f"{chip.name} takes {wanted} key(s) of Secure Boot, not {len(material.public)}: "
            "name each with --public-key, in the order of their slots"
        )
    if len({_check_key(chip, file) for file in material.public}) != wanted:
        raise Refused("two of the public keys are the same: then losing one loses both")
    for file in material.public:
        out = material.device / "digest.bin"
        out.unlink(missing_ok=True)
        run("espsecure", "digest-sbv2-public-key", "--keyfile", str(file), "--output", str(out))
        material.digests.append(out.read_bytes())


def check_image(chip: Chip, file: Path, at: int, end: int) -> None:
    """Whether a file is an image for the chip that fits between two addresses."""
    data = file.read_bytes()
    if data[:1] != b"\xe9":
        raise Refused(
            f"{file} is no image: it begins with {data[:1].hex() or 'nothing'}, not e9. "
            "If it is encrypted: images are signed first, and encrypted then"
        )
    if int.from_bytes(data[12:14], "little") != chip.image_id:
        raise Refused(f"{file} is for another chip than {chip.name}")
    if len(data) > end - at:
        raise Refused(f"{file} has {len(data)} bytes. At {at:#x} there is room for {end - at} before what comes next")


def check_signed(file: Path, keys: list[Path]) -> None:
    """Whether one of the keys has signed an image."""
    for key in keys:
        try:
            run("espsecure", "verify-signature", "--version", "2", "--keyfile", str(key), str(file))
        except Refused:
            continue
        return
    names = ", ".join(str(key) for key in keys)
    raise Refused(f"{file} is not signed by any of {names}: the chip would not start it. See sign_image.py")


def check_images(state: State, material: Material) -> tuple[Path, Path]:
    """Whether the chip, with Secure Boot on, would start what there is to be written."""
    if material.bootloader is None or material.app is None:
        raise Refused("from this step on, a chip with no signed image is waste: name them, --bootloader and --app")
    check_image(state.chip, material.bootloader, state.chip.bootloader, TABLE)
    check_image(state.chip, material.app, APP, APP + 0x1C0000)
    keys = usable_keys(state, material)
    for file in (material.bootloader, material.app):
        check_signed(file, keys)
    return material.bootloader, material.app


def take(target: Target, state: State, steps: list[Step], material: Material) -> State:
    """Takes steps, one after the other. Reads the eFuses before and after each. Returns how they are then."""
    state = target.again(state)
    for step in steps:
        refuse(step, state)
        if done(step, state):
            print(f"{step.name}: done already")
            continue
        target.burn(command(step, state, material))
        if step.name == "download_mode" and target.port:
            print(f"{step.name}: done. From here on nobody can read its eFuses")
            break
        state = target.again(state)
        check(step, state, material)
        print(f"{step.name}: done")
    return state


def rehearse(target: Target, state: State, steps: list[Step], material: Material) -> State:
    """Burns what steps would burn into virtual eFuses that are like the target's, all at once.

    Returns how the eFuses would be.
    """
    refuse(steps[0], state)
    whole = Command([], {}, [])
    for step in steps:
        refuse_waste(step, state)
        part = command(step, state, material)
        whole = Command(whole.keys + part.keys, whole.values | part.values, whole.protect + part.protect)
    if whole.arguments():
        with tempfile.TemporaryDirectory() as folder:
            copy = target.copy(Path(folder))
            copy.burn(whole)
            after = copy.read()
    else:
        after = state
    for step in steps:
        check(step, after, material)
        print(f"{step.name}: {'done already' if done(step, state) else 'can be done, virtual eFuses say'}")
    return after


def confirm(target: Target, state: State) -> State:
    """Has the chip's MAC typed, without saying it: so nobody burns another chip than the one he holds.

    Then reads the chip again, as it may be another one by now.
    """
    print(f"this burns eFuses of an {state.chip.name}, for good. The power must stay on.")
    try:
        typed = input("the MAC of the chip that is meant, from its label: ")
    except EOFError:
        typed = ""
    if typed.strip().lower() != state.mac:
        raise Refused("that is not the MAC of the chip that is connected: nothing was burnt")
    return target.again(state)


def outside_git(folder: Path) -> None:
    """Refuses a folder for keys that could be committed."""
    for parent in (folder.resolve(), *folder.resolve().parents):
        if (parent / ".git").exists():
            raise Refused(
                f"{folder} is in the Git repository {parent}: keys must not be there. Name a folder elsewhere"
            )


def private(folder: Path) -> None:
    """Makes a folder for keys, or refuses one that is not this user's alone."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    there = folder.stat()
    if there.st_uid != os.getuid() or there.st_mode & 0o077:
        raise Refused(f"{folder} is not yours alone: keys in it could be read. Name a new folder, which is made so")


def parser(text: str | None) -> argparse.ArgumentParser:
    """The options of all scripts that read or burn eFuses."""
    options = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--chip", required=True, choices=sorted(CHIPS))
    where = options.add_mutually_exclusive_group(required=True)
    where.add_argument("--port", default="", help="the serial port of a real chip")
    where.add_argument("--virtual", type=Path, help="a file with virtual eFuses; a new one is a new chip")
    return options


def add_burning(options: argparse.ArgumentParser) -> None:
    options.add_argument("--burn", action="store_true", help="burn; without it all is tried on a copy of the eFuses")
    options.add_argument("--device", type=Path, help="folder for the keys of this device alone, in memory (/dev/shm)")


def add_images(options: argparse.ArgumentParser) -> None:
    options.add_argument("--public-key", type=Path, action="append", default=[])
    options.add_argument("--bootloader", type=Path, help="signed")
    options.add_argument("--app", type=Path, help="signed")


def target_of(args: argparse.Namespace) -> Target:
    return Target(CHIPS[args.chip], port=args.port, virtual=args.virtual)


def guarded(script: Callable[[], None]) -> int:
    """Runs a script; what it refuses is one line on standard error and exit code 1."""
    try:
        script()
    except Refused as refused:
        print(f"refused: {refused}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"refused: {error}", file=sys.stderr)
        return 1
    return 0


def prepare(args: argparse.Namespace, steps: list[Step], material: Material) -> tuple[Target, State]:
    """Rehearses steps, and has the MAC typed if they are to be taken. Returns the chip, and how it is."""
    target = target_of(args)
    signing = any(step.name == "secure_boot" for step in steps)
    if signing:
        read_keys(target.chip, material)
    state = target.read()
    after = rehearse(target, state, steps, material)
    if signing:
        check_images(after, material)
    if args.burn:
        state = confirm(target, state)
    else:
        print("nothing was burnt: that takes --burn")
    return target, state


def main(name: str) -> int:
    """The command line of one step."""

    def script() -> None:
        step = next(step for step in STEPS if step.name == name)
        options = parser(f"Step {name}: {step.says}.")
        add_burning(options)
        if name == "secure_boot":
            add_images(options)
        args = options.parse_args()
        with tempfile.TemporaryDirectory() as scratch:
            material = material_of(args, Path(scratch))
            target, state = prepare(args, [step], material)
            if args.burn:
                take(target, state, [step], material)

    return guarded(script)


def material_of(args: argparse.Namespace, scratch: Path) -> Material:
    """What the options name. A dry run without a folder for the device's keys makes some that nobody keeps."""
    if args.device:
        outside_git(args.device)
        private(args.device)
    elif args.burn:
        raise Refused("where are the keys of this device to be? Name a folder in memory, --device /dev/shm/DEVICE")
    return Material(
        device=args.device or scratch,
        public=getattr(args, "public_key", []),
        bootloader=getattr(args, "bootloader", None),
        app=getattr(args, "app", None),
    )
