# SPDX-License-Identifier: MIT
"""Recordings on a kernel without our part, held to what our part recorded of the same image."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.agent_program import agent_program
from target.booting import (
    BOARD,
    KERNELS,
    ONE_WAY,
    PATTERN,
    TIMEOUT,
    TINYPROF,
    Demo,
    Recording,
    pattern_image,
    record,
)
from target.conftest import GUEST
from target.test_architectures import CROSS_GCC
from target.test_trace import ROUNDS, touches_of, touches_told
from tinyprof.cli.opening import open_profile
from tinyprof.pages import PAGE_SIZE, Kind
from tinyprof.profile.model import AS_ANYTHING, PageUse, Profile

STOCK = ("--stock", "--baud", "115200")
FROM_THE_START = "init=/sbin/tinyprof-agent"
READ_BACK = 2
"""Re-arm in a hello: the kernel's idle page tracking is read back."""

SHORT = "TINYPROF_EPOCH=250"
"""Epochs shorter than a round of the guest's touches."""

FLOOD = 4000 * PAGE_SIZE
"""Bytes of a file whose pages are three times what a ring of 32 KiB can tell."""

LAST_WORDS = ("/usr/lib/workload/company", "/usr/lib/workload/report")
"""Scripts that the guest reads in its last moment: the line of one recording may still bring them,
that of another not."""


def pages(profile: Profile) -> dict[tuple[str, int], PageUse]:
    return {
        (file.path, number): use
        for file in profile.files
        for number, use in file.pages.items()
        if file.path not in LAST_WORDS
    }


def epochs(use: PageUse) -> int:
    kinds = use.seen.values()
    return (
        use.seen[AS_ANYTHING].epochs if AS_ANYTHING in use.seen else max(s.epochs for s in kinds)
    )


def info_of(capture: Path) -> Any:
    """What `tinyprof capture info --json` says."""
    command: list[str | Path] = [*TINYPROF, "capture", "info", "--json", capture]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


def recorded(demo: Demo, folder: Path, *words: str, append: str = "") -> Recording:
    """The demo's image with nothing in place, on the stock kernel."""
    image = demo.folder / "all-compressed.cramfs"
    words = (*STOCK, *words, "--append", f"{FROM_THE_START} {append}".strip())
    return record(image, folder / "stock.tpcap", *words, options=("--image", image))


@pytest.fixture(scope="module")
def by_events(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return recorded(demo, tmp_path_factory.mktemp("events"))


def test_perf_events_tell_the_pages_that_our_part_records(
    demo: Demo, by_events: Recording
) -> None:
    ours = pages(open_profile([demo.folder / "boot.tprof"]))
    theirs = pages(open_profile([by_events.capture]))
    missed, wrong = ours.keys() - theirs.keys(), theirs.keys() - ours.keys()
    near = sum(
        abs(epochs(ours[page]) - epochs(theirs[page])) <= 1 for page in ours & theirs.keys()
    )
    print(f"{len(ours)} pages, {len(missed)} missed, {len(wrong)} wrong, {near} within an epoch")
    print("missed", sorted(missed)[:20])
    print("wrong", sorted(wrong)[:20])
    assert len(missed) <= 0.005 * len(ours)
    assert len(wrong) <= 0.01 * len(theirs)
    assert near >= 0.95 * len(ours & theirs.keys())


def test_perf_events_lose_nothing_at_115200_baud(by_events: Recording) -> None:
    assert by_events.code == 0, by_events.said
    assert "lost: nothing" in by_events.said


def test_the_recording_says_its_source(by_events: Recording) -> None:
    source = {"tracer": 1, "rearm": 1, "around": 12, "kinds": "xrwf", "late": False}
    assert info_of(by_events.capture)["source"] == source


def held_to(told: dict[int, list[int]], seen: dict[int, dict[int, int]], kinds: set[int]) -> None:
    """Each page that the guest touched was seen so in each round, and no other; what entered the
    page cache by read() once."""
    for kind in kinds:
        times = 1 if kind == Kind.FILE else ROUNDS
        assert dict(seen[kind]) == dict.fromkeys(told[kind], times), Kind(kind)


@pytest.mark.parametrize("version", KERNELS)
def test_touches_are_told_with_their_kind_in_each_epoch(
    version: str, tmp_path: Path, guest: Callable[[str], Path], agent: Path
) -> None:
    image = pattern_image(tmp_path, guest("touches"), [], {"sbin/tinyprof-agent": agent})
    words = ("--version", version, "--stock", "--append", f"{FROM_THE_START} {SHORT}")
    recording = record(image, tmp_path / "capture.tpcap", *words, options=ONE_WAY)
    assert recording.code == 0, recording.said
    seen = touches_of(image, recording.capture)
    held_to(touches_told(recording.console), seen, set(Kind))


@pytest.mark.parametrize(
    ("cpus", "words"), [(1, ""), (4, ""), (4, "OFFLINE=1")], ids=["one", "four", "one that leaves"]
)
def test_touches_are_told_where_processors_set_the_accessed_flag(
    tmp_path: Path, cpus: int, words: str
) -> None:
    image = native_image(tmp_path, "gcc", "x86_64-linux-gnu-")
    append = f"{FROM_THE_START} {SHORT} TINYPROF_TTY=/dev/ttyS1 {words}"
    board_words = ("--arch", "amd64", "--stock", "--cpus", str(cpus), "--append", append)
    recording = record(image, tmp_path / "capture.tpcap", *board_words, options=ONE_WAY)
    assert recording.code == 0, recording.said
    assert info_of(recording.capture)["source"]["rearm"] == READ_BACK
    held_to(touches_told(recording.console), touches_of(image, recording.capture), set(Kind))


def test_touches_are_told_on_arm64_too(tmp_path: Path) -> None:
    image = native_image(tmp_path, CROSS_GCC, "aarch64-linux-gnu-")
    # The machine has one serial port: the agent's frames stand between the guest's words.
    line, capture = tmp_path / "line", tmp_path / "capture.tpcap"
    words = f"{FROM_THE_START} {SHORT} TINYPROF_TTY=/dev/ttyAMA0"
    run: list[str | Path] = [
        BOARD,
        "run",
        image,
        "--icount",
        *TIMEOUT,
        "--stock",
        "--arch",
        "arm64",
    ]
    with line.open("wb") as out:
        subprocess.run([*run, "--append", words], stdout=out, check=True)
    subprocess.run([*TINYPROF, "record", line, "-o", capture], check=False)
    text = line.read_bytes().replace(b"\0", b"\n").replace(b"\r", b"")
    told = touches_told(text.decode(errors="replace"))
    held_to(told, touches_of(image, capture), {Kind.EXEC, Kind.READ, Kind.WRITE})


def test_pages_below_an_overlay_or_behind_a_bind_mount_are_those_of_the_image(
    tmp_path: Path,
) -> None:
    image = native_image(tmp_path, "gcc", "x86_64-linux-gnu-", "container")
    append = f"{FROM_THE_START} {SHORT} TINYPROF_TTY=/dev/ttyS1"
    words = ("--arch", "amd64", "--stock", "--append", append)
    recording = record(image, tmp_path / "capture.tpcap", *words)
    assert recording.code == 0, recording.said
    assert "bad" not in recording.console
    seen = touches_of(image, recording.capture)
    pages = {kind: sorted(seen[kind]) for kind in (Kind.EXEC, Kind.READ, Kind.FILE)}
    assert pages == touches_told(recording.console)


def native_image(
    folder: Path, compiler: str, cross: str, name: str = "touches", pattern: bytes = PATTERN
) -> Path:
    """/pattern, a guest program and the agent, all for another architecture."""
    guest = folder / name
    flags = ["-Wall", "-Wextra", "-Werror", "-O2", "-static"]
    subprocess.run([compiler, *flags, "-o", guest, GUEST / f"{name}.c"], check=True)
    agent = {"sbin/tinyprof-agent": agent_program(cross)}
    return pattern_image(folder, guest, [], agent, pattern)


def test_marks_of_the_target_begin_phases(by_events: Recording) -> None:
    [boot] = open_profile([by_events.capture]).boots
    names = [phase.name for phase in boot.phases if phase.name]
    assert names[:3] == ["start-up", "steady-state", "idle"]


Flood = Callable[[int], tuple[Path, Recording]]


@pytest.fixture
def flooded(tmp_path: Path, guest: Callable[[str], Path], agent: Path) -> Flood:
    """Records a guest that reads a large file at once, with a ring of so many KiB."""
    others = {"sbin/tinyprof-agent": agent}
    image = pattern_image(tmp_path, guest("flood"), [], others, bytes(FLOOD) + b"end")

    def flooded(ring: int) -> tuple[Path, Recording]:
        words = (*STOCK[:1], "--append", f"{FROM_THE_START} {SHORT} TINYPROF_RING={ring}")
        return image, record(image, tmp_path / "capture.tpcap", *words)

    return flooded


def test_a_ring_that_is_too_small_is_a_loss_that_is_told(flooded: Flood) -> None:
    _, small = flooded(4)
    assert small.code == 3, small.said
    assert "dropped" in small.said


def test_every_event_is_recorded_or_told_as_lost(flooded: Flood) -> None:
    image, recording = flooded(32)
    told = re.search(r"^flood (\d+)", recording.console, re.MULTILINE)
    assert told, recording.console[-2000:]
    assert recording.code == 3, recording.said
    lost = info_of(recording.capture)["causes"]["lost_events"]
    seen = touches_of(image, recording.capture)[Kind.READ]
    print(f"{len(seen)} pages recorded, {lost} events lost")
    assert set(seen.values()) == {1}
    assert len(seen) + lost == int(told[1])
    assert lost > FLOOD // PAGE_SIZE // 2


def test_residency_tells_most_pages_without_any_event(demo: Demo, tmp_path: Path) -> None:
    ours = pages(open_profile([demo.folder / "boot.tprof"]))
    resident = recorded(demo, tmp_path, append="TINYPROF_SOURCE=residency WORKLOAD_ROUNDS=2")
    theirs = pages(open_profile([resident.capture]))
    found = len(ours.keys() & theirs.keys())
    print(f"{found} of {len(ours)} pages found, {len(theirs.keys() - ours.keys())} others")
    assert found >= 0.9 * len(ours)
