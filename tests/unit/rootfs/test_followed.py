# SPDX-License-Identifier: MIT
"""Symbolic links that are followed take page cache, and are counted where a profile tells."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from support.elf_cases import PAGE, Shape, link
from support.profile_cases import seen
from tinyprof.capture.reader import CaptureReader
from tinyprof.cramfs.format import EntryKind
from tinyprof.cramfs.reading.reader import read_image
from tinyprof.cramfs.tree import Node, Tree
from tinyprof.cramfs.writing.cache import DiskCache
from tinyprof.cramfs.writing.writer import WriteOptions, write_image
from tinyprof.heat.losses import NO_LOSSES
from tinyprof.pages import Kind
from tinyprof.plan.planner import Budget, Planner
from tinyprof.plan.prediction import Prediction
from tinyprof.profile.merge import merge_profiles, weighted
from tinyprof.profile.model import (
    BootFacts,
    FileUse,
    LinkUse,
    PageUse,
    PhaseFacts,
    Profile,
    ProfileError,
)
from tinyprof.profile.resolve import make_profile
from tinyprof.profile.tprof import dump_profile, load_profile
from tinyprof.rootfs.indexing import index_image
from tinyprof.rootfs.match import match
from tinyprof.wire.messages import EpochEnd, Hello, Pages

FSID = "0000000a/1/2/3"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "lib").mkdir(parents=True)
    (root / "lib/libc-2.36.so").write_bytes(link(Shape(kind="library")))
    (root / "lib/libc.so.6").symlink_to("libc-2.36.so")
    (root / "lib/libc.so").symlink_to("libc.so.6")
    (root / "lib/libunused.so.1").symlink_to("nothing")
    (root / "sh").symlink_to("bin/busybox")
    return root


@pytest.fixture
def profile(root: Path) -> Profile:
    """A boot of ten epochs that maps two pages of the library in five of them."""
    (node,) = Tree.from_directory(root).files()
    digest = hashlib.sha256(node.content()).hexdigest()
    pages = {page: PageUse("", {"x": seen(5, 5)}) for page in (0, 2)}
    phases = PhaseFacts("", 1, 2, 1, False), PhaseFacts("steady", 3, 10, 1, True)
    boot = BootFacts(FSID, "6.1", 12, NO_LOSSES, phases)
    return Profile((boot,), 0, (FileUse(node.path, node.size, digest, pages, (FSID,)),))


def prediction(root: Path, profile: Profile, cache: Path) -> Prediction:
    tree = Tree.from_directory(root)
    planner = Planner(tree, match(profile, tree), WriteOptions(), DiskCache(cache, "test"))
    return planner.plan(Budget()).prediction


def test_a_profile_that_knows_no_links_counts_the_names_of_mapped_libraries(
    root: Path, profile: Profile, tmp_path: Path
) -> None:
    found = prediction(root, profile, tmp_path / "cache")
    assert found.links == 1
    assert (found.page_cache_before, found.page_cache) == (3 * PAGE, PAGE)
    assert (found.steady_before, found.steady) == (3 * PAGE // 2, PAGE // 2)


def test_the_links_that_a_target_told_are_counted_where_the_tree_has_them(
    root: Path, profile: Profile, tmp_path: Path
) -> None:
    links = (
        LinkUse("/gone", "x", (FSID,), seen(10, 12)),
        LinkUse("/lib/libc.so.6", "libc-2.36.so", (FSID,), seen(10, 12)),
        LinkUse("/sh", "bin/busybox", (FSID,), seen(5, 7)),
    )
    told = replace(profile, links=links)
    found = prediction(root, told, tmp_path / "cache")
    assert found.links == 2
    assert (found.page_cache_before, found.page_cache) == (4 * PAGE, 2 * PAGE)
    assert found.steady == PAGE + PAGE // 2
    none = prediction(root, replace(profile, links=()), tmp_path / "cache")
    assert (none.links, none.page_cache) == (0, 0)


@pytest.mark.parametrize("other", ["bin/ash", "bin/dash"])
def test_of_a_link_that_led_elsewhere_the_target_of_the_tree_counts(
    root: Path, profile: Profile, tmp_path: Path, other: str
) -> None:
    links = (
        LinkUse("/sh", other, (FSID,), seen(1, 1)),
        LinkUse("/sh", "bin/busybox", (FSID,), seen(5, 7)),
    )
    for told in (links, links[::-1]):
        found = prediction(root, replace(profile, links=told), tmp_path / "cache")
        assert (found.links, found.steady) == (1, PAGE // 2)


@pytest.mark.parametrize(("length", "count"), [(PAGE - 1, 1), (PAGE, 0), (3 * PAGE, 0)])
def test_a_link_that_no_kernel_shows_whole_is_not_indexed(length: int, count: int) -> None:
    entry = Node("/link", EntryKind.SYMLINK, 0o120777, 0, 0, length, link=b"x" * length)
    top = Node("/", EntryKind.DIRECTORY, 0o40755, 0, 0, 0, children=(entry,))
    image = read_image(write_image(Tree(top), {}, WriteOptions()).image)
    assert len(index_image(image).links or ()) == count


def test_links_are_kept_merged_and_weighted_and_older_profiles_have_none(profile: Profile) -> None:
    assert load_profile(dump_profile(profile)).links is None
    one = replace(profile, links=(LinkUse("/sh", "ash", (FSID,), seen(5, 7)),))
    dash = LinkUse("/sh", "dash", (FSID,), seen(1, 2))
    other = replace(profile, links=(dash, *(one.links or ())))
    assert load_profile(dump_profile(other)) == other
    merged = merge_profiles([weighted(one, 2), profile, other])
    assert merged == merge_profiles([other, profile, weighted(one, 2)])
    assert merged.links
    assert [(it.target, it.seen.epochs, it.seen.steady) for it in merged.links] == [
        ("ash", 21, 15),
        ("dash", 2, 1),
    ]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (["/a", "b", [FSID]], "link 0 is no list"),
        (["a", "b", [FSID], [1, 1, 1, 1, 1, 1, 1]], "link 0 path is no absolute path"),
        (["/a", "b", ["x"], [1, 1, 1, 1, 1, 1, 1]], "link 0 images is no fsid"),
        (["/a", "b", [], [99, 1, 1, 1, 1, 1, 1]], "more epochs than there were"),
    ],
)
def test_links_that_cannot_be_are_refused(profile: Profile, row: list[object], said: str) -> None:
    fields = json.loads(dump_profile(profile))
    with pytest.raises(ProfileError, match=said):
        load_profile(json.dumps({**fields, "links": [row]}))


def test_a_link_that_a_target_recorded_is_in_the_profile(
    rootfs: Path, hello: Hello, capture_of: Callable[..., CaptureReader]
) -> None:
    (rootfs / "sh").symlink_to("program")
    image = read_image(write_image(Tree.from_directory(rootfs), {}, WriteOptions()).image)
    index = index_image(image)
    assert index.links
    volume = replace(hello.volumes[0], fsid=image.superblock.fsid)
    file_id = index.files[0].page_ids[0]
    touched = (index.links[0].page_id, file_id)
    messages = [
        replace(hello, volumes=(volume,)),
        Pages(0, 1, 5, touched, bytes([Kind.FILE, Kind.EXEC])),
        EpochEnd(0, 1, 9, (1, 0, 0, 1)),
    ]
    made = make_profile([capture_of(messages, index)])
    assert made.unknown_pages == 0
    assert made.links
    assert [(link.path, link.target) for link in made.links] == [("/sh", "program")]
    # An older kernel part records no link at all.
    messages[1] = Pages(0, 1, 5, (file_id,), bytes([Kind.EXEC]))
    messages[2] = EpochEnd(0, 1, 9, (1, 0, 0, 0))
    assert make_profile([capture_of(messages, index)]).links is None
