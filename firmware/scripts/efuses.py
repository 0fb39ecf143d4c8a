"""Reads and burns the eFuses of a chip, or of a virtual one, by Espressif's espefuse."""

import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chips import Chip


class Refused(Exception):
    """What is not done, why, and what to do instead."""


def program(tool: str, *args: str) -> tuple[int, str]:
    """Runs a module of this Python as a program, and returns its exit code and what it printed."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", tool, *args],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def run(tool: str, *args: str) -> str:
    """Runs esptool, espsecure or espefuse, and returns what it printed. It must succeed."""
    code, printed = program(tool, *args)
    if code == 0:
        return printed
    if f"No module named {tool}" in printed:
        raise Refused(f"{sys.executable} has no {tool}. Install it: python3 -m pip install esptool")
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    raise Refused(f"{tool} failed: " + " / ".join(lines[-3:]))


class State:
    """The eFuses of a chip at one time."""

    def __init__(self, chip: Chip, fuses: dict[str, Any]) -> None:
        self.chip = chip
        self.fuses = fuses

    def _fuse(self, name: str) -> dict[str, Any]:
        fuse = self.fuses.get(name)
        if not isinstance(fuse, dict):
            raise Refused(
                f"espefuse shows no eFuse {name} of {self.chip.name}: it may be another version. "
                "These scripts were tried with esptool 5.6"
            )
        return fuse

    def value(self, name: str) -> int:
        """The bits of an eFuse. A key that cannot be read is 0."""
        return int(str(self._fuse(name)["raw_value"]), 0)

    def key(self, block: str) -> bytes:
        """The bytes of a block in the order in which they are burnt; zeros if they cannot be read."""
        text = str(self._fuse(block)["value"]).split("(")[0]
        return bytes(32) if "?" in text else bytes.fromhex(text.replace(" ", ""))

    def readable(self, name: str) -> bool:
        return bool(self._fuse(name)["readable"])

    def writeable(self, name: str) -> bool:
        return bool(self._fuse(name)["writeable"])

    def purpose(self, block: str) -> str:
        """What a key block is for; of ESP32, whose blocks have one purpose each, nothing."""
        if not block.startswith("BLOCK_KEY"):
            return ""
        return str(self._fuse("KEY_PURPOSE_" + block.removeprefix("BLOCK_KEY"))["value"])

    def empty(self, block: str) -> bool:
        return (
            self.readable(block)
            and self.writeable(block)
            and not any(self.key(block))
            and self.purpose(block) in {"", "USER"}
        )

    def revoked(self, slot: int) -> bool:
        """Whether the key of Secure Boot in a slot counts no more. ESP32 has one key, for ever."""
        return len(self.chip.digests) > 1 and bool(self.value(f"SECURE_BOOT_KEY_REVOKE{slot}"))

    @property
    def mac(self) -> str:
        return str(self._fuse("MAC")["value"]).split(" ")[0].lower()

    @property
    def revision(self) -> str:
        return f"{self.value('WAFER_VERSION_MAJOR')}.{self.value('WAFER_VERSION_MINOR')}"

    @property
    def closed(self) -> bool:
        """Whether espefuse can burn nothing any more."""
        also = "" if self.chip.name == "esp32" else "DIS_DOWNLOAD_MODE"
        return any(self.value(name) for name in (self.chip.download, also) if name)


@dataclass
class Command:
    """What espefuse is to burn at once: it burns keys first, and what protects and switches them on last."""

    keys: list[tuple[str, Path, str]]  # block, file, purpose
    values: dict[str, int]
    protect: list[str]  # from being written

    def arguments(self) -> list[str]:
        args: list[str] = []
        if self.keys:
            args.append("burn-key")
            for block, file, purpose in self.keys:
                args += [block, str(file), *([purpose] if purpose else [])]
        if self.values:
            args.append("burn-efuse")
            for name, value in self.values.items():
                args += [name, str(value)]
        if self.protect:
            args += ["write-protect-efuse", *self.protect]
        return args


class Target:
    """A chip at a serial port, or virtual eFuses in a file."""

    def __init__(self, chip: Chip, *, port: str = "", virtual: Path | None = None) -> None:
        self.chip = chip
        self.port = port
        self.virtual = virtual

    def _espefuse(self, *command: str) -> str:
        where = ["--port", self.port]
        if self.virtual:
            where = ["--virt", "--path-efuse-file", str(self.virtual)]
        return run("espefuse", *where, "--do-not-confirm", "--chip", self.chip.name, *command)

    def read(self) -> State:
        """Reads all eFuses. A virtual chip that is not there yet is made: a new one, fit for Secure Boot v2."""
        if self.virtual and not self.virtual.exists() and self.chip.revision:
            self._espefuse("burn-efuse", "CHIP_VER_REV1", "1", "CHIP_VER_REV2", "1")
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "summary.json"
            self._espefuse("summary", "--format", "json", "--file", str(file))
            return State(self.chip, json.loads(file.read_text()))

    def again(self, before: State) -> State:
        """Reads all eFuses once more. It must still be the same chip: what is burnt next was made for it alone."""
        state = self.read()
        if state.mac != before.mac:
            raise Refused(
                f"another chip is connected now, {state.mac}: this began with {before.mac}. "
                "Connect that again, and start anew"
            )
        return state

    def burn(self, command: Command) -> None:
        """Burns. Nothing asks any more here, and nothing can be undone."""
        self._espefuse(*command.arguments())

    def copy(self, folder: Path) -> "Target":
        """Virtual eFuses that are like these, to try something with."""
        copy = Target(self.chip, virtual=folder / "copy.bin")
        assert copy.virtual is not None  # noqa: S101
        if self.virtual:
            if self.virtual.exists():
                shutil.copy(self.virtual, copy.virtual)
            return copy
        dump = folder / "dump"
        self._espefuse("dump", "--format", "token", "--file-name", str(dump))
        token = dump.read_text().strip()
        args = ["--virt", "--token", token, "--path-efuse-file", str(copy.virtual)]
        run("espefuse", *args, "--chip", self.chip.name, "check-error")
        return copy
