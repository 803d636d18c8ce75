# SPDX-License-Identifier: MIT
"""The agent's tracer of mappings, under sanitizers: the test plays the kernel."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.events import DEVICE, ROOT, Watch

ID = 100
OTHER_DEVICE = 8 << 20 | 1
EXEC_BIT, READ_BIT = 1, 2
MAPPINGS_MAX = 256


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("maps")
    subprocess.run(["make", "-s", "-C", str(ROOT / "agent"), "maps", f"O={out}"], check=True)
    return out / "maps"


@pytest.fixture(params=[0], ids=["without an MMU"])
def maps(program: Path, request: pytest.FixtureRequest) -> Iterator[Watch]:
    with Watch(program) as running:
        running.ask("volume", DEVICE)
        running.ask("mmu", request.param)
        # The agent itself, by which the volume is found; then its process is gone.
        running.ask("maps", 5, row(1, inode=4))
        running.ask("open", 1)
        running.ask("none")
        epoch(running)
        yield running


def row(
    pages: int,
    page: int = 0,
    *,
    inode: int = 4 * ID,
    permissions: str = "r-xs",
    at: int = 0x2000_0000,
    device: str = "1f:00",
) -> str:
    """A line of /proc/PID/maps."""
    span = f"{at:08x}-{at + pages * 4096:08x}"
    return f"{span} {permissions} {page * 4096:08x} {device} {inode}        /bin/program"


def memory(at: int) -> str:
    """A line of a process's own memory."""
    return row(2, inode=0, permissions="rwxp", at=at, device="00:00")


def read(maps: Watch) -> list[tuple[int, int]]:
    """The records of a batch: page ids, and bits of kinds."""
    pairs = (pair.split(":") for line in maps.ask("read") for pair in line.split()[2:])
    return [(int(page), int(kinds)) for page, kinds in pairs]


def epoch(maps: Watch) -> tuple[list[tuple[int, int]], list[list[int]]]:
    """End the epoch: its records, and its mappings."""
    records: list[tuple[int, int]] = []
    while maps.ask("rearm", 0) == ["Resource temporarily unavailable"]:
        records += read(maps)
    return records, [[int(number) for number in line.split()] for line in maps.ask("held", 0)]


def test_each_page_of_a_mapping_is_a_touch_of_each_epoch(maps: Watch) -> None:
    maps.ask("maps", 7, row(3, page=2))
    for _ in range(2):
        records, held = epoch(maps)
        assert records == [(ID + page, EXEC_BIT) for page in (2, 3, 4)]
        assert held == [[ID + 2, 3, 1]]
    maps.ask("none")
    epoch(maps)
    assert epoch(maps) == ([], [])


def test_a_mapping_that_may_not_be_executed_is_read(maps: Watch) -> None:
    maps.ask("maps", 7, row(1, permissions="r--s"))
    assert epoch(maps) == ([(ID, READ_BIT)], [[ID, 1, 1]])


def test_the_most_processes_of_all_looks_are_told(maps: Watch) -> None:
    for pid in (7, 8, 9):
        maps.ask("maps", pid, row(1))
    maps.ask("look")
    maps.ask("none")
    maps.ask("maps", 7, row(1))
    assert epoch(maps) == ([(ID, EXEC_BIT)], [[ID, 1, 3]])
    assert epoch(maps) == ([(ID, EXEC_BIT)], [[ID, 1, 1]])


def test_a_process_that_maps_pages_twice_holds_them_once(maps: Watch) -> None:
    maps.ask("maps", 7, row(1))
    maps.ask("maps", 7, row(1, at=0x2100_0000))
    assert epoch(maps)[1] == [[ID, 1, 1]]


def test_new_mappings_of_one_process_at_one_look_are_all_told(maps: Watch) -> None:
    inodes = (4 * ID, 8 * ID, 12 * ID)
    for number, inode in enumerate(inodes):
        maps.ask("maps", 7, row(1, inode=inode, at=0x2000_0000 + (number << 20)))
    records, held = epoch(maps)
    assert sorted(records) == [(inode // 4, EXEC_BIT) for inode in inodes]
    assert sorted(held) == [[inode // 4, 1, 1] for inode in inodes]
    assert sorted(epoch(maps)[0]) == sorted(records)


def test_mappings_that_share_pages_tell_each_page_once(maps: Watch) -> None:
    maps.ask("maps", 7, row(3))
    maps.ask("maps", 8, row(3, page=2))
    records, held = epoch(maps)
    assert sorted(records) == [(ID + page, EXEC_BIT) for page in range(5)]
    assert held == [[ID, 3, 1], [ID + 2, 3, 1]]


def test_private_copies_and_other_file_systems_are_passed_over(maps: Watch) -> None:
    maps.ask("maps", 7, row(2, permissions="rw-p"))
    maps.ask("maps", 7, row(2, device="08:01"))
    maps.ask("maps", 7, memory(0x2140_0000))
    assert epoch(maps) == ([], [])


def test_a_child_of_vfork_holds_nothing_of_its_own(maps: Watch) -> None:
    for pid in (7, 8):
        maps.ask("maps", pid, row(1))
        maps.ask("maps", pid, memory(0x2140_0000))
    maps.ask("maps", 9, row(1))
    maps.ask("maps", 9, memory(0x2150_0000))
    assert epoch(maps)[1] == [[ID, 1, 2]]


@pytest.mark.parametrize("maps", [1], ids=["with an MMU"], indirect=True)
def test_with_an_mmu_equal_addresses_are_those_of_two_processes(maps: Watch) -> None:
    for pid in (7, 8):
        maps.ask("maps", pid, row(1))
        maps.ask("maps", pid, memory(0x2140_0000))
    assert epoch(maps)[1] == [[ID, 1, 2]]


def test_a_mapping_that_nobody_holds_gives_its_place_to_another(maps: Watch) -> None:
    for inode in range(2 * MAPPINGS_MAX):
        maps.ask("none")
        maps.ask("maps", 7, row(1, inode=4 * (ID + inode)))
        assert epoch(maps)[1] == [[ID + inode, 1, 1]]
    assert maps.ask("untraced") == ["0"]


def test_pages_of_mappings_without_room_are_counted(maps: Watch) -> None:
    for pid in range(7, 7 + MAPPINGS_MAX + 3):
        maps.ask("maps", pid, row(2, inode=4 * (ID + 2 * pid)))
    records, held = epoch(maps)
    assert len(held) == MAPPINGS_MAX
    assert len(records) == 2 * MAPPINGS_MAX
    assert maps.ask("untraced") == [str(2 * 3)]


def test_mappings_of_a_child_of_vfork_take_no_room(maps: Watch) -> None:
    maps.ask("maps", 7, memory(0x2140_0000))
    for number in range(2 * MAPPINGS_MAX):
        maps.ask("maps", 8 + number, row(1, inode=4 * (ID + number)))
        maps.ask("maps", 8 + number, memory(0x2140_0000))
    maps.ask("look")
    maps.ask("none")
    maps.ask("maps", 7, row(1))
    assert epoch(maps)[1] == [[ID, 1, 1]]
    assert maps.ask("untraced") == ["0"]


def test_pages_without_room_count_once_an_epoch(maps: Watch) -> None:
    for pid in range(7, 7 + MAPPINGS_MAX):
        maps.ask("maps", pid, row(1, inode=4 * (ID + pid)))
    maps.ask("maps", 1000, row(2, inode=4))
    for _ in range(2):
        maps.ask("look")
        assert maps.ask("untraced") == ["2"]
    maps.ask("maps", 1001, row(3, inode=8))
    maps.ask("look")
    assert maps.ask("untraced") == ["5"]
    epoch(maps)
    maps.ask("look")
    assert maps.ask("untraced") == ["10"]


def test_a_volume_that_is_found_later_ends_the_epochs_of_the_others(maps: Watch) -> None:
    maps.ask("volume", OTHER_DEVICE)
    (before,) = maps.ask("rearm", 0)
    maps.ask("maps", 7, row(2, device="08:01"))
    maps.ask("look")
    # The agent asks for each volume's end, also while the first one's has to wait.
    for volume in (0, 1):
        assert maps.ask("rearm", volume) == ["Resource temporarily unavailable"]
    assert read(maps) == [(ID, EXEC_BIT), (ID + 1, EXEC_BIT)]
    number = int(before.split()[0]) + 1
    assert maps.ask("rearm", 0) == [f"{number} 0 0"]
    assert maps.ask("rearm", 1) == [f"{number} 2 0"]


def test_a_mark_comes_after_the_pages_that_were_seen_before_it(maps: Watch) -> None:
    maps.ask("maps", 7, row(1))
    maps.ask("look")
    maps.ask("mark", "ready")
    (pages,) = maps.ask("read")
    (mark,) = maps.ask("read")
    assert pages == f"0 2 {ID}:{EXEC_BIT}"
    assert mark == "4294967295 1 " + " ".join(f"{ord(letter)}:1" for letter in "ready")


def test_the_hello_says_whether_programs_ran_before(program: Path) -> None:
    for from_start, late in ((1, "0"), (0, "1")):
        with Watch(program) as maps:
            maps.ask("volume", DEVICE)
            maps.ask("maps", 7, row(1))
            assert maps.ask("open", from_start) == [f"3 3 12 3 {late}"]
