# SPDX-License-Identifier: MIT
"""The events that are proposed upstream in place of our tracer, held to our tracer: the same
image, the same workload, the same recorder."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.predictions import run
from qemu_board.rootfs import rootfs
from target.booting import TINYPROF, at_hand, boot
from tinyprof.cramfs.format import EntryKind
from tinyprof.cramfs.reading.reader import read_image

pytestmark = at_hand("6.1", "armhf-proposed")

PROPOSED = ("--arch", "armhf-proposed")
EVENTS = "SOURCE=events cramfs.fault_around=0"
DAEMON = "/usr/sbin/lighttpd"
"""A program that runs from the first round of the workload to the last."""

OUR_OWN = ("/sbin/init", "/sbin/recorder")
"""Files that the two recordings use at different moments."""

FilePage = tuple[str, int]
"""A path, and the number of a page."""


@dataclass(frozen=True, slots=True)
class Touched:
    """A recording: the epochs of each page that was touched, and the events that were lost."""

    epochs: dict[FilePage, int]
    lost: int


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory, guest: Callable[[str], Path]) -> Path:
    """The reference root filesystem with all pages in place, and with the recorder. Its init ends
    by itself where it is not process 1."""
    tree = tmp_path_factory.mktemp("proposals") / "rootfs"
    rootfs(tree)
    (tree / "sbin/recorder").write_bytes(guest("recorder").read_bytes())
    (tree / "sbin/recorder").chmod(0o755)
    init = tree / "sbin/init"
    init.write_text(init.read_text().replace("reboot -f", "[ $$ = 1 ] && reboot -f"))
    image = tree.with_suffix(".cramfs")
    run(*TINYPROF, "build", "-q", "-X", "-X", tree, image)
    return image


def recorded(image: Path, *board_words: str, by: str) -> Touched:
    """Boot the image, with the recorder as init."""
    console = boot(image, *board_words, "--append", f"init=/sbin/recorder {by}")
    assert re.findall(r"^bad .*$", console, re.MULTILINE) == []
    assert "recorder done" in console
    names = {
        (entry.ino >> 2) + page: (entry.path, page)
        for entry in read_image(image.read_bytes()).entries
        if entry.kind.has_blocks
        for page in range(entry.pages)
    }
    told = re.findall(r"^touch (\d+) \d+ (\d+)\r?$", console, re.MULTILINE)
    epochs = {names[int(page_id)]: int(count) for page_id, count in told}
    lost = re.search(r"^lost (\d+)", console, re.MULTILINE)
    assert lost
    return Touched(
        {page: count for page, count in epochs.items() if page[0] not in OUR_OWN}, int(lost[1])
    )


@pytest.fixture(scope="module")
def ours(image: Path) -> Touched:
    return recorded(image, by="SOURCE=kernel")


def in_place(image: Path, touched: Touched) -> dict[FilePage, int]:
    """The part of a recording that the image stores in place."""
    parsed = read_image(image.read_bytes())
    stored = {
        (entry.path, page)
        for entry in parsed.entries
        if entry.kind is EntryKind.FILE
        for page, block in enumerate(parsed.blocks(entry))
        if block.in_place
    }
    return {page: count for page, count in touched.epochs.items() if page in stored}


def test_the_proposed_events_tell_the_pages_and_epochs_that_our_tracer_records(
    image: Path, ours: Touched
) -> None:
    theirs = recorded(image, *PROPOSED, by=f"{EVENTS} AGAIN=unmap")
    missed, wrong = ours.epochs.keys() - theirs.epochs, theirs.epochs.keys() - ours.epochs
    mine, others = in_place(image, ours), in_place(image, theirs)
    far = [page for page in mine.keys() & others if abs(mine[page] - others[page]) > 1]
    print(f"{len(ours.epochs)} pages, {len(mine)} of them in place")
    print(f"{len(missed)} missed, {len(wrong)} wrong, {len(far)} in other epochs")
    print("missed", sorted(missed)[:20])
    print("wrong", sorted(wrong)[:20])
    assert theirs.lost == 0
    assert len(missed) <= 0.005 * len(ours.epochs)
    assert len(wrong) <= 0.01 * len(theirs.epochs)
    assert len(far) <= 0.02 * len(mine)


def test_clear_refs_passes_over_blocks_in_place(image: Path, ours: Touched) -> None:
    """So the proposed events alone see a page that stays mapped in one epoch."""
    theirs = in_place(image, recorded(image, *PROPOSED, by=f"{EVENTS} AGAIN=old"))
    daemon = [page for page in theirs if page[0] == DAEMON]
    assert len([page for page in daemon if ours.epochs[page] > 1]) >= 0.5 * len(daemon)
    assert {theirs[page] for page in daemon} == {1}
