# SPDX-License-Identifier: MIT
"""The last snapshot says what the profile says, and looking at pages takes its share of the
time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

from support.stock_target import LONG, StockTarget
from tinyprof.capture.index import ImageIndex
from tinyprof.capture.reader import CaptureReader
from tinyprof.cramfs.tree import Tree
from tinyprof.heat.losses import Losses
from tinyprof.live.snapshot import BOOTS_MAX, LOOK_SHARE, RATES, LiveHeat
from tinyprof.pages import PAGE_SIZE, Kind
from tinyprof.profile.resolve import make_profile
from tinyprof.rootfs.indexing import index_tree
from tinyprof.wire.messages import EpochEnd, Hello, Message, Pages
from tinyprof.wire.sequence import Frame


def frames(messages: list[Message]) -> list[Frame]:
    return [Frame(seq, 0, message, False) for seq, message in enumerate(messages)]


def test_the_last_snapshot_has_the_profile_of_the_capture(
    story: list[Message], index: ImageIndex, capture_of: Callable[..., CaptureReader]
) -> None:
    live = LiveHeat(index)
    for frame in frames(story):
        live.take([frame])
        live.snapshot(0.0)
    live.finish()
    last = live.snapshot(1.0, whole=True)
    assert last.profile == make_profile([capture_of(story, index)])
    assert (last.epoch, last.records) == (1, 4)
    assert [row.path for row in last.rows] == ["/program"]
    assert last.counts == (3, 0, 0, 5)


def test_boots_add_up_and_losses_with_them(
    story: list[Message], hello: Hello, index: ImageIndex, capture_of: Callable[..., CaptureReader]
) -> None:
    again = [replace(hello, boot_id=b"2nd boot"), story[2]]
    live = LiveHeat(index)
    live.take(frames(story))
    live.take(frames(list(again)))
    last = live.snapshot(1.0, whole=True)
    assert (last.boots, last.epoch, last.records, last.losses) == (2, 2, 4, Losses(records=4))
    assert last.profile
    assert len(last.profile.boots) == 2


def test_without_an_image_it_counts_and_says_why_there_are_no_files(story: list[Message]) -> None:
    live = LiveHeat(None)
    live.take(frames(story))
    last = live.snapshot(1.0, whole=True)
    assert (last.records, last.rows, last.curve) == (4, (), None)
    assert "--image" in last.unresolved


def test_without_a_tree_it_says_which_folder_to_give() -> None:
    live = LiveHeat(None)
    live.take(frames(StockTarget({}, [[]]).messages()))
    assert "--rootfs" in live.snapshot(1.0, whole=True).unresolved


def test_pages_of_one_long_epoch_are_shown_before_it_ends(rootfs: Path) -> None:
    """No epoch ever ends, and new pages are reason enough to look again."""
    touches = [("/program", page, Kind.EXEC) for page in range(3)]
    target = StockTarget({"/program": 8 * PAGE_SIZE}, [touches], LONG, ends=False)
    story = frames(target.messages())
    index = index_tree(Tree.from_directory(rootfs), len)
    live = LiveHeat(index, clock=lambda: 0.0)
    live.take(story[:-1])
    assert live.snapshot(1.0).counts == (0, 0, 0, 8)
    live.take(story[-1:])
    last = live.snapshot(2.0)
    assert last.counts == (3, 0, 0, 5)
    assert last.unresolved == ""
    assert last.rows[0].exact


def test_another_image_than_the_targets_is_named(story: list[Message], index: ImageIndex) -> None:
    live = LiveHeat(replace(index, fsid=replace(index.fsid, crc=1)))
    live.take(frames(story))
    last = live.snapshot(1.0, whole=True)
    assert str(index.fsid) in last.unresolved
    assert last.rows == ()


def test_pages_are_looked_at_when_an_epoch_ended_and_for_a_share_of_the_time(
    hello: Hello, program_ids: list[int], index: ImageIndex
) -> None:
    # A look takes a second of this clock, which otherwise stands still.
    ticks = count()
    later = 0.0
    live = LiveHeat(index, clock=lambda: next(ticks) + later)
    versions = []

    def epoch(number: int) -> None:
        live.take(
            frames(
                [
                    Pages(0, number, 0, (program_ids[0],), b"\0"),
                    EpochEnd(0, number, 0, (1, 0, 0, 0)),
                ]
            )
        )
        # By the target's clock it is always long enough ago.
        versions.append(live.snapshot(1000.0 * number).version)

    live.take(frames([hello]))
    for number in range(1, 9):
        epoch(number)
    later = 1 / LOOK_SHARE
    epoch(9)
    later = 3 / LOOK_SHARE
    versions.append(live.snapshot(1e6).version)
    assert versions == [1] * 8 + [2, 2]


def test_a_target_that_boots_for_ever_costs_no_memory(hello: Hello, index: ImageIndex) -> None:
    live = LiveHeat(index)
    for number in range(BOOTS_MAX * 3):
        live.take(frames([replace(hello, boot_id=number.to_bytes(8, "big"))]))
        live.snapshot(float(number))
    last = live.snapshot(1000.0, whole=True)
    assert last.boots == BOOTS_MAX * 3 - 1
    assert last.profile
    assert len(last.profile.boots) == BOOTS_MAX + 1
    assert len(last.rates) == RATES
