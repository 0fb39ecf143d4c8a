"""The scripts against the real espefuse and espsecure, with virtual eFuses, and against eFuses that are mended here.

The tools are run as programs, in copies of this process that have loaded them and a quicker reader of YAML: both take
them longer than their work.
"""

import hashlib
import importlib
import json
import os
import runpy
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import diagnose
import efuses
import factory
import make_keys
import partition_table
import revoke_key
import sign_image
import sizes
import steps
import write_flash
from chips import CHIPS, Chip
from efuses import Refused, State, Target
from steps import STEPS, Material

TOOLS = ("espefuse", "espsecure")


def forked(tool: str, *args: str) -> tuple[int, str]:
    """Runs a tool in a copy of this process, as `python -m` would in a new one."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        os.dup2(write, 1)
        os.dup2(write, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
        sys.argv = [tool, *args]
        try:
            runpy.run_module(tool, run_name="__main__", alter_sys=True)
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    os.close(write)
    with os.fdopen(read, "r") as f:
        printed = f.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), printed


@pytest.fixture(autouse=True)
def tools(monkeypatch: pytest.MonkeyPatch) -> None:
    for tool in TOOLS:
        importlib.import_module(tool)
    yaml = importlib.import_module("yaml")
    monkeypatch.setattr(yaml, "SafeLoader", getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    monkeypatch.setattr(efuses, "program", forked)


def image(chip: Chip, size: int = 4096) -> bytes:
    """An image with one segment."""
    data = bytes(i % 251 for i in range(size))
    head = struct.pack("<BBBBI", 0xE9, 1, 2, 0x20, 0x40380000) + bytes([0xEE, 0, 0, 0])
    head += struct.pack("<H", chip.image_id) + bytes(9) + b"\x01"
    body = head + struct.pack("<II", 0x3FC80000, size) + data
    check = 0xEF
    for byte in data:
        check ^= byte
    body += bytes(15 - len(body) % 16) + bytes([check])
    return body + hashlib.sha256(body).digest()


Cli = Callable[..., tuple[int, str]]


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Runs a script, with what is typed, and returns its exit code and what it printed."""

    def call(script: Callable[[], int], *args: object, typed: str = "") -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["script", *map(str, args)])
        monkeypatch.setattr("builtins.input", lambda _: typed)
        code = script()
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return call


def guarded(module: Any) -> Callable[[], int]:
    return lambda: steps.guarded(module.script)


OFF = {"raw_value": "0x0", "value": 0, "writeable": True}
ON = {"raw_value": "0x1", "value": 1}
FULL = {"raw_value": "0x1", "value": "01 " * 32}
LOCKED = {"writeable": False}


def changed(state: State, fuses: dict[str, dict[str, Any]]) -> State:
    """A state in which some eFuses are otherwise."""
    return State(state.chip, {k: v | fuses.get(k, {}) for k, v in state.fuses.items()})


class Shelf:
    """A chip of each kind, new and with all steps taken, and what was burnt into it. Made when first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._made: dict[str, tuple[State, State, Material]] = {}

    def take(self, name: str) -> tuple[State, State, Material]:
        if name not in self._made:
            chip = CHIPS[name]
            material = Material(
                self.folder / name,
                public=[Path(f"{i}.pem") for i in range(len(chip.digests))],
                digests=[os.urandom(32) for _ in chip.digests],
            )
            target = Target(chip, virtual=self.folder / f"{name}.bin")
            new = target.read()
            after = steps.rehearse(target, new, list(STEPS), material)
            self._made[name] = new, after, material
        return self._made[name]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    return Shelf(tmp_path_factory.mktemp("shelf"))


@pytest.mark.parametrize("name", sorted(CHIPS))
def test_all_steps_secure_every_chip(name: str, shelf: Shelf) -> None:
    new, after, material = shelf.take(name)
    chip = CHIPS[name]
    for step in STEPS:
        assert steps.done(step, after)
        assert not steps.done(step, new) or not (step.keys(chip) or step.values(chip))
    for slot in chip.flash_key + chip.nvs_key:
        assert after.purpose(slot.block) == slot.purpose
        assert not after.readable(slot.block)
        assert not after.writeable(slot.block)
    assert [after.key(slot.block) for slot in chip.digests] == material.digests
    assert not after.writeable("RD_DIS")
    # Virtual eFuses would burn more. A chip does not, and so the scripts do not.
    assert after.closed
    fuse = next(iter(chip.flash_on))
    with pytest.raises(Refused, match="nothing can be burnt any more"):
        steps.refuse(STEPS[0], changed(after, {fuse: OFF}))
    assert steps.rehearse(Target(chip), after, list(STEPS), material) is after


def test_steps_are_not_taken_before_their_turn(shelf: Shelf) -> None:
    new, _, _ = shelf.take("esp32c3")
    for step in STEPS[1:]:
        with pytest.raises(Refused, match="flash_encryption comes before"):
            steps.refuse(step, new)


@pytest.mark.parametrize(
    ("name", "secured", "fuses", "step", "says"),
    [
        ("esp32", False, {"WAFER_VERSION_MAJOR": {"raw_value": "0x1"}}, 0, "Secure Boot v2 needs 3.0"),
        ("esp32", False, {"CODING_SCHEME": ON}, 0, "coding scheme"),
        (
            "esp32c3",
            False,
            {"BLOCK_KEY0": FULL, "KEY_PURPOSE_0": {"value": "HMAC_UP"}},
            0,
            "has something else, HMAC_UP",
        ),
        ("esp32c3", False, {"RD_DIS": LOCKED}, 0, "could not be kept secret"),
        ("esp32c3", False, {"SPI_BOOT_CRYPT_CNT": LOCKED}, 0, "cannot be burnt any more"),
        ("esp32s3", True, {"BLOCK_KEY1": {"readable": True}}, 0, "the key in BLOCK_KEY1 can be read"),
        ("esp32c6", True, {"BLOCK_KEY2": {"readable": False}}, 3, "no image would start"),
    ],
)
def test_waste_is_sorted_out(  # noqa: PLR0913, PLR0917
    name: str, secured: bool, fuses: dict[str, dict[str, Any]], step: int, says: str, shelf: Shelf
) -> None:
    new, after, _ = shelf.take(name)
    with pytest.raises(Refused, match=says):
        steps.refuse(STEPS[step], changed(after if secured else new, fuses))


def test_half_a_key_is_not_completed(shelf: Shelf) -> None:
    new, _, material = shelf.take("esp32s3")
    half: dict[str, dict[str, Any]] = {
        "BLOCK_KEY0": {"readable": False, "writeable": False},
        "KEY_PURPOSE_0": {"value": "XTS_AES_256_KEY_1"},
    }
    with pytest.raises(Refused, match="the other is not"):
        steps.command(STEPS[0], changed(new, half), material)


def test_no_two_devices_get_the_same_keys(shelf: Shelf) -> None:
    new, _, material = shelf.take("esp32c3")
    with pytest.raises(Refused, match="the keys of another device, 00:00"):
        steps.command(STEPS[0], changed(new, {"MAC": {"value": "34:85:18:00:00:01 (OK)"}}), material)


def test_a_wrong_digest_is_revoked_where_there_is_another_slot(shelf: Shelf) -> None:
    _, after, material = shelf.take("esp32c3")
    other = Material(material.device, material.public, [os.urandom(32), *material.digests[1:]])
    with pytest.raises(Refused, match=r"revoke_key\.py --slot 0"):
        steps.usable_keys(after, other)
    revoked = changed(after, {"SECURE_BOOT_KEY_REVOKE0": ON})
    assert steps.usable_keys(revoked, other) == material.public[1:]
    _, after, material = shelf.take("esp32")
    with pytest.raises(Refused, match="has only one"):
        steps.usable_keys(after, Material(material.device, material.public, [bytes(32)]))


def test_no_last_key_is_revoked(shelf: Shelf) -> None:
    new, after, _ = shelf.take("esp32c3")
    still_open = changed(after, {"ENABLE_SECURITY_DOWNLOAD": OFF})
    revoke_key.refuse(still_open, 0)
    others = {"SECURE_BOOT_KEY_REVOKE1": ON, "SECURE_BOOT_KEY_REVOKE2": ON}
    for state, slot, says in (
        (changed(still_open, others), 0, "no other key would be left"),
        (changed(still_open, others), 1, "revoked already"),
        (after, 0, "have its firmware revoke"),
        (new, 3, "no slot 3"),
        (shelf.take("esp32")[0], 0, "one key for ever"),
    ):
        with pytest.raises(Refused, match=says):
            revoke_key.refuse(state, slot)


P256 = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpZP40Li
/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==
-----END PUBLIC KEY-----
"""


def test_keys_that_do_not_fit_the_chip(tmp_path: Path) -> None:
    ecdsa = tmp_path / "ecdsa.pub.pem"
    ecdsa.write_text(P256)
    for name in ("esp32", "esp32s2", "esp32s3", "esp32c3"):
        with pytest.raises(Refused, match="knows RSA alone"):
            steps.read_keys(CHIPS[name], Material(tmp_path, [ecdsa] * len(CHIPS[name].digests)))
    private, other = tmp_path / "private.pem", tmp_path / "other.pem"
    private.write_text(P256.replace("PUBLIC", "PRIVATE"))
    other.write_text("ssh-rsa AAAA")
    for keys, says in (
        ([ecdsa] * 2, "takes 3 key"),
        ([ecdsa] * 3, "the same"),
        ([private] * 3, "is a private key"),
        ([other] * 3, "no public key in PEM"),
    ):
        with pytest.raises(Refused, match=says):
            steps.read_keys(CHIPS["esp32c6"], Material(tmp_path, keys))


def test_from_the_key_ceremony_to_encrypted_images(  # noqa: PLR0915
    shelf: Shelf, tmp_path: Path, cli: Cli
) -> None:
    chip, keys = CHIPS["esp32"], tmp_path / "keys"
    assert cli(guarded(make_keys), "--chip", "esp32", keys)[0] == 0
    key, public = keys / "secure-boot-0.pem", keys / "secure-boot-0.pub.pem"
    assert key.stat().st_mode & 0o77 == 0
    wrong: list[tuple[tuple[object, ...], str]] = [
        ((keys,), "not empty"),
        ((Path(__file__).parent / "keys",), "is in the Git repository"),
        (("--scheme", "ecdsa256", tmp_path / "more"), "knows RSA alone"),
    ]
    for args, says in wrong:
        code, printed = cli(guarded(make_keys), "--chip", "esp32", *args)
        assert code == 1
        assert says in printed

    boot, app, signed_boot, signed_app = (tmp_path / n for n in ("boot", "app", "boot.signed", "app.signed"))
    boot.write_bytes(image(chip))
    app.write_bytes(image(chip, 8112))
    sign = (guarded(sign_image), "--chip", "esp32")
    assert cli(*sign, "--key", key, boot, signed_boot)[0] == 0
    # Elsewhere, by OpenSSL, of an image that is as long as two sectors.
    how = "-sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32"
    assert os.system(f"openssl dgst {how} -sign {key} -out {tmp_path}/signature {app}") == 0  # noqa: S605
    made = ("--signature", tmp_path / "signature", "--public-key", public)
    assert cli(*sign, *made, app, signed_app)[0] == 0
    boot.with_suffix(".encrypted").write_bytes(os.urandom(4096))
    wrong = [
        (("--key", key, boot.with_suffix(".encrypted"), tmp_path / "a"), "signed first, and encrypted then"),
        (("--key", key, boot, signed_boot), "is there already"),
        ((*made, boot, tmp_path / "a"), "not a multiple of 4 KiB"),
        ((*made, signed_boot, tmp_path / "a"), "espsecure failed"),
    ]
    for args, says in wrong:
        code, printed = cli(*sign, *args)
        assert code == 1
        assert says in printed
        assert not (tmp_path / "a").exists()
    code, printed = cli(guarded(sign_image), "--chip", "esp32c3", "--key", key, boot, tmp_path / "a")
    assert "is for another chip" in printed

    table, device = tmp_path / "table", shelf.take("esp32")[2].device
    table.write_bytes(b"\xaa\x50" + bytes(0xBFE))
    virtual, record = tmp_path / "chip.bin", tmp_path / "record.json"
    options = ["--chip", "esp32", "--virtual", virtual, "--public-key", public, "--table", table]
    options += ["--bootloader", signed_boot, "--device", tmp_path / "device", "--record", record]
    code, printed = cli(guarded(factory), *options, "--app", app)
    assert "is not signed by any" in printed
    code, printed = cli(guarded(factory), *options, "--app", signed_app)
    assert code == 0, printed
    assert "nothing was burnt" in printed
    code, printed = cli(guarded(factory), *options, "--app", signed_app, "--burn", typed="00:00:00:00:00:01")
    assert "not the MAC" in printed
    assert not record.exists()
    code, printed = cli(guarded(diagnose), *options[:4])
    assert "go on with flash_encryption.py" in printed

    state = changed(
        shelf.take("esp32")[1],
        {"BLOCK2": {"value": (keys / "secure-boot-0.digest").read_bytes().hex(" ")}},
    )
    material = Material(device, [public], [state.key("BLOCK2")], signed_boot, signed_app)
    written = write_flash.encrypt(state, material, table)
    assert [at for at, _ in written] == [0x1000, 0x10000, 0x20000]
    plain = tmp_path / "plain"
    how = f"--keyfile {device}/flash.key --address 0x20000 --output {plain} {written[2][1]}"
    efuses.run("espsecure", "decrypt-flash-data", *how.split())
    assert plain.read_bytes() == signed_app.read_bytes()
    swapped = changed(state, {"MAC": {"value": "34:85:18:00:00:01 (OK)"}})
    with pytest.raises(Refused, match="the keys of another device"):
        write_flash.encrypt(swapped, material, table)
    (device / "flash.key").rename(device / "lost")
    with pytest.raises(Refused, match="nobody can read it from the chip"):
        write_flash.encrypt(state, material, table)

    code, printed = cli(guarded(factory), *options, "--app", signed_app, "--burn", typed="00:00:00:00:00:00")
    assert code == 0, printed
    assert json.loads(record.read_text())["digests"] == [(keys / "secure-boot-0.digest").read_bytes().hex()]
    assert not (tmp_path / "device").exists()
    code, printed = cli(guarded(diagnose), *options[:6])
    assert f"of {public}" in printed
    assert "to do: nothing" in printed


def test_a_step_is_burnt_when_the_mac_is_typed(tmp_path: Path, cli: Cli) -> None:
    device, virtual = tmp_path / "device", tmp_path / "chip.bin"
    options = ("--chip", "esp32s2", "--virtual", virtual)
    step = ("flash_encryption", "nvs_key")
    call: list[Callable[[], int]] = [lambda: steps.main(step[0]), lambda: steps.main(step[1])]
    code, printed = cli(call[0], *options, "--burn")
    assert "where are the keys" in printed
    code, printed = cli(call[0], *options, "--burn", "--device", device, typed="00:00:00:00:00:00")
    assert code == 0, printed
    code, printed = cli(call[1], *options)
    assert "debuggers comes before nvs_key" in printed
    code, printed = cli(
        guarded(revoke_key), *options, "--slot", 1, "--burn", "--device", device, typed=" 00:00:00:00:00:00\n"
    )
    assert "is revoked" in printed
    assert code == 0, printed


def test_a_chip_that_is_swapped_is_not_burnt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli) -> None:
    chip, virtual, other, block = CHIPS["esp32s2"], tmp_path / "chip.bin", tmp_path / "other.bin", tmp_path / "block"
    block.write_bytes(b"\x01" + bytes(23))
    virt = ("--virt", "--path-efuse-file", str(other), "--do-not-confirm", "--chip", chip.name)
    efuses.run("espefuse", *virt, "burn-block-data", "BLOCK1", str(block))
    swapped = other.read_bytes()
    target = Target(chip, virtual=virtual)
    state = target.read()
    new, material = virtual.read_bytes(), Material(tmp_path / "device")

    def swap(*_: object) -> str:
        virtual.write_bytes(swapped)
        return state.mac

    options = ("--chip", chip.name, "--virtual", virtual, "--burn", "--device", tmp_path / "device")
    scripts: list[tuple[Callable[[], int], tuple[object, ...]]] = [
        (lambda: steps.main("flash_encryption"), ()),
        (guarded(revoke_key), ("--slot", 1)),
    ]
    for script, more in scripts:
        virtual.write_bytes(new)
        with monkeypatch.context() as patch:
            # The fixture sets what is typed; here the chip is swapped while it is.
            patch.setattr(steps, "input", swap, raising=False)
            code, printed = cli(script, *options, *more)
        assert code == 1
        assert "another chip is connected now" in printed
        assert virtual.read_bytes() == swapped
    with pytest.raises(Refused, match="another chip is connected now"):
        steps.take(target, state, list(STEPS), material)
    with pytest.raises(Refused, match="another chip is connected now"):
        write_flash.write(target, state, [])
    # And between two steps.
    virtual.write_bytes(new)
    burn = Target.burn

    def burn_and_swap(target: Target, command: efuses.Command) -> None:
        burn(target, command)
        swap()

    monkeypatch.setattr(Target, "burn", burn_and_swap)
    with pytest.raises(Refused, match="another chip is connected now"):
        steps.take(target, state, list(STEPS), material)
    assert virtual.read_bytes() == swapped


def test_nobody_else_can_read_the_keys(tmp_path: Path, shelf: Shelf, cli: Cli) -> None:
    new, _, _ = shelf.take("esp32s3")
    device = tmp_path / "device"
    device.mkdir()
    device.chmod(0o755)
    options = ("--chip", "esp32s3", "--virtual", tmp_path / "chip.bin", "--device", device)
    code, printed = cli(lambda: steps.main("flash_encryption"), *options)
    assert code == 1
    assert "is not yours alone" in printed
    assert not list(device.iterdir())
    device.chmod(0o700)
    part = device / "flash-1.part"
    part.write_bytes(bytes(64))
    part.chmod(0o644)
    before = os.umask(0)
    try:
        with part.open("rb") as opened:
            steps.command(STEPS[0], new, Material(device))
            assert opened.read() == bytes(64)
    finally:
        os.umask(before)
    for name in ("flash.key", "flash-1.part", "flash-2.part"):
        assert (device / name).stat().st_mode & 0o77 == 0


def test_missing_tools_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    with pytest.raises(Refused, match="pip install esptool"):
        efuses.run("no_such_tool")


def test_a_table_of_partitions_is_made() -> None:
    text = "# Name\nnvs, data, nvs, 0x9000, 24K\nota_1,app,ota_1,0x20000,1M,encrypted\n"
    text += "log, data, 0x40, 0x3a0000, 0x40000,\n"
    made = partition_table.table(text)
    assert len(made) == partition_table.SIZE
    first, second, third = (made[at : at + 32] for at in (0, 32, 64))
    assert first == struct.pack("<HBBII16sI", 0x50AA, 1, 2, 0x9000, 0x6000, b"nvs", 0)
    assert second == struct.pack("<HBBII16sI", 0x50AA, 0, 0x11, 0x20000, 1 << 20, b"ota_1", 1)
    assert third == struct.pack("<HBBII16sI", 0x50AA, 1, 0x40, 0x3A0000, 0x40000, b"log", 0)
    assert made[96:128] == b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(made[:96]).digest()  # noqa: S324
    assert set(made[128:]) == {0xFF}
    long = f"{'n' * 17}, data, nvs, 0, 1"
    for wrong in ("nvs, data, nvs, 0x9000", "nvs, file, nvs, 0, 1", "nvs, data, what, 0, 1", long):
        with pytest.raises(Refused):
            partition_table.table(wrong)
    with pytest.raises(Refused, match="too many"):
        partition_table.table("nvs, data, nvs, 0, 1\n" * 96)


def test_a_map_is_added_up() -> None:
    text = """\
     VMA      LMA     Size Align Out     In      Symbol
40380000 40380000       10     4 .rwtext
40380000 40380000       10     4         /x/out/libpp.a(a.o):(.wifi0iram.1)
42000020 42000020      150     4 .text
42000020 42000020       64     2         /x/out/libunhidra_core.a(ws.o):(.text.uh_ws_feed)
42000020 42000020       64     1                 uh_ws_feed
42000084 42000084       ec     2         /x/unhidra-0123456789abcdef.unhidra.rcgu.o:(.text.main)
3fc80000 3fc80000        8     4 .bss
3fc80000 3fc80000        8     4         /x/out/libmbedtls.a(ssl.o):(.bss.x)
       0        0      999     1 .debug_info
       0        0      999     1         /x/out/libmbedtls.a(ssl.o):(.debug_info)
"""
    libraries, symbols = sizes.read(text)
    assert libraries["flash"] == {"unhidra_core": 100, "rust": 236}
    assert libraries["RAM with contents"] == {"pp": 16}
    assert libraries["RAM"] == {"mbedtls": 8}
    assert symbols == {"uh_ws_feed": 100}
    printed = sizes.report(text)
    assert "our core" in printed
    assert "Espressif's libpp.a" in printed
