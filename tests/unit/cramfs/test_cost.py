# SPDX-License-Identifier: MIT
"""Small inputs that were made to cost much: twice the input costs about twice the steps."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from support.cost import peak_memory, steps
from support.cramfs_cases import Case, File
from support.hostile_images import (
    holes_under_many_names,
    overlapping_directories,
    overlapping_tables,
)
from support.image_fuzz import memory_limit
from tinyprof.cramfs.format import (
    SIGNATURE,
    EntryKind,
    ImageError,
    TreeError,
)
from tinyprof.cramfs.reading.checker import check_image
from tinyprof.cramfs.reading.dump import find_images
from tinyprof.cramfs.reading.findings import FINDINGS_MAX, Rule
from tinyprof.cramfs.reading.measure import measure
from tinyprof.cramfs.reading.reader import read_image
from tinyprof.cramfs.writing.cache import DiskCache
from tinyprof.cramfs.writing.device_table import apply_device_table
from tinyprof.cramfs.writing.writer import WriteOptions, write_image

MIB = 1 << 20


HOSTILE = [overlapping_directories, overlapping_tables, holes_under_many_names]


def look(image: bytes) -> None:
    parsed = read_image(image, salvage=True)
    measure(parsed)


@pytest.mark.parametrize("make", HOSTILE)
@pytest.mark.parametrize("work", [check_image, look])
def test_twice_the_image_costs_twice_the_steps(
    make: Callable[[int], bytes], work: Callable[[bytes], object]
) -> None:
    small, large = make(40_000), make(80_000)
    assert steps(lambda: work(large)) < 3 * steps(lambda: work(small)) + 50_000


@pytest.mark.parametrize("make", HOSTILE)
def test_memory_is_bounded_by_the_image(make: Callable[[int], bytes]) -> None:
    image = make(320 << 10)
    assert peak_memory(lambda: check_image(image)) < memory_limit(len(image))
    assert peak_memory(lambda: look(image)) < memory_limit(len(image))


def test_findings_beyond_a_limit_are_counted_and_not_kept() -> None:
    report = check_image(overlapping_directories(300_000))
    assert len(report.findings) == FINDINGS_MAX
    assert report.unlisted > 0
    assert report.errors + report.warnings == FINDINGS_MAX + report.unlisted


def test_overlapping_tables_are_named_and_not_followed() -> None:
    image = overlapping_tables(40_000)
    rules = {finding.rule for finding in check_image(image).findings}
    assert Rule.OVERLAP in rules
    parsed = read_image(image)
    files = [entry for entry in parsed.entries if entry.kind is EntryKind.FILE]
    with pytest.raises(ImageError, match="overlap those of /"):
        parsed.read(files[1])


def test_false_superblocks_in_a_dump_are_looked_at_once() -> None:
    """Each asks for a CRC over the rest of the dump, behind an inserted file."""
    head = struct.pack("<4I16s", 0x28CD3D45, 0x10000000, 0x403, 0, SIGNATURE)
    false = head + bytes(28) + struct.pack("<I", 99 << 6)
    dump = b"\xff" * 600 + false * (4 * MIB // len(false))
    few = b"\xff" * 600 + false * 1000
    assert len(find_images(dump)) == 8
    assert steps(lambda: find_images(dump)) == steps(lambda: find_images(few))


def test_ranges_of_a_table_are_bounded_together() -> None:
    tree = Case(0).tree()
    table = "".join(f"/x{number}_ c 666 0 0 1 0 0 0 65000\n" for number in range(100))
    with pytest.raises(TreeError, match="line 2: the table has over 65536 entries"):
        apply_device_table(tree, table)


def test_a_number_of_thousands_of_digits_in_a_table_is_no_number() -> None:
    with pytest.raises(TreeError, match=r"line 1: field minor: .9999"):
        apply_device_table(Case(0).tree(), f"/x c 666 0 0 1 {'9' * 5000}\n")


def test_a_packed_index_takes_as_much_memory_as_it_has_bytes(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, "level")
    for number in range(50_000):
        cache.put(number.to_bytes(8, "big") * 4, b"b")
    cache.save()
    (pack,) = tmp_path.rglob("*.pack")
    size = pack.stat().st_size
    caches: list[DiskCache] = []
    peak = peak_memory(lambda: caches.append(DiskCache(tmp_path, "level")))
    assert peak < 3 * size
    assert caches[0].get((7).to_bytes(8, "big") * 4) == b"b"


def test_many_long_paths_are_read_back() -> None:
    """2,000 short names in a folder whose path is near the kernel's limit."""
    directories = ["/" + "/".join(["d" * 14] * depth) for depth in range(1, 256)]
    files = {f"{directories[-1]}/{number}": File(b"") for number in range(2_000)}
    case = Case(0, files=files, directories=directories)
    image = read_image(write_image(case.tree(), {}, WriteOptions()).image)
    assert {entry.path for entry in image.entries} >= set(files)


def test_more_paths_than_a_reader_takes_are_refused_by_the_writer() -> None:
    directories = ["/" + "/".join(["d" * 14] * depth) for depth in range(1, 256)]
    files = {f"{directories[-1]}/{number:04}": File(b"") for number in range(6_000)}
    case = Case(0, files=files, directories=directories)
    with pytest.raises(TreeError, match="all paths together have"):
        write_image(case.tree(), {}, WriteOptions())
