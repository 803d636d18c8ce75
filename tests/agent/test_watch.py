# SPDX-License-Identifier: MIT
"""The agent's tracer of perf events, under sanitizers: the test plays the kernel."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.events import (
    DEVICE,
    EXECUTE,
    FIELDS,
    OF_FILE,
    PAGE,
    PRESENT,
    READ,
    ROOT,
    SHARED,
    WRITE,
    Watch,
    cached,
    ended,
    execed,
    fork,
    lost,
    mapping,
    touch,
)

EXEC_BIT, READ_BIT, WRITE_BIT, FILE_BIT = 1, 2, 4, 8
INODE, ID = 400, 100
SEED = 20261128
FUZZED = int(os.environ.get("TINYPROF_FUZZ", "20000"))
OTHER_DEVICE = 8 << 20 | 1
"""A file system that is no CramFS."""

THREADED = 44
NAMELESS_MAX = 128
"""Runs of pages that wait for their file's name: agent/nameless.h."""


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("watch")
    subprocess.run(["make", "-s", "-C", str(ROOT / "agent"), "watch", f"O={out}"], check=True)
    return out / "watch"


def start(watch: Watch) -> None:
    """End the first epoch, in which the agent saw itself."""
    watch.records()
    watch.ask("rearm", 0)
    watch.ask("old")


@pytest.fixture
def watch(program: Path) -> Iterator[Watch]:
    with Watch(program) as running:
        running.ask("volume", DEVICE)
        running.ask("fields", FIELDS)
        running.ask("open")
        start(running)
        yield running


def test_a_fault_is_a_touch_of_the_page_that_is_mapped_there(watch: Watch) -> None:
    watch.take([mapping(7, 0x10000, 4, INODE, offset=2), touch(7, 0x11234)])
    assert watch.records() == [(0, ID + 3, EXEC_BIT)]


def test_a_page_is_recorded_once_in_an_epoch_and_again_in_the_next(watch: Watch) -> None:
    watch.take([mapping(7, 0x10000, 4, INODE), touch(7, 0x10000), touch(7, 0x10FFF)])
    assert watch.records() == [(0, ID, EXEC_BIT)]
    assert watch.ask("rearm", 0) == ["2 1 0 0 0"]
    watch.take([touch(7, 0x10010)])
    assert watch.records() == [(0, ID, EXEC_BIT)]


def test_an_epoch_ends_only_when_its_records_were_read(watch: Watch) -> None:
    watch.take([mapping(7, 0x10000, 4, INODE), touch(7, 0x10000)])
    assert watch.ask("rearm", 0) == ["-11"]
    watch.records()
    assert watch.ask("rearm", 0) == ["2 1 0 0 0"]


def test_the_end_of_an_epoch_makes_the_entries_of_every_process_old(watch: Watch) -> None:
    watch.take([mapping(7, 0x10000, 4, INODE), mapping(9, 0x10000, 4, INODE)])
    watch.ask("old")
    watch.ask("rearm", 0)
    assert sorted(watch.ask("old")) == ["7", "9"]


def test_a_fault_where_nothing_is_mapped_is_no_touch(watch: Watch) -> None:
    watch.take([mapping(7, 0x10000, 4, INODE), touch(7, 0x14000), touch(8, 0x10000)])
    assert watch.records() == []


def test_a_fault_behind_the_end_of_the_file_is_no_touch(watch: Watch) -> None:
    watch.ask("size", 2 * PAGE - 1)
    watch.take([mapping(7, 0x10000, 4, INODE), touch(7, 0x11000), touch(7, 0x12000)])
    assert watch.records() == [(0, ID + 1, EXEC_BIT)]


def test_the_protection_tells_execution_from_reading(watch: Watch) -> None:
    watch.take([mapping(7, 0x10000, 1, INODE, protection=READ), touch(7, 0x10000)])
    assert watch.records() == [(0, ID, READ_BIT)]


def test_a_later_mapping_covers_an_earlier_one(watch: Watch) -> None:
    watch.take([mapping(7, 0x10000, 8, INODE), mapping(7, 0x12000, 2, 800)])
    watch.take([touch(7, address) for address in (0x11000, 0x12000, 0x13000, 0x14000)])
    assert [page for _, page, _ in watch.records()] == [ID + 1, 200, 201, ID + 4]


def test_a_file_that_was_read_and_never_mapped_gets_its_name_and_its_pages(watch: Watch) -> None:
    watch.ask("name", f"{OTHER_DEVICE} 77 /etc/settings")
    watch.ask("size", 3 * PAGE)
    watch.take([mapping(7, 0x10000, 1, 50, device=OTHER_DEVICE, path="/bin/program")])
    watch.take([cached(9, 77, page, device=OTHER_DEVICE) for page in (0, 1)])
    watch.ask("stop")
    assert watch.ask("file")[-1] == "1 3 3 12288 /etc/settings"
    assert watch.records() == [(1, 3, FILE_BIT), (1, 4, FILE_BIT)]


def test_a_program_that_is_read_before_it_is_mapped_counts_by_its_mappings(watch: Watch) -> None:
    watch.ask("name", f"{OTHER_DEVICE} 77 /lib/library")
    watch.ask("size", 3 * PAGE)
    watch.take([mapping(7, 0x10000, 1, 50, device=OTHER_DEVICE)])
    watch.take([mapping(7, 0x20000, 3, 77, device=OTHER_DEVICE, path="/lib/library")])
    watch.take([cached(9, 77, page, device=OTHER_DEVICE) for page in range(3)])
    assert watch.records() == [(1, 3, FILE_BIT)]


def test_two_processes_that_read_in_turn_take_no_more_room_than_one(watch: Watch) -> None:
    watch.take([mapping(7, 0x10000, 1, 50, device=OTHER_DEVICE)])
    pages = [cached(9, inode, n, device=OTHER_DEVICE) for n in range(100) for inode in (77, 78)]
    watch.take(pages)
    assert watch.records() == []
    assert watch.ask("lost") == ["0 0"]


def test_a_page_of_a_file_that_nobody_finds_is_no_touch(watch: Watch) -> None:
    watch.take([mapping(7, 0x10000, 1, 50, device=OTHER_DEVICE)])
    watch.take([cached(9, 77, 0, device=OTHER_DEVICE)])
    watch.ask("stop")
    assert watch.records() == []


def test_more_read_files_than_can_wait_for_a_name_are_told_as_untraced(watch: Watch) -> None:
    watch.take([mapping(7, 0x10000, 1, 50, device=OTHER_DEVICE)])
    watch.take([cached(9, 1000 + n, 0, device=OTHER_DEVICE) for n in range(NAMELESS_MAX + 2)])
    assert watch.records() == []
    assert watch.ask("lost") == ["0 2"]


def test_pages_of_a_device_on_which_nothing_is_mapped_do_not_wait(watch: Watch) -> None:
    watch.take([cached(9, 1000 + n, 0, device=OTHER_DEVICE) for n in range(NAMELESS_MAX + 2)])
    assert watch.records() == []
    assert watch.ask("lost") == ["0 0"]


def test_anonymous_memory_covers_a_file(watch: Watch) -> None:
    watch.take([mapping(7, 0x10000, 8, INODE), mapping(7, 0x12000, 2, 0, path="//anon")])
    watch.take([touch(7, address) for address in (0x11000, 0x12000, 0x13000, 0x14000)])
    assert [page for _, page, _ in watch.records()] == [ID + 1, ID + 4]


def test_a_child_has_its_parents_mappings_until_it_executes_another_program(watch: Watch) -> None:
    watch.take([mapping(7, 0x10000, 4, INODE), fork(8, 7), touch(8, 0x10000)])
    watch.take([execed(8), touch(8, 0x11000)])
    assert watch.records() == [(0, ID, EXEC_BIT)]


def test_a_pid_that_is_used_again_has_nothing_of_its_former_process(watch: Watch) -> None:
    watch.take([mapping(7, 0x10000, 4, INODE), ended(7), touch(7, 0x10000)])
    watch.take([mapping(9, 0x20000, 4, 800), fork(7, 9), touch(7, 0x10000), touch(7, 0x20000)])
    assert [page for _, page, _ in watch.records()] == [200]


def test_a_process_lives_until_its_last_thread_has_ended(watch: Watch) -> None:
    watch.take([mapping(7, 0x10000, 4, INODE), fork(7, 7, tid=8), ended(7), touch(7, 0x10000)])
    assert watch.records() == [(0, ID, EXEC_BIT)]
    watch.take([ended(7), touch(7, 0x11000)])
    assert watch.records() == []


def test_a_private_page_that_is_written_at_once_is_a_write(watch: Watch) -> None:
    watch.ask("page", 7, 0x10, f"{PRESENT:x}")
    watch.take([mapping(7, 0x10000, 1, INODE, protection=READ | WRITE), touch(7, 0x10000)])
    assert watch.records() == [(0, ID, WRITE_BIT)]


def test_a_private_page_that_is_read_before_it_is_written_is_read(watch: Watch) -> None:
    watch.ask("page", 7, 0x10, f"{PRESENT:x}")
    written = mapping(7, 0x10000, 1, INODE, protection=READ | WRITE)
    watch.take([written, touch(7, 0x10000), touch(7, 0x10000)])
    assert watch.records() == [(0, ID, READ_BIT)]


def test_a_private_page_that_is_still_the_files_is_read(watch: Watch) -> None:
    watch.ask("page", 7, 0x10, f"{PRESENT | OF_FILE:x}")
    watch.take([mapping(7, 0x10000, 1, INODE, protection=READ | WRITE), touch(7, 0x10000)])
    assert watch.records() == [(0, ID, READ_BIT)]


def test_a_private_copy_is_no_use_of_the_file_in_later_epochs(watch: Watch) -> None:
    watch.ask("page", 7, 0x10, f"{PRESENT:x}")
    watch.take([mapping(7, 0x10000, 1, INODE, protection=READ | WRITE), touch(7, 0x10000)])
    watch.records()
    watch.ask("rearm", 0)
    watch.take([touch(7, 0x10000)])
    # mprotect() tells the same part of the file as a new mapping.
    watch.take([mapping(7, 0x10000, 1, INODE, protection=READ), touch(7, 0x10000)])
    assert watch.records() == []


def test_a_mapping_that_is_made_anew_has_no_copies(watch: Watch) -> None:
    watch.ask("page", 7, 0x10, f"{PRESENT:x}")
    for _ in range(2):
        watch.take([mapping(7, 0x10000, 1, INODE, protection=READ | WRITE), touch(7, 0x10000)])
        assert watch.records() == [(0, ID, WRITE_BIT)]
        watch.ask("rearm", 0)


def test_a_shared_mapping_that_may_be_written_is_read(watch: Watch) -> None:
    shared = mapping(7, 0x10000, 1, INODE, protection=READ | WRITE, flags=SHARED)
    watch.take([shared, touch(7, 0x10000)])
    assert watch.records() == [(0, ID, READ_BIT)]


def test_what_enters_the_page_cache_without_a_fault_was_read(watch: Watch) -> None:
    watch.take([mapping(7, 0x10000, 4, INODE), cached(7, INODE, 2)])
    assert watch.records() == [(0, ID + 2, FILE_BIT)]


def test_what_a_fault_brings_into_the_page_cache_was_not_read(watch: Watch) -> None:
    watch.take([mapping(7, 0x10000, 4, INODE), touch(7, 0x12000), cached(7, INODE, 2)])
    assert watch.records() == [(0, ID + 2, EXEC_BIT)]


def test_a_format_without_the_fields_is_no_tracepoint(watch: Watch) -> None:
    assert watch.ask("fields", "field:unsigned long i_ino;\\toffset:16;") == ["16 0 0 0"]
    watch.take([mapping(7, 0x10000, 4, INODE), cached(7, INODE, 2)])
    assert watch.records() == []


def test_dropped_events_are_counted(watch: Watch) -> None:
    watch.take([lost(5), lost(37)])
    watch.records()
    assert watch.ask("lost") == ["42 0"]


def test_a_file_of_another_file_system_is_told_before_its_pages(watch: Watch) -> None:
    watch.ask("size", 3 * PAGE)
    watch.take([mapping(7, 0x10000, 2, 55, device=OTHER_DEVICE, path="/usr/bin/perl")])
    watch.take([touch(7, 0x11000)])
    watch.take([mapping(7, 0x20000, 2, 56, device=OTHER_DEVICE, path="/b"), touch(7, 0x20000)])
    assert watch.records() == [(1, 1, EXEC_BIT), (1, 3, EXEC_BIT)]
    assert watch.ask("file") == ["1 0 3 12288 /usr/bin/perl", "1 3 3 12288 /b"]
    assert watch.ask("file") == []


def test_a_file_that_grew_is_told_again_with_other_ids(watch: Watch) -> None:
    watch.ask("size", PAGE)
    watch.take([mapping(7, 0x10000, 1, 55, device=OTHER_DEVICE, path="/log"), touch(7, 0x10000)])
    watch.records()
    watch.ask("file")
    watch.ask("size", 3 * PAGE)
    watch.take([mapping(7, 0x10000, 3, 55, device=OTHER_DEVICE, path="/log"), touch(7, 0x12000)])
    assert watch.records() == [(1, 3, EXEC_BIT)]
    assert watch.ask("file") == ["1 1 3 12288 /log"]


def test_a_file_whose_size_is_not_known_has_the_pages_that_are_mapped(watch: Watch) -> None:
    watch.ask("size", -1)
    watch.take([mapping(7, 0x10000, 5, 55, device=OTHER_DEVICE, path="/gone (deleted)")])
    watch.records()
    assert watch.ask("file") == ["1 0 5 4294967295 /gone (deleted)"]


@pytest.mark.parametrize("path", ["//anon", "[heap]", "anon_inode:[eventfd]", ""])
def test_what_is_no_file_is_not_told(watch: Watch, path: str) -> None:
    watch.take([mapping(7, 0x10000, 5, 55, device=OTHER_DEVICE, path=path), touch(7, 0x10000)])
    assert watch.records() == []
    assert watch.ask("file") == []


def test_processes_that_map_a_file_at_once_are_counted(watch: Watch) -> None:
    watch.take([mapping(7, 0x10000, 4, INODE), fork(8, 7), fork(9, 7), ended(8)])
    watch.records()
    watch.ask("rearm", 0)
    assert watch.ask("processes", 0) == [f"{ID} 2"]
    assert watch.ask("processes", 0) == []


def test_a_processor_that_sets_the_flag_itself_is_found_and_read_back(program: Path) -> None:
    with Watch(program) as watch:
        watch.ask("volume", DEVICE)
        watch.ask("faults", 0)
        assert watch.ask("open")[0].split()[:2] == ["1", "2"]
        start(watch)
        watch.take([mapping(7, 0x10000, 2, INODE)])
        watch.records()
        watch.ask("page", 7, 0x11, f"{PRESENT | OF_FILE:x}")
        watch.ask("accessed", 1)
        assert watch.ask("rearm", 0) == ["-11"]
        assert watch.records() == [(0, ID + 1, EXEC_BIT)]
        assert watch.ask("rearm", 0) == ["2 1 0 0 0"]


def test_programs_that_ran_before_are_told_as_late(program: Path) -> None:
    with Watch(program) as watch:
        watch.ask("volume", DEVICE)
        watch.ask("maps", 44, "00010000-00012000 r-xp 00001000 1f:00 400      /bin/busybox")
        watch.ask("page", 44, 0x11, f"{PRESENT | OF_FILE:x}")
        assert watch.ask("open")[0].split()[4] == "1"
        assert (0, ID + 2, EXEC_BIT) in watch.records()


def test_one_ended_thread_forgets_no_process_that_ran_before(program: Path) -> None:
    with Watch(program) as watch:
        watch.ask("volume", DEVICE)
        watch.ask("maps", THREADED, "00010000-00012000 r-xp 00001000 1f:00 400      /bin/busybox")
        watch.ask("open")
        start(watch)
        watch.take([ended(THREADED), touch(THREADED, 0x11000)])
        assert watch.records() == [(0, ID + 2, EXEC_BIT)]


def test_each_volumes_end_counts_the_records_before_it(watch: Watch) -> None:
    watch.take([mapping(7, 0x20000, 2, 55, device=OTHER_DEVICE, path="/b"), touch(7, 0x20000)])
    watch.records()
    assert watch.ask("rearm", 0) == ["2 0 0 0 0"]
    watch.take([touch(7, 0x21000)])
    assert watch.ask("rearm", 1) == ["2 1 0 0 0"]
    assert watch.records() == [(1, 1, EXEC_BIT)]
    watch.ask("rearm", 0)
    assert watch.ask("rearm", 1) == ["3 1 0 0 0"]


def test_a_file_with_the_inode_of_a_former_one_is_another(watch: Watch) -> None:
    for generation, path in ((77, "/bin/old"), (78, "/bin/new")):
        told = mapping(7, 0x10000, 1, 55, device=OTHER_DEVICE, path=path, generation=generation)
        watch.take([told])
    watch.records()
    assert [line.split()[-1] for line in watch.ask("file")] == ["/bin/old", "/bin/new"]


def test_a_device_that_is_mapped_is_no_file_and_no_loss(watch: Watch) -> None:
    watch.take([mapping(7, 0x10000, 9, 55, device=OTHER_DEVICE, path="/dev/fb0")])
    watch.take([touch(7, 0x10000)])
    assert watch.records() == []
    assert watch.ask("lost") == ["0 0"]


def test_more_files_than_there_is_room_for_are_counted_as_untraced(watch: Watch) -> None:
    watch.take(mapping(7, 0x10000 * n, 1, 40_000 + 4 * n) for n in range(1, 4200))
    watch.records()
    assert watch.ask("lost") == ["0 105"]


def test_more_processes_than_there_is_room_for_are_counted_as_untraced(watch: Watch) -> None:
    watch.take(mapping(pid, 0x10000, 1, INODE) for pid in range(9_000_001, 9_004_200))
    watch.records()
    assert watch.ask("lost") == ["0 105"]


def test_ten_thousand_mappings_of_one_process_are_all_known(watch: Watch) -> None:
    watch.ask("size", 1 << 24)
    watch.take(
        mapping(7, 0x10000 + 2 * PAGE * n, 1, INODE, offset=n % 4096) for n in range(10_000)
    )
    watch.take([touch(7, 0x10000), touch(7, 0x10000 + 2 * PAGE * 9_999)])
    assert [page for _, page, _ in watch.records()] == [ID, ID + 9_999 % 4096]


def originals() -> list[bytes]:
    mapped = [
        mapping(7, 0x10000, 4, INODE),
        mapping(7, 0x12000, 9, 800, protection=READ | WRITE),
        mapping(8, 0x10000, 4, 55, device=OTHER_DEVICE, path="/usr/lib/a library.so"),
        mapping(7, 0x11000, 1, 0, protection=READ | EXECUTE, path="//anon"),
    ]
    others = [fork(8, 7), fork(9, 7, tid=10), execed(8), ended(9), lost(3), cached(7, INODE, 1)]
    return [*mapped, *others, touch(7, 0x10000), touch(7, 0x13000), touch(8, 0x12000)]


def mutated(rng: random.Random, data: bytes) -> bytes:
    """Some bytes changed, or cut; its header tells its size, as the rings have checked it."""
    changed = bytearray(data)
    for _ in range(rng.randrange(1, 8)):
        at = rng.randrange(len(changed))
        changed[at] = rng.choice([0, 0xFF, 0x80, rng.randrange(256), changed[at] ^ 1])
    if not rng.randrange(4):
        del changed[rng.randrange(8, len(changed) + 1) :]
    changed[6:8] = len(changed).to_bytes(2, "little")
    return bytes(changed)


def test_mutated_records_harm_nothing(watch: Watch) -> None:
    print(f"seed {SEED}, {FUZZED} records")
    rng = random.Random(SEED)
    good = originals()
    for done in range(FUZZED):
        data = rng.choice(good)
        watch.take([mutated(rng, data) if rng.randrange(8) else data])
        if not done % 500:
            watch.records()
            watch.ask("file")
            watch.ask("rearm", 0)
            watch.ask("processes", 0)
    watch.records()
