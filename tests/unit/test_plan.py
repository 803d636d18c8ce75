# SPDX-License-Identifier: MIT
"""Which pages are worth their flash, and for which files a profile still holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tinyprof.capture import CaptureReader
from tinyprof.carry import match
from tinyprof.cramfs import Tree
from tinyprof.image_index import ImageIndex
from tinyprof.plan import plan_hot
from tinyprof.profile import Profile, make_profile
from tinyprof.wire import Message


@pytest.fixture
def profile(capture_of: Callable[..., CaptureReader], story: list[Message], index: ImageIndex) -> Profile:
    return make_profile([capture_of(story, index)])


def test_only_mapped_pages_are_worth_their_flash(rootfs: Path, profile: Profile) -> None:
    assert plan_hot(match(profile, Tree.from_directory(rootfs))).pages == {"/program": [3]}


def test_a_changed_file_is_stale_and_stays_compressed(rootfs: Path, profile: Profile) -> None:
    (rootfs / "program").write_bytes(b"another version")
    plan = plan_hot(match(profile, Tree.from_directory(rootfs)))
    assert (plan.pages, plan.stale) == ({}, ("/program",))


def test_a_file_that_moved_is_found_by_its_content(rootfs: Path, profile: Profile) -> None:
    (rootfs / "program").rename(rootfs / "moved")
    plan = plan_hot(match(profile, Tree.from_directory(rootfs)))
    assert (plan.pages, plan.stale) == ({"/moved": [3]}, ())


def test_an_older_build_of_a_file_is_not_stale_where_the_present_one_was_profiled(
    rootfs: Path, profile: Profile
) -> None:
    older = replace(profile.files[0], sha256="0" * 64)
    plan = plan_hot(match(replace(profile, files=(older, *profile.files)), Tree.from_directory(rootfs)))
    assert (plan.pages, plan.stale) == ({"/program": [3]}, ())
