# SPDX-License-Identifier: MIT
"""The agent's C encoder and receiver, under sanitizers, against the shared vectors and fuzzed
lines.

Both programs are built here from agent/tests. The expected output is computed with msgpack, cobs
and zlib alone, never with tinyprof.
"""

from __future__ import annotations

import importlib.util
import json
import os
import random
import subprocess
import zlib
from pathlib import Path
from types import ModuleType
from typing import Any

import msgpack
import pytest
from cobs import cobs

ROOT = Path(__file__).resolve().parents[2]
AGENT = ROOT / "agent"
VECTORS = ROOT / "tests/vectors"
SEED = 20261124
FUZZED_RUNS = int(os.environ.get("TINYPROF_FUZZ", "200000"))
FUZZED_AT_ONCE = 100_000
U32 = 0xFFFFFFFF


@pytest.fixture(scope="session")
def wire() -> dict[str, Any]:
    vectors: dict[str, Any] = json.loads((VECTORS / "wire.json").read_text())
    return vectors


@pytest.fixture(scope="session")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "make_wire_vectors", VECTORS / "make_wire_vectors.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def build(name: str, folder: Path) -> Path:
    sources = [
        AGENT / part for part in (f"tests/{name}.c", "cobs.c", "crc32.c", "msgpack.c", "wire.c")
    ]
    sanitize = ["-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    include = [f"-I{AGENT}", "-idirafter", str(ROOT / "firmware/linux/overlay/include/uapi")]
    program = folder / name
    command = [
        os.environ.get("CC", "cc"),
        "-std=gnu11",
        "-Wall",
        "-Wextra",
        "-Werror",
        *sanitize,
        *include,
    ]
    subprocess.run([*command, "-o", str(program), *map(str, sources)], check=True)
    return program


@pytest.fixture(scope="session")
def encode(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("encode", tmp_path_factory.mktemp("encode"))


@pytest.fixture(scope="session")
def receive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("receive", tmp_path_factory.mktemp("receive"))


def output(program: Path, data: bytes) -> bytes:
    return subprocess.run([program], input=data, stdout=subprocess.PIPE, check=True).stdout


def encoded(encode: Path, lines: list[str]) -> str:
    return output(encode, "\n".join(lines).encode()).hex()


def request(m: dict[str, Any]) -> str:
    """A message of wire.json as encode.c reads it."""
    letter = "?HPESB"[m["type"]]
    head = [letter.lower() if m["repeated"] else letter, m["seq"]]
    match m["type"]:
        case 1:
            fields = [
                m[k]
                for k in ("agent", "kernel", "arch", "boot_id", "epoch_ms", "tracer", "window")
            ]
            source = [1, *m["source"]] if "source" in m else [0]
            first = " ".join(map(str, [*head, *fields, len(m["volumes"]), *source]))
            return "\n".join(
                [first, *(" ".join(map(str, [*v[:6], v[7], v[6]])) for v in m["volumes"])]
            )
        case 3:
            end = [*head, m["volume"], m["epoch"], m["ms"], *m["records"], m["total"]]
            files = m.get("processes")
            told = [0] if files is None else [1, len(files), *(n for file in files for n in file)]
            return " ".join(map(str, [*end, *told]))
        case 4:
            fields = [
                m[k] for k in ("ms", "queued", "untraced", "write_errors", "repeats", "waited")
            ]
            lost = [1, m["lost_events"]] if "lost_events" in m else [0]
            return " ".join(map(str, [*head, *fields, *lost]))
        case _:
            return " ".join(map(str, [*head, m["session"]]))


def batch_request(b: dict[str, Any]) -> str:
    return " ".join(
        map(str, ["P", b["seq"], b["volume"], b["epoch"], b["ms"], len(b["words"]), *b["words"]])
    )


def test_the_vectors_are_what_their_generator_writes(generator: ModuleType) -> None:
    assert generator.text() == (VECTORS / "wire.json").read_text()


def test_every_message_is_encoded_byte_for_byte(encode: Path, wire: dict[str, Any]) -> None:
    for message in [*wire["messages"], *wire["sources"], *wire["lost_events"]]:
        assert encoded(encode, [request(message)]) == message["frame"], message["name"]


def test_every_file_is_told_byte_for_byte(encode: Path, wire: dict[str, Any]) -> None:
    names = ("seq", "volume", "page_id", "pages", "size", "device", "inode", "path")
    for file in wire["files"]:
        line = " ".join(["F", *(str(file[name]) for name in names)])
        assert encoded(encode, [line]) == "".join(file["frames"]), file["name"]


def test_all_mappings_are_told_byte_for_byte(encode: Path, wire: dict[str, Any]) -> None:
    for case in wire["mappings"]:
        held = [number for mapping in case["held"] for number in mapping]
        head = [case["seq"], case["volume"], case["epoch"], len(case["held"])]
        line = " ".join(["M", *map(str, [*head, *held])])
        assert encoded(encode, [line]) == "".join(case["frames"]), case["name"]


def test_every_batch_is_split_and_encoded_byte_for_byte(
    encode: Path, wire: dict[str, Any]
) -> None:
    for batch in wire["batches"]:
        assert encoded(encode, [batch_request(batch)]) == "".join(batch["frames"]), batch["name"]


def test_random_batches_are_split_and_encoded_byte_for_byte(
    encode: Path, generator: ModuleType
) -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    batches = []
    for _ in range(150):
        span = rng.choice([3, 40, 5000, 1 << 27])
        words = [
            rng.randrange(span) | rng.randrange(1, 16) << 28 for _ in range(rng.randrange(1, 253))
        ]
        head = (
            rng.randrange(2),
            rng.randrange(1, 1 << rng.randrange(1, 33)),
            rng.randrange(1 << 32),
        )
        batches.append(generator.batch("random", rng.randrange(65_536), words, head))
    expected = "".join(frame for batch in batches for frame in batch["frames"])
    assert encoded(encode, [batch_request(batch) for batch in batches]) == expected


def test_every_command_is_obeyed(receive: Path, wire: dict[str, Any]) -> None:
    for command in wire["commands"]:
        lines = output(receive, bytes.fromhex(command["frame"])).decode().split("\n")
        assert lines == ["-", obeyed(command["type"], command["arguments"]), ""], command["name"]


def test_everything_else_is_passed_over(receive: Path, wire: dict[str, Any]) -> None:
    for other in wire["ignored_by_target"]:
        assert set(output(receive, bytes.fromhex(other["frame"])).split()) == {b"-"}, other["name"]


def test_a_command_after_noise_is_obeyed(receive: Path, wire: dict[str, Any]) -> None:
    frame = bytes.fromhex(wire["commands"][0]["frame"])
    for noise in (b"\xff" * 10_000, b"login: ", frame[:3], b"\0\0\0"):
        assert output(receive, noise + frame).endswith(b"\n16 0 0 0\n")


def test_a_frame_cut_short_is_not_completed_from_the_one_before(
    receive: Path, wire: dict[str, Any]
) -> None:
    for command in wire["commands"]:
        frame = bytes.fromhex(command["frame"])
        assert output(receive, frame + frame[:-2] + b"\0").endswith(b"\n-\n-\n"), command["name"]


ARGUMENTS = {16: 0, 17: 1, 18: 0, 19: 3, 20: 0, 21: 1}


def obeyed(kind: int, arguments: list[int]) -> str:
    """A command as receive.c says it."""
    return " ".join(map(str, [kind, *arguments, *[0] * (3 - len(arguments))]))


def verdict(run: bytes) -> str:
    """The format's verdict on the bytes between two zeros, in the words of receive.c."""
    try:
        plain = cobs.decode(run) if len(run) <= 255 else b""
    except cobs.DecodeError:
        return "-"
    body = plain[:-4]
    if len(plain) <= 4 or zlib.crc32(body).to_bytes(4, "little") != plain[-4:]:
        return "-"
    return command_of(body)


def command_of(body: bytes) -> str:
    unpacker = msgpack.Unpacker()
    unpacker.feed(body)
    try:
        count = unpacker.read_array_header()
        taken: list[Any] = [unpacker.unpack() for _ in range(min(count, 2))]
        kind = taken[0] if taken and type(taken[0]) is int else 0
        needed = 2 + ARGUMENTS.get(kind, 0)
        taken += [unpacker.unpack() for _ in range(min(count, needed) - len(taken))]
    except (ValueError, TypeError, msgpack.UnpackException):
        return "-"
    shortest = bytes([0x90 | min(count, 15)]) + b"".join(map(msgpack.packb, taken))
    whole = body == shortest if count == needed else count > needed and body.startswith(shortest)
    limits = [U32, 0xFFFF, U32, U32, U32][: len(taken)]
    fits = all(type(n) is int and 0 <= n <= limit for n, limit in zip(taken, limits, strict=True))
    if not (whole and count < 16 and fits and taken[0] in ARGUMENTS):
        return "-"
    return obeyed(kind, taken[2:])


def fuzzed_run(rng: random.Random, seeds: list[bytes]) -> bytes:
    """Noise, a damaged body under a good checksum, or a frame damaged on the line; without
    zeros."""
    body = bytearray(rng.choice(seeds))
    choice = rng.randrange(4)
    if choice == 0:
        return bytes(
            rng.randrange(1, 256) for _ in range(rng.choice([0, 1, 5, 20, 254, 255, 256, 300]))
        )
    for _ in range(rng.randrange(3) if choice < 3 else 0):
        at = rng.randrange(len(body) + 1)
        body[at : at + rng.randrange(2)] = rng.choice([b"", rng.randbytes(1), b"\xcc", b"\xce"])
    run = bytearray(cobs.encode(bytes(body) + zlib.crc32(body).to_bytes(4, "little")))
    if choice == 3:
        run[rng.randrange(len(run))] = rng.randrange(1, 256)
    return bytes(run)


def test_fuzzed_lines_are_judged_as_the_format_says(receive: Path, wire: dict[str, Any]) -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    seeds = [cobs.decode(bytes.fromhex(c["frame"])[1:-1])[:-4] for c in wire["commands"]]
    seen: set[str] = set()
    for _ in range(-(-FUZZED_RUNS // FUZZED_AT_ONCE)):
        runs = [fuzzed_run(rng, seeds) for _ in range(FUZZED_AT_ONCE)]
        judged = output(receive, b"\0".join(runs) + b"\0").decode().split("\n")[:-1]
        expected = [verdict(run) for run in runs]
        wrong = [
            (run.hex(), got, want)
            for run, got, want in zip(runs, judged, expected, strict=True)
            if got != want
        ]
        assert wrong == []
        seen.update(expected)
    assert len(seen) > 10
