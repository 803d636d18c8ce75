# SPDX-License-Identifier: MIT
"""A packed line comes back whole, from any place on. Hostile packed bytes hurt nobody."""

from __future__ import annotations

import io
import random
import subprocess
import sys
import zlib
from itertools import accumulate
from pathlib import Path

import pytest
from backports import zstd

from support.commands import PYTHON
from tinyprof.capture.compression import (
    BEGINS,
    GOES_ON,
    PIECE_MAX,
    RATIO_MAX,
    UNPACKED_FREE,
    UNPACKED_MAX,
    LinePacker,
    LineUnpacker,
)
from tinyprof.capture.format import CHUNK_HEAD, PACKED_LINE, PACKED_VERSION, Ending
from tinyprof.capture.reader import CaptureReader
from tinyprof.capture.writer import PACKED_PLACES_BYTES, CaptureWriter

SEED = 20261124
WITHOUT_ZSTD = [
    sys.executable,
    "-c",
    "import sys; sys.modules['backports.zstd'] = None; from tinyprof.cli import main; main()",
]


def pieces() -> list[bytes]:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    words = [rng.randbytes(rng.randrange(1, 60)) for _ in range(50)]
    small = [b"".join(rng.choices(words, k=rng.randrange(1, 40))) for _ in range(3000)]
    # Noise does not get smaller; it comes in more than one chunk.
    return [*small, rng.randbytes(3 * PIECE_MAX + 1), *small]


def packed_capture() -> tuple[bytes, list[bytes]]:
    file = io.BytesIO()
    writer = CaptureWriter(file, packer=LinePacker())
    said = pieces()
    for second, piece in enumerate(said):
        writer.line(piece, float(second))
    writer.end(Ending.LINE_ENDED)
    return file.getvalue(), said


def line_in(data: bytes, seconds: float = 0.0) -> tuple[CaptureReader, bytes]:
    reader = CaptureReader(io.BytesIO(data))
    if seconds:
        reader.seek(seconds)
    return reader, b"".join(reader.line())


def test_a_packed_line_comes_back_and_is_smaller() -> None:
    data, said = packed_capture()
    reader, line = line_in(data)
    assert (reader.version, reader.cut_at, reader.ending) == (
        PACKED_VERSION,
        None,
        Ending.LINE_ENDED,
    )
    assert line == b"".join(said)
    assert len(data) < len(line) / 2


def test_reading_can_begin_at_every_place_of_the_index() -> None:
    data, said = packed_capture()
    whole = b"".join(said)
    begins = [0, *accumulate(map(len, said))]
    found = set()
    for second in range(100, len(said), 500):
        reader, line = line_in(data, float(second))
        assert reader.cut_at is None
        assert whole.endswith(line)
        assert len(line) >= len(whole) - begins[second]
        found.add(len(line))
    assert len(data) // PACKED_PLACES_BYTES / 2 < len(found) < 12


def test_a_packed_capture_cut_anywhere_keeps_every_whole_chunk() -> None:
    data, said = packed_capture()
    whole = b"".join(said)
    rng = random.Random(SEED)
    before = 0
    for cut in sorted(rng.randrange(300, len(data)) for _ in range(60)):
        reader, line = line_in(data[:cut])
        assert reader.ending is None
        assert whole.startswith(line)
        assert len(line) >= before
        before = len(line)


def capture_of(*packed: bytes) -> bytes:
    """A capture with these as its packed pieces, whatever they are."""
    file = io.BytesIO()
    writer = CaptureWriter(file, packer=LinePacker())
    for data in packed:
        writer._chunk(PACKED_LINE, data)
    return file.getvalue()


def stream(data: bytes, window_log: int = 17) -> bytes:
    options: dict[int, int] = {zstd.CompressionParameter.window_log: window_log}
    compressor = zstd.ZstdCompressor(options=options)
    return compressor.compress(data, mode=compressor.FLUSH_BLOCK)


GOOD = bytes([BEGINS]) + stream(b"good")


@pytest.mark.parametrize(
    "bad",
    [
        bytes([BEGINS]) + stream(bytes(UNPACKED_MAX + 1)),
        bytes([BEGINS]) + stream(bytes(50_000_000)),
        bytes([BEGINS]) + stream(b"far", window_log=27),
        bytes([BEGINS]) + zstd.compress(b"ended"),
        bytes([BEGINS]) + b"no zstd",
        bytes([7]) + stream(b"neither"),
        bytes([GOES_ON]) + stream(b"twice"),
        b"",
    ],
    ids=["large", "bomb", "window", "ended", "garbage", "flag", "nested", "empty"],
)
def test_what_is_no_piece_of_a_line_is_where_the_capture_ends(bad: bytes) -> None:
    reader, line = line_in(capture_of(GOOD, bad, GOOD))
    assert line == b"good"
    assert reader.cut_at == len(capture_of(GOOD))
    assert reader.whole_size == reader.cut_at


def test_a_piece_that_goes_on_from_nothing_is_none() -> None:
    assert LineUnpacker().unpack(bytes([GOES_ON]) + stream(b"alone")) is None


def test_a_packed_recording_is_the_same_in_less(tmp_path: Path) -> None:
    profiles = []
    for name, words in (
        ("plain", []),
        ("packed", ["--zstd"]),
        ("parts", ["--zstd", "--roll", "17k"]),
    ):
        capture = tmp_path / f"{name}.tpcap"
        command = [*PYTHON, "record", "sim:", "-o", str(capture), "--speed", "0", *words]
        assert subprocess.run(command, capture_output=True, check=False).returncode == 0
        captures = sorted(map(str, tmp_path.glob(f"{name}*.tpcap")))
        command = [*PYTHON, "profile", *captures, "-o", str(tmp_path / name)]
        assert subprocess.run(command, capture_output=True, check=False).returncode == 0
        profiles.append((tmp_path / name).read_bytes())
    assert profiles[0] == profiles[1] == profiles[2]
    assert len(captures) > 1
    assert (tmp_path / "packed.tpcap").stat().st_size < (tmp_path / "plain.tpcap").stat().st_size
    with (tmp_path / "packed.tpcap").open("rb") as file:
        assert file.read()[CHUNK_HEAD.size :].count(b"LINE") == 0


@pytest.mark.parametrize(
    "words", [["record", "sim:", "--zstd", "-o"], ["capture", "info"], ["report"]]
)
def test_without_zstd_it_is_said_what_to_install(tmp_path: Path, words: list[str]) -> None:
    capture = tmp_path / "capture"
    if words[0] != "record":
        capture.write_bytes(capture_of(GOOD))
    done = subprocess.run(
        [*WITHOUT_ZSTD, *words, str(capture)], capture_output=True, text=True, check=False
    )
    (said,) = done.stderr.splitlines()
    assert done.returncode == 1
    assert "zstd is not installed" in said
    assert "pip install 'tinyprof[zstd]'" in said
    assert capture.exists() == (words[0] != "record")


def test_a_flood_of_one_character_stays_within_the_limit_of_a_reader() -> None:
    file = io.BytesIO()
    writer = CaptureWriter(file, packer=LinePacker())
    flood = b"y" * (1 << 16)
    for second in range(64):
        writer.line(flood, float(second))
    writer.end(Ending.LINE_ENDED)
    reader, line = line_in(file.getvalue())
    assert (reader.cut_at, line) == (None, flood * 64)


def test_a_few_bytes_that_unpack_to_megabytes_are_cut_at_the_limit() -> None:
    file = io.BytesIO()
    CaptureWriter(file, packer=LinePacker())
    stream = zstd.ZstdCompressor(options={int(zstd.CompressionParameter.window_log): 17})
    data = bytearray(file.getvalue())
    for number in range(500):
        piece = stream.compress(bytes(UNPACKED_MAX), mode=stream.FLUSH_BLOCK)
        body = bytes([GOES_ON if number else BEGINS]) + piece
        crc = zlib.crc32(PACKED_LINE + body)
        data += CHUNK_HEAD.pack(PACKED_LINE, len(body), crc) + body
    reader, line = line_in(bytes(data))
    assert reader.cut_at is not None
    assert len(line) <= UNPACKED_FREE + RATIO_MAX * len(data)
    assert len(line) < UNPACKED_MAX * 500 // 2
