# SPDX-License-Identifier: MIT
"""Program counters become the messages of a target."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tinyprof.cramfs.reading.reader import Image, read_image
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.writer import WriteOptions, write_image
from tinyprof.pages import Kind
from tinyprof.rootfs.counters import CounterError, CounterTarget, Sample, samples_in
from tinyprof.wire.frames import encode_message
from tinyprof.wire.messages import EpochEnd, Hello, Pages

BASE = 0x90000000


@pytest.fixture
def in_place(rootfs: Path) -> Image:
    """The image of one program of which the first five pages are in place."""
    tree = Tree.from_directory(rootfs)
    return read_image(write_image(tree, {"/program": range(5)}, WriteOptions()).image)


def address_of(image: Image, page: int, byte: int = 0) -> int:
    (entry,) = (it for it in image.entries if it.path == "/program")
    return BASE + image.blocks(entry)[page].offset + byte


@pytest.mark.parametrize(
    ("line", "sample"),
    [
        (b"0x90001234\n", Sample(0x90001234, 1)),
        (b"90001234 17\n", Sample(0x90001234, 17)),
        (b"90001234, 3\r\n", Sample(0x90001234, 3)),
        (b"Trace 0: 0x7f1c [00000000/90001234/00000110/ff020000] main\n", Sample(0x90001234, 1)),
        (b'0, 0x90001234, 0xe12fff1e, "bx lr"\n', Sample(0x90001234, 1)),
        (b"IN: main\n", None),
        (b"90001234 0\n", Sample(0x90001234, 0)),
        (b"\n", None),
        (b"12345678901234567\n", None),
    ],
)
def test_an_address_is_read_in_the_formats_that_tools_write(
    line: bytes, sample: Sample | None
) -> None:
    assert list(samples_in([line])) == [sample]


def test_no_bytes_make_anything_but_samples_in_bounds() -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    words = b"0123456789abcdefx, []/:Trace\n\0\xff"
    lines = (bytes(rng.choices(words, k=rng.randrange(60))) for _ in range(20_000))
    for sample in samples_in(lines):
        assert sample is None or (0 <= sample.address < 1 << 64 and sample.count >= 0)


def test_the_pages_of_an_epoch_are_told_once_in_their_order(in_place: Image) -> None:
    seen = [address_of(in_place, page, byte) for page, byte in ((3, 0), (1, 4095), (3, 7), (0, 2))]
    target = CounterTarget(in_place, BASE, b"8 bytes!", epoch=3)
    hello, *told = list(target.messages([Sample(address, 1) for address in seen]))
    assert isinstance(hello, Hello)
    assert hello.source
    assert hello.source.letters == "x"
    (entry,) = (it for it in in_place.entries if it.path == "/program")
    first, second = (entry.page_id(3), entry.page_id(1)), (entry.page_id(0),)
    assert told == [
        Pages(0, 1, 1, first, bytes([Kind.EXEC] * 2)),
        EpochEnd(0, 1, 1, (2, 0, 0, 0), 2),
        Pages(0, 2, 2, second, bytes([Kind.EXEC])),
        EpochEnd(0, 2, 2, (1, 0, 0, 0), 3),
    ]


def test_addresses_that_are_no_page_in_place_are_counted(in_place: Image) -> None:
    (entry,) = (it for it in in_place.entries if it.path == "/program")
    compressed = BASE + in_place.blocks(entry)[6].offset
    samples = [Sample(BASE - 1, 2), Sample(compressed, 3), Sample(1 << 63, 1), None]
    target = CounterTarget(in_place, BASE, b"8 bytes!")
    list(target.messages(samples))
    tally = target.tally
    assert (tally.in_place, tally.elsewhere, tally.outside, tally.lines) == (0, 3, 3, 1)


def test_an_address_that_was_seen_no_time_is_neither_a_sample_nor_a_line_without_one(
    in_place: Image,
) -> None:
    target = CounterTarget(in_place, BASE, b"8 bytes!", epoch=1)
    _, *told = target.messages([Sample(address_of(in_place, 1), 0)])
    assert (told, target.tally.samples, target.tally.lines) == ([], 0, 0)


def test_a_count_is_refused_where_epochs_have_a_number_of_samples(in_place: Image) -> None:
    address = address_of(in_place, 1)
    samples = [Sample(address, 1), None, Sample(address, 250)]
    with pytest.raises(CounterError, match=r"^line 3: a count of 250 "):
        list(CounterTarget(in_place, BASE, b"8 bytes!", epoch=100).messages(samples))
    *_, end = CounterTarget(in_place, BASE, b"8 bytes!").messages(samples)
    assert end == EpochEnd(0, 1, 1, (1, 0, 0, 0), 1)


def test_every_message_fits_a_frame(in_place: Image) -> None:
    target = CounterTarget(in_place, BASE, b"8 bytes!", epoch=1)
    samples = [Sample(address_of(in_place, page), 1) for page in range(5)]
    for seq, message in enumerate(target.messages(samples)):
        assert encode_message(message, seq)
