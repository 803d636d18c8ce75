# SPDX-License-Identifier: MIT
"""The cache gives back what was put, survives other builds and broken files, and stays within its
limit."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import pytest

from support.cramfs_cases import make_case
from tinyprof.cramfs.writing.cache import DiskCache
from tinyprof.cramfs.writing.writer import write_image

BLOCKS = {
    hashlib.sha256(bytes([number])).digest(): bytes([number]) * (number + 1)
    for number in range(200)
}


def filled(folder: Path, name: str = "level") -> None:
    cache = DiskCache(folder, name)
    for key, block in BLOCKS.items():
        cache.put(key, block)
    cache.save()
    assert cache.problem == ""


def test_what_was_saved_is_found_by_the_next_build(tmp_path: Path) -> None:
    filled(tmp_path)
    cache = DiskCache(tmp_path, "level")
    assert {key: cache.get(key) for key in BLOCKS} == BLOCKS
    assert DiskCache(tmp_path, "other level").get(next(iter(BLOCKS))) is None


def test_what_was_not_saved_leaves_nothing(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, "level")
    cache.put(b"k" * 32, b"block")
    cache.close()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_two_builds_at_once_both_keep_their_blocks(tmp_path: Path) -> None:
    first, second = DiskCache(tmp_path, "level"), DiskCache(tmp_path, "level")
    first.put(b"1" * 32, b"one")
    second.put(b"2" * 32, b"two")
    first.save()
    second.save()
    third = DiskCache(tmp_path, "level")
    assert (third.get(b"1" * 32), third.get(b"2" * 32)) == (b"one", b"two")


def test_a_reader_keeps_what_another_build_removes(tmp_path: Path) -> None:
    filled(tmp_path)
    reader = DiskCache(tmp_path, "level")
    for path in tmp_path.rglob("*.pack"):
        path.unlink()
    assert {key: reader.get(key) for key in BLOCKS} == BLOCKS


def test_a_damaged_cache_forgets_and_never_lies(tmp_path: Path) -> None:
    filled(tmp_path)
    (pack,) = tmp_path.rglob("*.pack")
    good = pack.read_bytes()
    rng = random.Random(20261124)
    for _ in range(200):
        broken = bytearray(good)
        broken[rng.randrange(len(broken))] ^= 1 << rng.randrange(8)
        pack.write_bytes(broken[: rng.choice((len(broken), rng.randrange(len(broken))))])
        cache = DiskCache(tmp_path, "level")
        for key, block in BLOCKS.items():
            assert cache.get(key) in (None, block)
        cache.close()


def test_the_oldest_go_when_the_limit_is_reached(tmp_path: Path) -> None:
    for number in range(4):
        cache = DiskCache(tmp_path, "level", limit=25_000)
        cache.put(bytes([number]) * 32, bytes(10_000))
        cache.save()
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) <= 25_000
    cache = DiskCache(tmp_path, "level")
    assert [cache.get(bytes([number]) * 32) is not None for number in range(4)] == [
        False,
        False,
        True,
        True,
    ]


def test_many_small_packs_become_one(tmp_path: Path) -> None:
    for number in range(20):
        cache = DiskCache(tmp_path, "level")
        cache.put(bytes([number]) * 32, bytes([number]) * 10)
        cache.save()
    assert len(list(tmp_path.rglob("*.pack"))) < 10
    cache = DiskCache(tmp_path, "level")
    assert all(cache.get(bytes([number]) * 32) == bytes([number]) * 10 for number in range(20))


def test_a_folder_that_cannot_be_made_is_a_problem_and_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cache = DiskCache(tmp_path / "file", "level")
    cache.put(b"k" * 32, b"block")
    assert cache.get(b"k" * 32) is None
    cache.save()
    assert "file" in cache.problem


@pytest.mark.parametrize("seed", range(12))
def test_an_image_does_not_depend_on_the_cache(tmp_path: Path, seed: int) -> None:
    case = make_case(seed)
    plain = write_image(case.tree(), case.plan, case.options).image
    for _ in range(2):
        cache = DiskCache(tmp_path, f"level{case.options.level}")
        assert write_image(case.tree(), case.plan, case.options, cache=cache).image == plain
        cache.save()
    assert cache.hits or not any(file.content for file in case.files.values())
