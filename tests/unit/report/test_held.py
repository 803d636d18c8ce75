# SPDX-License-Identifier: MIT
"""A report tells the mappings that processes held, where a source saw mappings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tinyprof.capture.index import ImageIndex
from tinyprof.capture.reader import CaptureReader
from tinyprof.profile.mappings import MappingUse
from tinyprof.profile.model import Profile
from tinyprof.profile.resolve import make_profile
from tinyprof.report.held import mapping_lines, mapping_rows
from tinyprof.wire.messages import Message


@pytest.fixture
def profile(
    story: list[Message], index: ImageIndex, capture_of: Callable[..., CaptureReader]
) -> Profile:
    return make_profile([capture_of(story, index)])


@pytest.fixture
def held(profile: Profile) -> Profile:
    (file, *_) = profile.files
    mappings = (MappingUse(0, 2, 2, 0, 2, 0, 1), MappingUse(4, 3, 4, 1, 6, 2, 3))
    return replace(profile, files=(replace(file, mappings=mappings),))


def test_mappings_are_told_by_the_memory_of_their_copies(held: Profile) -> None:
    title, heads, first, second = mapping_lines(held)
    assert title.startswith("mappings")
    assert heads.split() == ["time", "processes", "at", "most", "KiB", "mapping"]
    assert first.split()[-5:] == ["1.5", "3", "12", "/program", "4-6"]
    assert second.split()[-5:] == ["1.0", "1", "8", "/program", "0-1"]
    assert [row["page"] for row in mapping_rows(held)] == [4, 0]


def test_a_source_that_sees_pages_has_no_such_lines(profile: Profile) -> None:
    assert list(mapping_lines(profile)) == []
    assert mapping_rows(profile) == []
