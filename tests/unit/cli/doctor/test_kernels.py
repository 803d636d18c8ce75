# SPDX-License-Identifier: MIT
"""`tinyprof doctor KERNEL-CONFIG`: options from a .config, /proc/config.gz and kernel images."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import random
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from support.doctor import Doctor
from tinyprof.cli.doctor import kernel_config
from tinyprof.cli.doctor.kernel_config import EMBEDDED, ConfigError, parse_config, read_config

SEED = 20261128
HEAD = "#\n# Linux/arm 6.1.192 Kernel Configuration\n#\n"
MAPPED = ("MMU", "MTD", "MTD_PHYSMAP", "MTD_CFI_INTELEXT", "CRAMFS", "CRAMFS_MTD", "PROC_FS")
EVENTS = ("PERF_EVENTS", "PROC_PAGE_MONITOR", "DEBUG_FS", "TRACING")
STOCK = (*MAPPED, *EVENTS)
SHIP_STOCK = "ship on this kernel as it is (split segments)"
SHIP_PATCHED = "ship with XIP at the fault"


Pack = Callable[[bytes], bytes]
Write = Callable[..., Path]


def config(*names: str, head: str = HEAD) -> bytes:
    return (head + "".join(f"CONFIG_{name}=y\n" for name in names)).encode()


@pytest.fixture
def kernel(tmp_path: Path) -> Write:
    def write(data: bytes, name: str = ".config") -> Path:
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


def test_a_stock_kernel_with_all_options_is_well(doctor: Doctor, kernel: Write) -> None:
    answer = doctor(kernel(config(*STOCK)))
    assert answer.code == 0
    assert answer.states(SHIP_STOCK) == ["ok"]
    assert answer.states(SHIP_PATCHED) == ["note"]
    assert answer.text("record with perf events") == "yes: []"


def test_a_kernel_with_our_part_records_exactly(doctor: Doctor, kernel: Write) -> None:
    answer = doctor(kernel(config(*MAPPED, "CRAMFS_TINYPROF", "CRAMFS_XIP_FAULT")))
    assert answer.code == 0
    assert answer.states("record with the kernel's own part") == ["ok"]
    assert answer.states(SHIP_PATCHED) == ["ok"]


@pytest.mark.parametrize("missing", ["MTD", "CRAMFS", "CRAMFS_MTD"])
def test_a_kernel_that_cannot_mount_in_place_is_broken(
    doctor: Doctor, kernel: Write, missing: str
) -> None:
    answer = doctor(kernel(config(*(name for name in STOCK if name != missing))))
    assert answer.code == 1
    assert f"set CONFIG_{missing}=y" in answer.text("ship")


def test_flash_that_gives_no_address_is_led_to_mtd_rom(doctor: Doctor, kernel: Write) -> None:
    names = [name for name in STOCK if name != "MTD_CFI_INTELEXT"]
    answer = doctor(kernel(config(*names, "MTD_CFI_AMDSTD")))
    assert answer.code == 1
    assert "CONFIG_MTD_CFI_AMDSTD cannot be executed from" in answer.text("ship")
    assert "mtd-rom" in answer.text("ship")


def test_a_kernel_without_perf_events_records_by_residency_alone(
    doctor: Doctor, kernel: Write
) -> None:
    answer = doctor(kernel(config(*MAPPED)))
    assert answer.code == 3
    assert "residency" in answer.text("record")


def test_options_that_make_a_recording_worse_are_named(doctor: Doctor, kernel: Write) -> None:
    answer = doctor(kernel(config(*MAPPED, "PERF_EVENTS")))
    assert answer.code == 0
    for word in ("CONFIG_PROC_PAGE_MONITOR", "CONFIG_DEBUG_FS", "CONFIG_TRACING"):
        assert word in answer.text("record with perf events")


@pytest.mark.parametrize(
    ("head", "names", "step", "code"),
    [
        ("# Linux/arm 4.14.300 Kernel Configuration\n", (), "version", 1),
        ("# Linux/arm64 6.17.1 Kernel Configuration\n", (), "version", 1),
        (HEAD, ("ARM64_64K_PAGES",), "page size", 1),
        (HEAD, ("PAGE_SIZE_16KB",), "page size", 1),
        (HEAD, ("RISCV",), "code in flash", 3),
        (HEAD, ("READ_ONLY_THP_FOR_FS",), "huge pages", 3),
    ],
)
def test_a_trap_of_a_kernel_is_told(
    doctor: Doctor, kernel: Write, head: str, names: tuple[str, ...], step: str, code: int
) -> None:
    answer = doctor(kernel(config(*STOCK, *names, head=head)))
    assert answer.code == code
    assert len(answer.states(step)) == 1


def test_a_mended_riscv_kernel_is_no_trap(doctor: Doctor, kernel: Write) -> None:
    path = kernel(config(*STOCK, "RISCV"))
    assert "--riscv-code" in doctor(path).text("code in flash")
    assert doctor("--riscv-code", path).states("code in flash") == []


def test_a_kernel_without_an_mmu_is_told(doctor: Doctor, kernel: Write) -> None:
    answer = doctor(kernel(config(*(name for name in STOCK if name != "MMU"))))
    assert "--kernel nommu" in answer.text("MMU")


def test_modules_cannot_be_the_root(doctor: Doctor, kernel: Write) -> None:
    data = config(*STOCK).replace(b"CONFIG_CRAMFS=y", b"CONFIG_CRAMFS=m")
    assert doctor(kernel(data)).states("modules") == ["look"]


def payload(data: bytes) -> bytes:
    """A kernel with its configuration inside, as kernel/configs.c lays it out."""
    print(f"seed {SEED}")
    noise = random.Random(SEED).randbytes(100_000)
    return noise + EMBEDDED[:8] + gzip.compress(data) + b"IKCFG_ED" + noise


def zimage(packed: bytes) -> bytes:
    """A zImage of ARM: code, its magic number, the packed kernel."""
    return bytes(0x24) + b"\x18\x28\x6f\x01" + bytes(5000) + packed + bytes(100)


def packed_as_lzma(data: bytes) -> bytes:
    return lzma.compress(data, lzma.FORMAT_ALONE)


@pytest.mark.parametrize(
    "pack",
    [bytes, gzip.compress, lzma.compress, bz2.compress, packed_as_lzma],
    ids=["plain", "gzip", "xz", "bzip2", "lzma"],
)
def test_options_are_read_from_a_kernel_image(doctor: Doctor, kernel: Write, pack: Pack) -> None:
    answer = doctor(kernel(zimage(pack(payload(config(*STOCK)))), "zImage"))
    assert answer.code == 0
    assert f"Linux 6.1.192 for arm, {len(STOCK)} options" in answer.text("kernel")


def test_options_are_read_from_proc_config(doctor: Doctor, kernel: Write) -> None:
    assert doctor(kernel(gzip.compress(config(*STOCK)), "config.gz")).code == 0


def test_a_kernel_without_its_options_says_what_to_give(doctor: Doctor, kernel: Write) -> None:
    answer = doctor(kernel(zimage(gzip.compress(bytes(100_000))), "zImage"))
    assert answer.code == 1
    assert "/proc/config.gz" in answer.text("kernel")


def test_a_payload_of_zstd_is_named() -> None:
    with pytest.raises(ConfigError, match="zstd"):
        read_config(zimage(b"\x28\xb5\x2f\xfd" + bytes(999)))


def test_a_bomb_of_zeros_is_not_unpacked_whole() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(300)) + packer.flush()
    with pytest.raises(ConfigError):
        read_config(bomb)


def test_what_comes_out_of_broken_payloads_counts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = gzip.compress(bytes(1 << 20))[:-8] + bytes(8)
    whole = bz2.compress(payload(config(*STOCK)))
    assert read_config(zimage(broken * 3 + whole)).has("MMU")
    monkeypatch.setattr(kernel_config, "UNPACKED_MAX", 3 << 20)
    with pytest.raises(ConfigError):
        read_config(zimage(broken * 4 + whole))


def test_a_head_that_never_ends_is_no_version() -> None:
    for head in (
        "# Linux/" + "a" * 65,
        "# Linux/arm " + "1." * 500_000,
        "# Linux/arm 6.1" + "x" * 65,
    ):
        assert parse_config(f"{head} Kernel Configuration\n".encode()).version is None
    assert parse_config(b"# Linux/x 6.1.0-rc1+ Kernel Configuration\n").version == (6, 1, 0)


def test_cut_and_changed_kernels_end_in_an_error_or_in_options() -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    whole = zimage(gzip.compress(payload(config(*STOCK))))
    for _ in range(50):
        data = bytearray(whole[: rng.randrange(len(whole))])
        for _ in range(rng.randrange(9)):
            if data:
                data[rng.randrange(len(data))] = rng.randrange(256)
        with contextlib.suppress(ConfigError):
            assert read_config(bytes(data)).options.keys() <= set(STOCK)


def test_values_of_any_kind_are_kept_as_they_stand() -> None:
    found = parse_config(b'# CONFIG_A is not set\nCONFIG_B="text"\nCONFIG_C=0x10\nCONFIG_D=m\n')
    assert found.options == {"B": '"text"', "C": "0x10", "D": "m"}
    assert (found.has("A"), found.has("B"), found.has("D")) == (False, False, True)
    assert found.version is None
