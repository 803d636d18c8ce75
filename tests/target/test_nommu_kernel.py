# SPDX-License-Identifier: MIT
"""Our part of a kernel without an MMU records pages that are read, and whole mappings in each
epoch that they live in (guest/nommu/touched.c)."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import pytest

from target.booting import Recording, board, messages, record
from target.nommu import ARCH, VERSIONS, at_hand, flat_guest, image_of
from tinyprof.cramfs.programs import program_pages
from tinyprof.cramfs.reading.directory import Entry
from tinyprof.cramfs.reading.reader import read_image
from tinyprof.cramfs.tree import Tree
from tinyprof.pages import PAGE_SIZE, Kind
from tinyprof.wire.messages import EpochEnd, Pages

SEED = 20261129
PAGES = 16
WORKER_WORDS = 3_000
KERNELS = [pytest.param(version, marks=at_hand(version, stock=False)) for version in VERSIONS]

HELD = {("/placed", page, Kind.READ) for page in (4, 5, 6)} | {("/placed", 12, Kind.EXEC)}
COPY = {("/packed", page, Kind.EXEC) for page in (8, 9)}
COPYING = {("/packed", page, kind) for page in (8, 9) for kind in (Kind.READ, Kind.FILE)}
STEPS = [
    {("/placed", 1, Kind.FILE), ("/placed", 2, Kind.FILE), ("/packed", 3, Kind.FILE)},
    HELD | COPYING,
    HELD | COPY,
    HELD | COPY | {("/placed", 10, Kind.FILE), ("/placed", 11, Kind.FILE)},
    set(),
]
"""By step of the guest: the touches of both files. A copy is told before it is made, by kind read,
and read() to be made. As long as it lives its kind is that of the mapping."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A recording, and the touches of each step that ended."""

    recording: Recording
    steps: list[set[tuple[str, int, Kind]]]
    processes: dict[str, int]


def root_of(folder: Path) -> Path:
    rng = random.Random(SEED)
    top = folder / "root"
    for name in ("dev", "proc", "sbin", "bin"):
        (top / name).mkdir(parents=True)
    (top / "placed").write_bytes(rng.randbytes(PAGES * PAGE_SIZE - 100))
    (top / "packed").write_bytes(rng.randbytes(PAGES * PAGE_SIZE // 2).hex().encode()[:-100])
    programs = {
        "sbin/init": flat_guest(folder, "touched", 0),
        "bin/worker": flat_guest(folder, "worker", WORKER_WORDS),
        "sbin/tinyprof-agent": Path(board("agent", *ARCH)).read_bytes(),
    }
    for path, data in programs.items():
        (top / path).write_bytes(data)
        (top / path).chmod(0o755)
    return top


def entry_of(entries: dict[str, Entry], page_id: int) -> Entry | None:
    """The file that a page id is of."""
    return next((it for it in entries.values() if 0 <= page_id - it.page_id(0) < it.pages), None)


def seen_in(image: Path, recording: Recording) -> Seen:
    """The touches between one mark's end of an epoch and the next one's."""
    entries = {it.path: it for it in read_image(image.read_bytes()).entries if it.pages}
    touches: dict[int, set[tuple[str, int, Kind]]] = defaultdict(set)
    processes: dict[str, int] = {}
    ended: list[int] = []
    for message in messages(recording.capture):
        if isinstance(message, Pages):
            for page_id, kind in zip(message.page_ids, message.kinds, strict=True):
                if entry := entry_of(entries, page_id):
                    page = page_id - entry.page_id(0)
                    touches[message.epoch].add((entry.path, page, Kind(kind)))
        elif isinstance(message, EpochEnd):
            ended.append(message.epoch)
            for page_id, count in message.processes or ():
                if entry := entry_of(entries, page_id):
                    processes[entry.path] = max(count, processes.get(entry.path, 0))
    return Seen(recording, [touches[epoch] for epoch in ended], processes)


@pytest.fixture(scope="module", params=KERNELS)
def seen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    print(f"seed {SEED}")
    folder = tmp_path_factory.mktemp("nommu-kernel")
    root = root_of(folder)
    init = program_pages(Tree.from_directory(root))["/sbin/init"]
    in_place = {"/placed": range(PAGES), "/sbin/init": init}
    image = image_of(root, folder / "image", in_place)
    append = (
        "init=/sbin/tinyprof-agent cramfs.tinyprof=1 TINYPROF_TTY=/dev/ttyMPS1 TINYPROF_EPOCH=0"
    )
    words = (*ARCH, "--version", str(request.param), "--append", append)
    options = ("--image", str(image), "--one-way")
    return seen_in(image, record(image, folder / "capture", *words, options=options))


def test_nothing_is_lost_by_a_kernel_without_an_mmu(seen: Seen) -> None:
    assert seen.recording.code == 0, seen.recording.said
    assert "lost: nothing" in seen.recording.said
    assert "touched done" in seen.recording.console
    assert "bad " not in seen.recording.console


def test_each_step_has_the_pages_that_were_read_and_those_of_its_mappings(seen: Seen) -> None:
    found = [{it for it in step if it[0] in ("/placed", "/packed")} for step in seen.steps]
    assert found[0] == set()
    assert found[1:] == STEPS


def test_a_program_in_place_is_mapped_in_each_epoch_that_it_lives_in(seen: Seen) -> None:
    for step in seen.steps:
        assert ("/sbin/init", 0, Kind.EXEC) in step


def test_the_processes_of_a_program_are_counted(seen: Seen) -> None:
    assert seen.processes == {"/bin/worker": 3}
