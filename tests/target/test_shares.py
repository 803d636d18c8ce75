# SPDX-License-Identifier: MIT
"""Pages that processes share are recorded once an epoch and kind, private copies never
(guest/shares.c)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from target.booting import (
    KERNELS,
    PAGES,
    RECORD_FROM_THE_START,
    boot,
    messages,
    pattern_image,
    pattern_of,
    record,
)
from tinyprof.cli.opening import open_profile
from tinyprof.wire.messages import EpochEnd
from tinyprof.wire.messages import Pages as PagesMessage

EPOCHS = 16
EVERYBODY = {0: [0, 17, 18, 40], 1: [3, 5, 6, 10, 11], 2: [9], 3: [17, 20, 21, 22]}
"""The records by kind that the first epoch must have. All programs act for the first time in
it."""

IN_PLACE = {
    "all compressed": [],
    "every second in place": range(0, PAGES, 2),
    "all in place": range(PAGES),
}
Epochs = dict[int, dict[int, list[int]]]


def told(console: str, what: str) -> Epochs:
    """The pages by epoch and kind that the guest tells as `truth` or as `seen`."""
    epochs: Epochs = {}
    for epoch, kind, found in re.findall(
        rf"^{what} (\d+) (\d)((?: \d+)*)\r?$", console, re.MULTILINE
    ):
        epochs.setdefault(int(epoch), {})[int(kind)] = [int(page) for page in found.split()]
    return epochs


@pytest.mark.parametrize("version", KERNELS)
@pytest.mark.parametrize("in_place", IN_PLACE)
def test_each_epoch_has_just_what_its_processes_did(
    tmp_path: Path, guest: Callable[[str], Path], in_place: str, version: str
) -> None:
    image = pattern_image(
        tmp_path, guest("shares"), IN_PLACE[in_place], {"sbin/visits": guest("visits")}
    )
    console = boot(image, "--version", version)
    assert re.findall(r"^bad .*$", console, re.MULTILINE) == []
    assert "shares done" in console
    truth = told(console, "truth")
    assert len(truth) == EPOCHS
    assert truth[1] == EVERYBODY
    assert [page for pages in truth[5].values() for page in pages] == []
    assert told(console, "seen") == truth


@pytest.fixture
def recorded(
    tmp_path: Path, guest: Callable[[str], Path], agent: Path
) -> tuple[Path, Path, Sequence[dict[int, list[int]]]]:
    """The image, the capture of epochs of 50 ms, and the truth of each round."""
    others = {"sbin/visits": guest("visits"), "sbin/tinyprof-agent": agent}
    image = pattern_image(tmp_path, guest("shares"), range(0, PAGES, 2), others)
    words = f"{RECORD_FROM_THE_START} TINYPROF_EPOCH=50"
    recording = record(image, tmp_path / "capture", "--append", words, options=("--image", image))
    assert recording.code == 0, recording.said
    assert "shares done" in recording.console
    return image, recording.capture, list(told(recording.console, "truth").values())


def test_at_epochs_of_50_ms_nothing_is_lost_or_counted_twice(
    recorded: tuple[Path, Path, Sequence[dict[int, list[int]]]],
) -> None:
    image, capture, truth = recorded
    entry = pattern_of(image)
    rounds = Counter(
        (kind, page) for told_ in truth for kind, pages in told_.items() for page in pages
    )
    seen: Counter[tuple[int, int]] = Counter()
    at_once: Counter[tuple[int, int, int]] = Counter()
    ended = 0
    for message in messages(capture):
        ended += isinstance(message, EpochEnd)
        if isinstance(message, PagesMessage):
            for page_id, kind in zip(message.page_ids, message.kinds, strict=True):
                page = page_id - entry.page_id(0)
                if 0 <= page < entry.pages:
                    seen[kind, page] += 1
                    at_once[message.epoch, kind, page] += 1
    # A recorder that is slow to answer stretches epochs, over several rounds perhaps.
    assert ended > EPOCHS
    assert seen.keys() == rounds.keys()
    assert max(at_once.values()) == 1
    # One more from before the first round, and twice as many where an epoch ended within each.
    assert {what for what, n in seen.items() if n > 2 * rounds[what] + 1} == set()
    profile = open_profile([capture])
    (file,) = (file for file in profile.files if file.path == "/pattern")
    kinds = {page: set(use.kinds) for page, use in file.pages.items()}
    expected: dict[int, set[str]] = {}
    for kind, page in rounds:
        expected.setdefault(page, set()).add("xrwf"[kind])
    assert kinds == expected
