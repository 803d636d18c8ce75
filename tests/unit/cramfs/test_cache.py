# SPDX-License-Identifier: MIT
"""The cache gives back the blocks that were put, survives other builds and broken files, and stays
within its limit. No build believes it."""

from __future__ import annotations

import hashlib
import os
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pytest

from support.cramfs_cases import make_case
from tinyprof.cramfs.format import TreeError
from tinyprof.cramfs.reading.reader import read_image
from tinyprof.cramfs.tree import Node, Tree
from tinyprof.cramfs.writing import writer
from tinyprof.cramfs.writing.cache import DiskCache
from tinyprof.cramfs.writing.packer import compressed_size_of
from tinyprof.cramfs.writing.survey import Survey, page_key
from tinyprof.cramfs.writing.writer import WriteOptions, write_image
from tinyprof.pages import PAGE_SIZE

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


def tree_with(top: Path, content: bytes) -> Tree:
    top.mkdir(exist_ok=True)
    (top / "file").write_bytes(content)
    return Tree.from_directory(top)


def built_with(cache: DiskCache, tree: Tree, options: WriteOptions) -> bytes:
    image = read_image(write_image(tree, {}, options, cache=cache).image)
    cache.save()
    return image.read(image.entries[1])


OLD, NEW = b"old " * 5000, b"new " * 5000


@pytest.mark.parametrize("extended", [False, True])
def test_content_exchanged_while_a_build_runs_never_stands_under_the_old_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extended: bool
) -> None:
    """With `extended` the survey hashes each page before it is read again to be stored."""
    options = WriteOptions(extended=extended)
    tree = tree_with(tmp_path / "root", OLD)
    status = (tmp_path / "root/file").stat()
    survey = writer.survey  # type: ignore[attr-defined]

    def exchange(*words: Any, **named: Any) -> Survey:
        found = survey(*words, **named)
        (tmp_path / "root/file").write_bytes(NEW)
        os.utime(tmp_path / "root/file", ns=(status.st_atime_ns, status.st_mtime_ns))
        return found

    monkeypatch.setattr(writer, "survey", exchange)
    cache = DiskCache(tmp_path / "cache", "level")
    with pytest.raises(TreeError, match="/file: changed while being read"):
        write_image(tree, {}, options, cache=cache)
    cache.save()
    monkeypatch.undo()
    tree = tree_with(tmp_path / "root", OLD)
    assert built_with(DiskCache(tmp_path / "cache", "level"), tree, options) == OLD


def test_pages_are_held_to_the_survey_even_if_no_time_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = tree_with(tmp_path, OLD)
    contents = iter((OLD, NEW))
    monkeypatch.setattr(Node, "chunks", lambda node: iter([next(contents)]))
    with pytest.raises(TreeError, match="/file: changed while being read"):
        write_image(tree, {}, WriteOptions(extended=True))


def test_blocks_with_right_checksums_and_another_content_are_not_used(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path / "cache", "level")
    for at in range(0, len(OLD), PAGE_SIZE):
        page, wrong = OLD[at : at + PAGE_SIZE], NEW[at : at + PAGE_SIZE]
        cache.put(page_key(page), zlib.compress(wrong))
    cache.save()
    tree = tree_with(tmp_path / "root", OLD)
    assert built_with(DiskCache(tmp_path / "cache", "level"), tree, WriteOptions()) == OLD
    # The wrong blocks are gone, and the right ones are found.
    cache = DiskCache(tmp_path / "cache", "level")
    assert built_with(cache, tree, WriteOptions()) == OLD
    assert cache.hits == 5
    assert cache.get(page_key(OLD[:PAGE_SIZE])) != zlib.compress(NEW[:PAGE_SIZE])


def test_the_size_of_a_page_is_not_taken_from_a_wrong_block(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, "level")
    page = OLD[:PAGE_SIZE]
    cache.put(page_key(page), b"x" * 4000)
    cache.save()
    size = compressed_size_of(zlib.compress, DiskCache(tmp_path, "level"))
    assert size(page) == len(zlib.compress(page))


def test_packs_of_the_version_that_could_be_wrong_are_not_believed(tmp_path: Path) -> None:
    folder = tmp_path / "blocks/level"
    folder.mkdir(parents=True)
    index = b"k" * 32 + struct.pack("<2I", 5, zlib.crc32(b"block"))
    tail = struct.pack("<2I17s", 1, zlib.crc32(index), b"tinyprof blocks 1")
    (folder / "1-a.pack").write_bytes(b"block" + index + tail)
    assert DiskCache(tmp_path, "level").get(b"k" * 32) is None
    assert not (folder / "1-a.pack").exists()


@pytest.mark.parametrize(
    "make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/zero")]
)
def test_a_pack_that_is_no_file_is_neither_waited_for_nor_followed(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    filled(tmp_path)
    make(tmp_path / "blocks/level/0.pack")
    cache = DiskCache(tmp_path, "level")
    assert {key: cache.get(key) for key in BLOCKS} == BLOCKS
    cache.put(b"k" * 32, b"block")
    cache.save()
    assert cache.problem == ""
    assert DiskCache(tmp_path, "level").get(b"k" * 32) == b"block"


def test_a_full_disk_leaves_the_cache_unused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = tree_with(tmp_path / "root", os.urandom(40 * PAGE_SIZE))
    cache = DiskCache(tmp_path / "cache", "level")

    def full(handle: int, mode: str) -> IO[bytes]:
        return Path("/dev/full").open("wb")

    monkeypatch.setattr(os, "fdopen", full)
    assert built_with(cache, tree, WriteOptions()) == (tmp_path / "root/file").read_bytes()
    assert "No space left" in cache.problem


def test_a_pack_in_the_making_has_no_name(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, "level")
    cache.put(b"k" * 32, b"block")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    cache.save()
    assert len(list(tmp_path.rglob("*.pack"))) == 1


def test_without_nameless_files_a_pack_is_written_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "O_TMPFILE", 0)
    filled(tmp_path)
    assert DiskCache(tmp_path, "level").get(next(iter(BLOCKS))) is not None
    assert list(tmp_path.rglob("*.new")) == []
