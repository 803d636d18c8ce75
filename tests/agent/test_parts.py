# SPDX-License-Identifier: MIT
"""The agent's CRC, COBS, msgpack and settings, each on its own under sanitizers, against
independent ones."""

from __future__ import annotations

import random
import subprocess
import zlib
from pathlib import Path

import msgpack
import pytest
from cobs import cobs

ROOT = Path(__file__).resolve().parents[2]
SEED = 20261124
EDGES = [
    n
    for bits in (0, 4, 5, 7, 8, 15, 16, 31, 32)
    for n in ((1 << bits) - 1, 1 << bits, (1 << bits) + 1)
]
DEFAULTS = "/dev/ttyAMA1 /sbin/init 115200 1000 -"


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("parts")
    subprocess.run(["make", "-s", "-C", str(ROOT / "agent"), "parts", f"O={out}"], check=True)
    return out / "parts"


def answers(parts: Path, calls: list[str]) -> list[str]:
    done = subprocess.run(
        [parts], input="\n".join(calls), stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout.split("\n")[:-1]


def random_bytes(rng: random.Random, size: int) -> bytes:
    """With many zeros, few, or none."""
    share = rng.choice([0, 0.02, 0.5, 1])
    return bytes(0 if rng.random() < share else rng.randrange(1, 256) for _ in range(size))


def payloads(longest: int) -> list[bytes]:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    return [
        random_bytes(rng, size)
        for size in [*range(longest + 1), *(rng.randrange(longest) for _ in range(3000))]
    ]


def test_the_crc_is_zlibs(parts: Path) -> None:
    data = payloads(600)
    assert answers(parts, [f"crc {p.hex()}" for p in data]) == [str(zlib.crc32(p)) for p in data]


def test_cobs_encodes_every_payload_of_a_frame(parts: Path) -> None:
    data = payloads(254)
    got = answers(parts, [f"encode {p.hex()}" for p in data])
    # At the full block alone the reference appends a code byte that decoders do without.
    wanted = [cobs.encode(p) for p in data]
    assert got == [coded[: len(p) + 1].hex() for p, coded in zip(data, wanted, strict=True)]
    assert [cobs.decode(bytes.fromhex(coded)) for coded in got] == data


def test_cobs_decodes_what_is_coded_and_refuses_what_is_not(parts: Path) -> None:
    rng = random.Random(SEED)
    runs = [cobs.encode(p) for p in payloads(600)]
    runs += [
        bytes(rng.randrange(1, 256) for _ in range(rng.randrange(1, 40))) for _ in range(3000)
    ]
    got = answers(parts, [f"decode {run.hex()}" for run in runs])
    assert got == [decoded(run) for run in runs]


def decoded(run: bytes) -> str:
    try:
        return cobs.decode(run).hex() or "-"
    except cobs.DecodeError:
        return "-"


def numbers(low: int, high: int) -> list[int]:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    edges = [sign * n for n in EDGES for sign in (1, -1)]
    drawn = [rng.randrange(1 << rng.randrange(1, 33)) * rng.choice([1, -1]) for _ in range(5000)]
    return [n for n in edges + drawn if low <= n <= high]


@pytest.mark.parametrize(
    ("what", "low", "high"),
    [("uint", 0, (1 << 32) - 1), ("int", -(1 << 31), (1 << 31) - 1), ("array", 0, 65_535)],
)
def test_values_are_written_in_their_shortest_form_or_not_at_all(
    parts: Path, what: str, low: int, high: int
) -> None:
    data = numbers(low, high)
    packer = msgpack.Packer()
    wanted = [packer.pack_array_header(n) if what == "array" else packer.pack(n) for n in data]
    calls = [f"{what} {len(w)} {n}" for n, w in zip(data, wanted, strict=True)]
    short = [f"{what} {len(w) - 1} {n}" for n, w in zip(data, wanted, strict=True)]
    assert answers(parts, calls) == [w.hex() for w in wanted]
    assert set(answers(parts, short)) == {"-"}


def test_text_ends_at_its_nul_its_limit_or_31_bytes(parts: Path) -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    calls, wanted = [], []
    for _ in range(2000):
        text = bytes(rng.randrange(0x20, 0x7F) for _ in range(rng.randrange(40)))
        limit = rng.randrange(40)
        # Without a NUL the text must be as long as its limit; the buffer ends where it does.
        given = text + b"\0" if len(text) < min(limit, 31) else text
        packed: bytes = msgpack.packb(text[: min(limit, 31)].decode())
        calls += [
            f"str {len(packed)} {limit} {given.hex()}",
            f"str {len(packed) - 1} {limit} {given.hex()}",
        ]
        wanted += [packed.hex(), "-"]
    assert answers(parts, calls) == wanted


def test_bytes_are_written_whole_or_not_at_all(parts: Path) -> None:
    data = [p for p in payloads(255) if len(p) < 256]
    packed = [msgpack.packb(p) for p in data]
    assert answers(
        parts, [f"bin {len(b)} {p.hex()}" for p, b in zip(data, packed, strict=True)]
    ) == [b.hex() for b in packed]
    assert set(
        answers(parts, [f"bin {len(b) - 1} {p.hex()}" for p, b in zip(data, packed, strict=True)])
    ) == {"-"}


def test_numbers_are_read_in_their_shortest_form_alone(parts: Path) -> None:
    data = numbers(0, (1 << 32) - 1)
    good = [msgpack.packb(n) for n in data]
    assert answers(parts, [f"read {g.hex()}c0" for g in good]) == [f"{n} 1" for n in data]
    cut = [g[:-1] for g in good]
    longer = [b"\xcc" + g for n, g in zip(data, good, strict=True) if n < 128]
    longer += [b"\xcd\0" + g[1:] for n, g in zip(data, good, strict=True) if 128 <= n < 256]
    longer += [b"\xce\0\0" + g[1:] for n, g in zip(data, good, strict=True) if 256 <= n < 65_536]
    others = [
        bytes([tag]) + bytes(8) for tag in range(0x80, 0x100) if tag not in (0xCC, 0xCD, 0xCE)
    ]
    assert set(answers(parts, [f"read {b.hex()}" for b in cut + longer + others])) == {"-"}


def test_array_heads_of_up_to_15_elements_are_read(parts: Path) -> None:
    got = answers(parts, [f"head {tag:02x}" for tag in range(256)] + ["head "])
    assert got == [f"{tag & 15} 0" if tag >> 4 == 9 else "-" for tag in range(256)] + ["-"]


@pytest.mark.parametrize(
    ("environment", "read"),
    [
        ("", DEFAULTS),
        ("HOME=/ TERM=linux", DEFAULTS),
        ("TINYPROF_TTY=/dev/ttyS0 TINYPROF_INIT=/init", "/dev/ttyS0 /init 115200 1000 -"),
        ("TINYPROF_BAUD=0 TINYPROF_EPOCH=0", "/dev/ttyAMA1 /sbin/init 0 0 -"),
        ("TINYPROF_BAUD=4294967295 TINYPROF_EPOCH=007", "/dev/ttyAMA1 /sbin/init 4294967295 7 -"),
        ("TINYPROF_TTY= TINYPROF_INIT= TINYPROF_BAUD= TINYPROF_EPOCH=", DEFAULTS),
        ("TINYPROF_BAUDRATE=1 XTINYPROF_BAUD=2 TINYPROF_BAU=3 TINYPROF_BAUD", DEFAULTS),
        ("TINYPROF_EPOCH=50 TINYPROF_EPOCH=60", "/dev/ttyAMA1 /sbin/init 115200 50 -"),
    ],
)
def test_settings_are_read_and_what_is_empty_counts_as_not_given(
    parts: Path, environment: str, read: str
) -> None:
    assert answers(parts, [f"settings {environment}"]) == [read]


@pytest.mark.parametrize(
    "text", ["fast", "-1", "+1", "1s", "0x10", "1.5", "4294967296", "4294967301", "9" * 40]
)
@pytest.mark.parametrize("name", ["BAUD", "EPOCH"])
def test_what_is_no_number_is_refused_and_the_default_stays(
    parts: Path, name: str, text: str
) -> None:
    assert answers(parts, [f"settings TINYPROF_{name}={text}"]) == [
        f"{DEFAULTS[:-1]}{name}={text}"
    ]
