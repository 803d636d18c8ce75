# SPDX-License-Identifier: MIT
"""The files that a target tells: put together from their parts, and held to limits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tinyprof.heat import told_files
from tinyprof.heat.boots import Boot
from tinyprof.heat.told_files import BEGUN_MAX, ToldFiles
from tinyprof.wire.frames import file_parts
from tinyprof.wire.messages import FilePart, Status
from tinyprof.wire.sequence import Frame

LONG = b"/" + bytes(33 + n % 90 for n in range(900))


def told(path: bytes = b"/bin/sh", page_id: int = 10, pages: int = 5, inode: int = 7) -> FilePart:
    return FilePart(1, page_id, pages, pages * 4096, 8 << 20, inode, len(path), 0, path)


def taken(*messages: FilePart) -> ToldFiles:
    files = ToldFiles()
    for message in messages:
        files.take(message)
    return files


def test_a_path_in_parts_is_told_when_its_last_byte_has_come() -> None:
    parts = list(file_parts(told(LONG)))
    assert len(parts) > 4
    assert not list(taken(*parts[:-1]))
    (file,) = taken(*parts)
    assert file.path.encode() == LONG
    assert list(file.page_ids) == [10, 11, 12, 13, 14]


def test_parts_of_two_files_may_come_in_turn() -> None:
    pairs = zip(file_parts(told(LONG)), file_parts(told(LONG[::-1], 20)), strict=True)
    files = taken(*(part for pair in pairs for part in pair))
    assert [file.page_id for file in files] == [10, 20]


def test_a_path_without_one_part_waits_until_it_is_told_again() -> None:
    first, second, third, *rest = file_parts(told(LONG))
    files = taken(first, third, *rest)
    assert not len(files)
    assert not files.refused
    for part in (first, second, third, *rest):
        files.take(part)
    assert len(files) == 1


def test_a_file_that_is_told_again_stays_as_it_was_first() -> None:
    files = taken(told(), told(b"/bin/sh (deleted)"), replace(told(), size=1))
    assert [file.path for file in files] == ["/bin/sh"]
    assert not files.refused


@pytest.mark.parametrize(
    "second",
    [
        told(b"/b", page_id=10, inode=8),
        told(b"/b", page_id=14),
        told(b"/b", page_id=9, pages=2),
        told(b"/b", page_id=5, pages=50),
    ],
)
def test_a_file_with_page_ids_of_another_is_refused_and_counted(second: FilePart) -> None:
    boot = Boot()
    for seq, message in enumerate((told(), second)):
        boot.take(Frame(seq, 0, message))
    assert [file.path for file in boot.told] == ["/bin/sh"]
    assert boot.losses.beyond_limits == 1


def test_neighbours_and_other_volumes_share_nothing() -> None:
    files = taken(told(), told(b"/a", 5), told(b"/c", 15), replace(told(b"/d"), volume=2))
    assert len(files) == 4
    assert len(files.of_volume(1)) == 3
    assert not files.refused


def test_files_and_bytes_of_paths_have_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(told_files, "FILES_MAX", 3)
    files = taken(*(told(b"/x", page_id=100 * n) for n in range(5)))
    assert (len(files), files.refused) == (3, 2)
    monkeypatch.setattr(told_files, "PATH_BYTES_MAX", 10)
    files = taken(told(b"/x" * 5), told(b"/y", 100))
    assert (len(files), files.refused) == (1, 1)


def test_paths_that_never_end_take_bounded_memory() -> None:
    begun = [replace(told(b"/x", page_id=9 * n), path_size=4000) for n in range(4 * BEGUN_MAX)]
    files = taken(*begun)
    assert len(files._begun) == BEGUN_MAX
    files.take(replace(begun[-1], path_size=2 + 1, offset=2, part=b"y"))
    assert [file.path for file in files] == ["/xy"]


def test_dropped_events_are_a_loss_of_their_own() -> None:
    boot = Boot()
    boot.take(Frame(0, 0, Status(1, 0, 0, 0)))
    assert not boot.losses
    boot.take(Frame(1, 0, Status(2, 0, 0, 0, lost_events=9)))
    assert boot.losses.lost_events == 9
    assert (boot.losses + boot.losses).lost_events == 18
