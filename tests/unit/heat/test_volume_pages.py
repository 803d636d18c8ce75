# SPDX-License-Identifier: MIT
"""The pages of a volume, and its missing records, agree with sets of single records."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyprof.heat.boots import BootPages
from tinyprof.heat.volume_heat import VolumeHeat
from tinyprof.heat.volume_pages import VolumePages
from tinyprof.wire.messages import EpochEnd, Pages
from tinyprof.wire.sequence import Frame

touches = st.lists(st.tuples(st.integers(1, 12), st.sampled_from((0, 0, 0, 1, 2, 3))), max_size=12)
epochs = st.lists(st.tuples(st.lists(touches, max_size=3), st.integers(0, 5)), max_size=6)


Touch = tuple[int, int]


@given(epochs)
def test_what_is_counted_in_bulk_is_what_the_records_say(
    epochs: list[tuple[list[list[Touch]], int]],
) -> None:
    """Epochs of some messages each, whose ends say that so many records more were sent."""
    pages, heat = VolumePages(), VolumeHeat()
    everything: set[int] = set()
    for number, (messages, lost) in enumerate(epochs, 1):
        for touches in messages:
            page_ids, kinds = [page for page, _ in touches], bytes(kind for _, kind in touches)
            pages.touch(Pages(0, number, 0, tuple(page_ids), kinds))
            heat.touch(Pages(0, number, 0, tuple(page_ids), kinds))
            everything.update(page_ids)
        assert pages.distinct_pages() == len(everything)
        assert pages.distinct_pages(known={1, 2, 3}) == len(everything - {1, 2, 3})
        sent = len({touch for touches in messages for touch in touches}) + lost
        assert pages.end_epoch(EpochEnd(0, number, 0, (sent, 0, 0, 0)))
        assert heat.end_epoch(EpochEnd(0, number, 0, (0, 0, sent, 0)))
    assert pages.page_ids == heat.page_ids == heat.pages.keys() == everything
    assert pages.missing == heat.missing == sum(lost for _, lost in epochs)


def test_a_page_of_an_epoch_older_than_all_that_are_open_counts() -> None:
    volume = VolumePages()
    for epoch in (10, 11, 12, 13, 5):
        volume.touch(Pages(0, epoch, 0, (epoch,), bytes(1)))
    volume.finish()
    assert (volume.page_ids, volume.unfinished_records) == ({5, 10, 11, 12, 13}, 5)


def test_the_volumes_of_a_boot_share_one_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinyprof.heat.volume_pages.PAGES_MAX", 10)
    boot = BootPages()
    for volume in range(4):
        pages = tuple(range(6))
        boot.take(Frame(0, 0, Pages(volume, 1, 0, pages, bytes(6))))
        boot.take(Frame(0, 0, EpochEnd(volume, 1, 0, (6, 0, 0, 0))))
    assert sum(len(volume.page_ids) for volume in boot.volumes.values()) == 10
    assert boot.losses.beyond_limits == 14
