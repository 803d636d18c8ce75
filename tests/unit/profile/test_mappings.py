# SPDX-License-Identifier: MIT
"""The mappings of files: out of captures, merged, and read back with suspicion."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from tinyprof.capture.index import ImageIndex, PageFlag
from tinyprof.capture.reader import CaptureReader
from tinyprof.profile.mappings import MappingUse
from tinyprof.profile.merge import merge_profiles, weighted
from tinyprof.profile.model import Profile, ProfileError
from tinyprof.profile.resolve import make_profile
from tinyprof.profile.tprof import dump_profile, load_profile
from tinyprof.wire.messages import (
    EpochEnd,
    HeldMapping,
    Hello,
    Mappings,
    Mark,
    Message,
    Pages,
    Volume,
)
from tinyprof.wire.source import MAPPINGS, TouchSource

CaptureOf = Callable[..., CaptureReader]
SOURCE = TouchSource(MAPPINGS, 3, 12, 3, False)


def boot_of(index: ImageIndex, *counts: int) -> list[Message]:
    """A boot in each epoch of which so many processes held the first three pages of a file, the
    last ones in the steady state."""
    first = index.files[0].page_ids[0]
    volume = Volume(1, index.fsid, index.size, index.name, True)
    hello = Hello(1, "0.1.0", "6.1", "armv7ml", 4096, b"1st boot", 1000, 1, (volume,), 0, SOURCE)
    messages: list[Message] = [hello]
    for epoch, count in enumerate(counts, start=1):
        if epoch == len(counts):
            messages.append(Mark(1, 0, "steady"))
        if count:
            ids = tuple(range(first, first + 3))
            messages.append(Pages(1, epoch, 5, ids, bytes(3)))
            messages.append(Mappings(1, epoch, (HeldMapping(first, 3, count),)))
        messages.append(EpochEnd(1, epoch, 9, (3 * bool(count), 0, 0, 0)))
    # The mark begins its phase with the next epoch.
    return [*messages, EpochEnd(1, len(counts) + 1, 9, (0, 0, 0, 0))]


@pytest.fixture
def profile(capture_of: CaptureOf, index: ImageIndex) -> Profile:
    return make_profile([capture_of(boot_of(index, 2, 0, 3, 1), index)])


def test_a_mapping_is_known_by_its_epochs_and_its_processes(profile: Profile) -> None:
    (file,) = profile.files
    assert file.mappings == (MappingUse(0, 3, 3, 0, 6, 0, 3),)
    assert file.processes == 3
    assert profile.epochs == 5


def test_mappings_in_place_are_seen_so_nothing_is_said_of_them(
    capture_of: CaptureOf, index: ImageIndex
) -> None:
    first, *others = index.files
    flags = bytes([PageFlag.IN_PLACE]) * len(first.flags)
    stored = replace(index, files=(replace(first, flags=flags), *others))
    assert stored.pages_in_place
    profile = make_profile([capture_of(boot_of(stored, 1), stored)])
    assert profile.boots[0].in_place == 0


def test_weights_count_epochs_and_processes_again(profile: Profile) -> None:
    (file,) = weighted(profile, 4).files
    assert file.mappings == (MappingUse(0, 3, 12, 0, 24, 0, 3),)


def test_mappings_of_several_boots_add_up_in_any_order(
    capture_of: CaptureOf, index: ImageIndex
) -> None:
    counts = [(2, 1), (1,), (5, 5, 5)]
    boots = [make_profile([capture_of(boot_of(index, *it), index)]) for it in counts]
    texts = {dump_profile(merge_profiles(it)) for it in permutations(boots)}
    assert len(texts) == 1
    (file,) = load_profile(texts.pop()).files
    assert file.mappings == (MappingUse(0, 3, 6, 0, 19, 0, 5),)


def test_mappings_come_back_from_the_text(profile: Profile) -> None:
    text = dump_profile(profile)
    assert '"mappings":[[0,3,3,0,6,0,3]]' in text
    assert load_profile(text) == profile


def test_a_profile_without_mappings_has_no_such_field(profile: Profile) -> None:
    (file,) = profile.files
    bare = replace(profile, files=(replace(file, mappings=()),))
    assert "mappings" not in json.loads(dump_profile(bare))["files"][0]
    assert load_profile(dump_profile(bare)) == bare


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        (3, "mappings is no list"),
        ([[0, 3, 3, 0, 6, 0]], "impossible mapping"),
        ([[0, 3, 3, 0, 6, 0, True]], "impossible mapping"),
        ([[0, 0, 3, 0, 6, 0, 3]], "impossible mapping"),
        ([[6, 3, 3, 0, 6, 0, 3]], "impossible mapping"),
        ([[0, 3, 0, 0, 0, 0, 3]], "impossible mapping"),
        ([[0, 3, 3, 0, 2, 0, 3]], "impossible mapping"),
        ([[0, 3, 3, 0, 10, 0, 3]], "impossible mapping"),
        ([[0, 3, 3, 4, 6, 6, 3]], "impossible mapping"),
        ([[0, 3, 3, 1, 6, 0, 3]], "impossible mapping"),
        ([[0, 3, 3, 0, 6, 0, 0]], "impossible mapping"),
        ([[0, 3, 3, 0, 6, 0, 65_536]], "impossible mapping"),
        ([[0, 3, 6, 0, 6, 0, 3]], "more epochs than there were"),
        ([[0, 3, 3, 0, 6, 0, 3], [0, 3, 3, 0, 6, 0, 3]], "a mapping twice"),
    ],
)
def test_an_impossible_mapping_is_refused(profile: Profile, rows: Any, fault: str) -> None:
    fields = json.loads(dump_profile(profile))
    fields["files"][0]["mappings"] = rows
    with pytest.raises(ProfileError, match=fault):
        load_profile(json.dumps(fields))
