# SPDX-License-Identifier: MIT
"""A recording holds just what a program touched: which pages, how, and again in each epoch."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from target.booting import (
    KERNELS,
    ONE_WAY,
    PAGES,
    RECORD_FROM_THE_START,
    Recording,
    messages,
    pattern_image,
    pattern_of,
    record,
)
from tinyprof.wire.messages import EpochEnd, Pages

ROUNDS = 4
IN_PLACE = {
    "all compressed": [],
    "every second in place": range(0, PAGES, 2),
    "all in place": range(PAGES),
}
EPOCH_SHORTER_THAN_A_ROUND = "TINYPROF_EPOCH=250"


def touches_of(image: Path, capture: Path) -> dict[int, dict[int, int]]:
    """By kind and page of /pattern: in how many epochs it was seen."""
    entry = pattern_of(image)
    seen: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for message in messages(capture):
        if isinstance(message, Pages):
            for page_id, kind in zip(message.page_ids, message.kinds, strict=True):
                page = page_id - entry.page_id(0)
                if 0 <= page < entry.pages:
                    seen[kind][page] += 1
    return seen


def touches_told(console: str) -> dict[int, list[int]]:
    """The pages that the guest says it touched, by kind."""
    lines = re.findall(r"^touch (\d) ([\d ]+)$", console, re.MULTILINE)
    return {int(kind): [int(page) for page in pages.split()] for kind, pages in lines}


@pytest.fixture(scope="module", params=KERNELS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=IN_PLACE, ids=str)
def recorded(
    version: str,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    guest: Callable[[str], Path],
    agent: Path,
) -> tuple[Path, Recording]:
    in_place: Sequence[int] = IN_PLACE[request.param]
    folder = tmp_path_factory.mktemp("trace")
    image = pattern_image(folder, guest("touches"), in_place, {"sbin/tinyprof-agent": agent})
    words = f"{RECORD_FROM_THE_START} {EPOCH_SHORTER_THAN_A_ROUND}"
    board_words = ("--version", version, "--append", words)
    options = ("--image", image, *ONE_WAY)
    return image, record(image, folder / "capture", *board_words, options=options)


def test_nothing_is_lost(recorded: tuple[Path, Recording]) -> None:
    _, recording = recorded
    assert recording.code == 0, recording.said


def test_just_the_touched_pages_are_recorded_by_kind(recorded: tuple[Path, Recording]) -> None:
    image, recording = recorded
    seen = touches_of(image, recording.capture)
    told = touches_told(recording.console)
    assert sorted(told) == [0, 1, 2, 3]
    assert {kind: sorted(pages) for kind, pages in seen.items()} == told


def test_a_page_touched_again_is_seen_again_in_a_later_epoch(
    recorded: tuple[Path, Recording],
) -> None:
    """The re-arm takes every entry of the file away, whether it maps flash or page cache."""
    image, recording = recorded
    seen = touches_of(image, recording.capture)
    assert {count for pages in seen.values() for count in pages.values()} == {ROUNDS}


def test_the_epochs_ends_add_up_to_the_records(recorded: tuple[Path, Recording]) -> None:
    _, recording = recorded
    counted: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    ended: dict[int, list[int]] = {}
    for message in messages(recording.capture):
        if isinstance(message, Pages):
            for kind in message.kinds:
                counted[message.epoch][kind] += 1
        elif isinstance(message, EpochEnd):
            ended[message.epoch] = list(message.records)
    assert len(ended) > ROUNDS
    assert {epoch: counted[epoch] for epoch in ended} == ended


def test_a_kernel_without_the_tracer_is_told_with_what_to_enable(
    tmp_path: Path, guest: Callable[[str], Path], agent: Path
) -> None:
    image = pattern_image(tmp_path, guest("touches"), [], {"sbin/tinyprof-agent": agent})
    words = f"{RECORD_FROM_THE_START} TINYPROF_SOURCE=kernel"
    recording = record(image, tmp_path / "capture", "--stock", "--append", words)
    assert recording.code == 1
    assert "CONFIG_CRAMFS_TINYPROF=y" in recording.said
    assert "touches done" in recording.console
