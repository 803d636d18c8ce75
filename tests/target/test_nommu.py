# SPDX-License-Identifier: MIT
"""A Cortex-M3 without an MMU: programs in place and copied, and a recording of their mappings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import pytest

from qemu_board.errors import BoardError
from qemu_board.fdpic import linker
from target.booting import Recording, boot, messages, record
from target.nommu import (
    ARCH,
    VERSIONS,
    Shown,
    at_hand,
    image_of,
    lives,
    memory,
    root_of,
    shown_mappings,
)
from tinyprof.capture.reader import CaptureReader
from tinyprof.cramfs.programs import program_pages
from tinyprof.cramfs.tree import Tree
from tinyprof.heat.losses import NO_LOSSES
from tinyprof.profile.model import Profile
from tinyprof.profile.resolve import make_profile
from tinyprof.profile.tprof import dump_profile
from tinyprof.wire.messages import EpochEnd

PLANNED = {"/sbin/init", "/bin/daemon", "/bin/fdpic-one"}
LIBRARY = "/lib/libguest.so"
COPIED = {"/bin/worker", LIBRARY}
AGENT = "/sbin/tinyprof-agent"
RECORDED = f"init={AGENT} TINYPROF_TTY=/dev/ttyMPS1"
SURELY_MS = 300
"""A process that lives for so long in an epoch is seen by one of its looks."""

KERNELS = [pytest.param(version, marks=at_hand(version, stock=True)) for version in VERSIONS]
of_a_recording = at_hand(VERSIONS[0], stock=True)

STOCK = (*ARCH, "--stock")
SMALLEST = ("--mem", "4")


@pytest.fixture(scope="module")
def fdpic() -> Path | None:
    """A linker for FDPIC; None where Debian's source of it cannot be had."""
    try:
        return linker()
    except BoardError as error:
        print(error)
        return None


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, fdpic: Path | None) -> Path:
    return root_of(tmp_path_factory.mktemp("nommu"), fdpic)


@pytest.fixture(scope="module")
def image(root: Path) -> Path:
    """An image with some of the programs in place."""
    pages = program_pages(Tree.from_directory(root))
    planned = {path: found for path, found in pages.items() if path in PLANNED}
    assert planned.keys() == PLANNED & pages.keys()
    return image_of(root, root.parent / "image", planned)


@pytest.fixture(scope="module")
def recording(image: Path) -> Recording:
    """A recording whose guest waits for nobody: its time goes by instructions, and that of a host
    that acknowledges does not."""
    return recorded(image, image.with_name("first.tpcap"), "--one-way")


def recorded(image: Path, capture: Path, *options: str) -> Recording:
    wanted: tuple[str | Path, ...] = ("--image", image, *options)
    words = (*STOCK, "--version", VERSIONS[0], "--append", RECORDED)
    return record(image, capture, *words, options=wanted)


def texts(shown: list[Shown]) -> dict[str, set[Shown]]:
    found: dict[str, set[Shown]] = {}
    for mapping in shown:
        if mapping.path.startswith("/") and mapping.permissions.startswith("r-x"):
            found.setdefault(mapping.path, set()).add(mapping)
    return found


@pytest.fixture(scope="module")
def consoles(image: Path) -> Callable[[str], str]:
    """Boots a kernel of a version with the least memory, once; what its guest says."""
    return cache(lambda version: boot(image, *STOCK, *SMALLEST, "--version", version))


@pytest.mark.parametrize("version", KERNELS)
def test_just_the_planned_programs_are_mapped_from_flash(
    version: str, consoles: Callable[[str], str], root: Path
) -> None:
    found = texts(shown_mappings(consoles(version)))
    assert found.keys() == {path for path in PLANNED | COPIED if (root / path[1:]).exists()}
    for path, mappings in found.items():
        assert {it.in_flash for it in mappings} == {path in PLANNED}, path


@pytest.mark.parametrize("version", KERNELS)
def test_an_fdpic_program_is_mapped_apart_from_its_data(
    version: str, consoles: Callable[[str], str], fdpic: Path | None
) -> None:
    if not fdpic:
        pytest.skip("no linker for FDPIC: Debian's binutils-source cannot be had")
    shown = [it for it in shown_mappings(consoles(version)) if it.path == "/bin/fdpic-one"]
    text, data = sorted(shown, key=lambda it: it.first)
    assert (text.permissions[:3], text.in_flash) == ("r-x", True)
    assert (data.permissions[:3], data.in_flash) == ("rw-", False)


@pytest.mark.parametrize("version", KERNELS)
def test_the_memory_of_programs_is_that_of_their_copies(
    version: str, consoles: Callable[[str], str]
) -> None:
    console = consoles(version)
    shown = shown_mappings(console)
    # Three workers, but one copy of their text: the kernel shares what nobody may write.
    assert len({it.pid for it in shown if it.path == "/bin/worker"}) == 3
    assert len({it.first for it in shown if it.path == "/bin/worker"}) == 1
    copies = {(it.first, it.end) for it in shown if not it.in_flash}
    assert memory(console)["MmapCopy"] == sum(end - first for first, end in copies) >> 10


def profile_of(capture: Path) -> Profile:
    with capture.open("rb") as file:
        return make_profile([CaptureReader(file)])


def held_in(lives_of_one: list[tuple[int, int]], start: int, end: int) -> int:
    """How many processes of one program a look of the epoch sees at most."""
    inside = []
    for first, last in lives_of_one:
        overlap = min(last, end) - max(first, start)
        assert not 0 < overlap < SURELY_MS, "the guest leaves it open whether a look sees this"
        if overlap > 0:
            inside.append((max(first, start), last))
    return max((sum(a <= at < b for a, b in inside) for at, _ in inside), default=0)


def truth(recording: Recording) -> Mapping[str, list[int]]:
    """The processes of each program in each epoch that ended, as the guest says."""
    ends = [it.ms for it in messages(recording.capture) if isinstance(it, EpochEnd)]
    assert ends
    lived = lives(recording.console)
    (init,) = lived["/sbin/init"]
    lived[AGENT] = [init]
    users = [it for path, all_of_it in lived.items() if "fdpic" in path for it in all_of_it]
    lived |= {LIBRARY: users} if users else {}
    pairs = list(zip([0, *ends], ends, strict=False))
    return {path: [held_in(it, *pair) for pair in pairs] for path, it in lived.items()}


@of_a_recording
def test_a_recording_of_mappings_is_the_truth(recording: Recording) -> None:
    assert recording.code == 0, recording.said
    assert "lost: nothing" in recording.said
    profile = profile_of(recording.capture)
    (facts,) = profile.boots
    assert facts.losses == NO_LOSSES
    steady = next(phase.first for phase in facts.phases if phase.name == "steady") - 1
    expected = {
        path: (
            sum(map(bool, held)),
            sum(map(bool, held[steady:])),
            sum(held),
            sum(held[steady:]),
            max(held),
        )
        for path, held in truth(recording).items()
    }
    assert expected["/bin/worker"][4] == 3
    found = {}
    for file in profile.files:
        (use,) = file.mappings
        assert (use.page, use.pages) == (0, len(file.pages))
        found[file.path] = (use.epochs, use.steady, use.held, use.held_steady, use.most)
    assert found == expected


@of_a_recording
def test_the_same_boot_gives_the_same_profile(recording: Recording, image: Path) -> None:
    again = recorded(image, image.with_name("second.tpcap"), "--one-way")
    assert again.code == 0, again.said
    first, second = (dump_profile(profile_of(it.capture)) for it in (recording, again))
    assert first == second


@of_a_recording
def test_a_recording_that_is_acknowledged_loses_nothing(recording: Recording, image: Path) -> None:
    acknowledged = recorded(image, image.with_name("third.tpcap"))
    assert acknowledged.code == 0, acknowledged.said
    one, other = (profile_of(it.capture) for it in (recording, acknowledged))
    assert other.boots[0].losses == NO_LOSSES
    assert {file.path for file in one.files} == {file.path for file in other.files}


@of_a_recording
def test_a_recording_says_what_saw_the_mappings(recording: Recording) -> None:
    assert "mappings in /proc" in recording.said
    assert "in place" not in recording.said
