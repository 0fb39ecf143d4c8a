"""What the chips' eFuses are called and what is burnt into them: docs/firmware-security.md says why.

The names are those of espefuse. What chips have in common, and where they differ, was compared with espefuse 5.6.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Slot:
    """A block for a key, and what the key is for: a purpose that is burnt, or, on ESP32, the alias of the block."""

    block: str
    purpose: str = ""
    alias: str = ""  # by which espefuse knows how to turn and protect the key


@dataclass(frozen=True)
class Chip:
    """A chip, as these scripts secure it."""

    name: str
    image_id: int  # in the header of images
    bootloader: int  # where in flash it must be
    flash_key: tuple[Slot, ...]  # 32 bytes of the key in each
    flash_on: dict[str, int]  # what switches flash encryption on for ever
    closed: dict[str, int]  # what shuts debuggers out
    nvs_key: tuple[Slot, ...]
    digests: tuple[Slot, ...]
    secure_boot: str  # the eFuse that switches Secure Boot on
    download: str  # the eFuse after which espefuse can burn nothing
    ecdsa: bool = False  # whether its ROM verifies more than RSA
    cache: str = "DIS_ICACHE"  # write-protected, as burning it would stop the chip
    revision: int = 0  # the lowest one with Secure Boot v2

    @property
    def xts(self) -> bool:
        """Whether flash is encrypted by XTS-AES, and not in the way of ESP32."""
        return self.flash_key[0].purpose != ""


def _later(  # noqa: PLR0913
    name: str,
    image_id: int,
    closed: tuple[str, ...],
    *,
    wide: bool = False,
    bootloader: int = 0,
    ecdsa: bool = False,
) -> Chip:
    """A chip whose key blocks have purposes; wide, if its key of flash encryption takes two of them."""
    purposes = ["XTS_AES_256_KEY_1", "XTS_AES_256_KEY_2"] if wide else ["XTS_AES_128_KEY"]
    first = len(purposes) + 1
    return Chip(
        name=name,
        image_id=image_id,
        bootloader=bootloader,
        flash_key=tuple(Slot(f"BLOCK_KEY{i}", p) for i, p in enumerate(purposes)),
        flash_on={"SPI_BOOT_CRYPT_CNT": 7},
        closed=dict.fromkeys(("DIS_DOWNLOAD_MANUAL_ENCRYPT", "DIS_DOWNLOAD_ICACHE", *closed), 1),
        nvs_key=(Slot(f"BLOCK_KEY{len(purposes)}", "HMAC_UP"),),
        digests=tuple(Slot(f"BLOCK_KEY{first + i}", f"SECURE_BOOT_DIGEST{i}") for i in range(3)),
        secure_boot="SECURE_BOOT_EN",
        download="ENABLE_SECURITY_DOWNLOAD",
        ecdsa=ecdsa,
    )


_ESP32 = Chip(
    name="esp32",
    image_id=0,
    bootloader=0x1000,
    flash_key=(Slot("BLOCK1", alias="flash_encryption"),),
    flash_on={"FLASH_CRYPT_CNT": 127, "FLASH_CRYPT_CONFIG": 0xF},
    closed={
        "DISABLE_DL_ENCRYPT": 1,
        "DISABLE_DL_DECRYPT": 1,
        "DISABLE_DL_CACHE": 1,
        "JTAG_DISABLE": 1,
        "CONSOLE_DEBUG_DISABLE": 1,
    },
    nvs_key=(),
    digests=(Slot("BLOCK2", alias="secure_boot_v2"),),
    secure_boot="ABS_DONE_1",
    download="UART_DOWNLOAD_DIS",
    cache="",
    revision=3,
)

CHIPS = {
    chip.name: chip
    for chip in (
        _ESP32,
        _later(
            "esp32s2",
            2,
            ("DIS_DOWNLOAD_DCACHE", "HARD_DIS_JTAG", "DIS_BOOT_REMAP", "DIS_LEGACY_SPI_BOOT"),
            wide=True,
            bootloader=0x1000,
        ),
        _later(
            "esp32s3",
            9,
            ("DIS_DOWNLOAD_DCACHE", "DIS_PAD_JTAG", "DIS_USB_JTAG", "DIS_DIRECT_BOOT"),
            wide=True,
        ),
        _later("esp32c3", 5, ("DIS_PAD_JTAG", "DIS_USB_JTAG", "DIS_DIRECT_BOOT")),
        _later("esp32c6", 13, ("DIS_PAD_JTAG", "DIS_USB_JTAG", "DIS_DIRECT_BOOT"), ecdsa=True),
    )
}
