# SPDX-License-Identifier: MIT
"""Files that a target told, found in a tree: by path and size, through links, or not at all."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from support.stock_target import LONG, SOURCE, VOLUME, StockTarget
from tinyprof.capture.format import Ending
from tinyprof.capture.index import (
    ImageIndex,
    IndexedLink,
    WrongImageError,
    pack_index,
    unpack_index,
)
from tinyprof.capture.reader import CaptureReader
from tinyprof.capture.writer import CaptureWriter
from tinyprof.cramfs.tree import Tree
from tinyprof.heat.told_files import ToldFile
from tinyprof.pages import PAGE_ID_LIMIT, PAGE_SIZE, Kind
from tinyprof.profile.merge import merge_profiles
from tinyprof.profile.model import Profile, ProfileError, Seen
from tinyprof.profile.resolve import Means, make_profile
from tinyprof.profile.told import Absence, ToldMatch, match_told
from tinyprof.profile.tprof import dump_profile, load_profile
from tinyprof.rootfs.indexing import index_tree
from tinyprof.wire.messages import SIZE_UNKNOWN, Message

SIZE = 8 * PAGE_SIZE
EXEC = Kind.EXEC


@pytest.fixture
def usrmerged(rootfs: Path) -> Path:
    """A library of 3 pages, /lib -> usr/lib, and links that lead in a circle and out."""
    (rootfs / "usr/lib").mkdir(parents=True)
    (rootfs / "usr/lib/libc.so.6").write_bytes(bytes(range(256)) * 48)
    (rootfs / "lib").symlink_to("usr/lib")
    (rootfs / "usr/lib/libc.so").symlink_to("/usr/lib/../lib/./libc.so.6")
    (rootfs / "round").symlink_to("round")
    (rootfs / "out").symlink_to("../../../../../../../../etc/hostname")
    return rootfs


def tree_of(folder: Path) -> ImageIndex:
    return index_tree(Tree.from_directory(folder))


def means(index: ImageIndex, told: list[ToldMatch] | None = None) -> Means:
    return Means(
        tree=lambda: index, on_told=lambda _, it: (told if told is not None else []).append(it)
    )


def profile_of(target: StockTarget, folder: Path, told: list[ToldMatch] | None = None) -> Profile:
    return make_profile([target.reader()], means=means(tree_of(folder), told))


def found(index: ImageIndex, path: str, size: int, pages: int = 9) -> ToldMatch:
    return match_told(index, [ToldFile(VOLUME, 100, pages, size, 1, 2, path)], {100, 101})


def reason(told: ToldMatch) -> Absence:
    (reason,) = (it for it, paths in told.absent.items() if paths)
    return reason


def test_told_pages_become_pages_of_the_trees_files(rootfs: Path) -> None:
    touches = [[("/program", 3, EXEC), ("/program", 7, Kind.READ)], [("/program", 3, EXEC)]]
    profile = profile_of(StockTarget({"/program": SIZE}, touches), rootfs)
    (file,), (boot,) = profile.files, profile.boots
    index = tree_of(rootfs)
    assert (file.path, file.size, file.sha256) == ("/program", SIZE, index.files[0].sha256)
    assert file.pages[3].seen == {"x": Seen(2, 2, 1, 2, 1, 2, 1)}
    assert file.pages[7].seen == {"r": Seen(1, 1, 1, 1, 1, 1, 1)}
    assert file.pages[3].hash == index.files[0].hashes[3].hex()
    assert (boot.fsid, boot.source, profile.unknown_pages) == (str(index.fsid), SOURCE, 0)
    assert profile.links is None


def test_the_profile_is_read_back_as_it_was_written(rootfs: Path) -> None:
    late = replace(SOURCE, tracer=9, rearm=2, around=16, late=True)
    profile = profile_of(StockTarget({"/program": SIZE}, [[("/program", 3, EXEC)]], late), rootfs)
    text = dump_profile(profile)
    fields = '"source":{"tracer":9,"rearm":2,"around":16,"kinds":"xr","late":true}'
    assert fields in text
    assert load_profile(text) == profile
    assert dump_profile(load_profile(text)) == text


@pytest.mark.parametrize(
    "source",
    [
        "1",
        "[]",
        '{"tracer":0,"rearm":1,"around":12,"kinds":"x","late":true}',
        '{"tracer":1,"rearm":-1,"around":12,"kinds":"x","late":true}',
        '{"tracer":1,"rearm":1,"around":4294967296,"kinds":"x","late":true}',
        '{"tracer":1,"rearm":1,"around":12,"kinds":"rx","late":true}',
        '{"tracer":1,"rearm":1,"around":12,"kinds":"y","late":true}',
        '{"tracer":1,"rearm":1,"around":12,"kinds":["x"],"late":true}',
        '{"tracer":1,"rearm":1,"around":12,"kinds":"x","late":0}',
        '{"tracer":1,"rearm":1,"around":12,"kinds":"x"}',
    ],
)
def test_a_profile_with_an_impossible_source_is_refused(rootfs: Path, source: str) -> None:
    text = dump_profile(profile_of(StockTarget({}, [[]]), rootfs))
    whole = text.replace('{"tracer":1,"rearm":1,"around":12,"kinds":"xr","late":false}', source)
    assert whole != text
    with pytest.raises(ProfileError, match="run 0 source"):
        load_profile(whole)


def test_a_recording_of_cramfs_and_one_of_files_merge_by_content(
    rootfs: Path,
    capture_of: Callable[..., CaptureReader],
    story: list[Message],
    index: ImageIndex,
) -> None:
    target = StockTarget({"/program": SIZE}, [[("/program", 3, EXEC)]])
    captures = [capture_of(story, index), target.reader()]
    both = make_profile(captures, means=means(tree_of(rootfs)))
    (file,) = both.files
    assert len(file.images) == len(both.boots) == 2
    assert file.pages[3].seen["x"].boots == 2
    parts = [make_profile([capture_of(story, index)]), profile_of(target, rootfs)]
    assert merge_profiles(parts) == merge_profiles(parts[::-1]) == both


def test_the_id_of_a_tree_depends_on_its_files_alone(rootfs: Path, tmp_path: Path) -> None:
    before = tree_of(rootfs).fsid
    twin = tmp_path / "twin"
    twin.mkdir()
    (twin / "program").write_bytes((rootfs / "program").read_bytes())
    assert tree_of(twin).fsid == before
    assert str(before).endswith("/0/8/1")
    (twin / "program").write_bytes(b"changed")
    assert tree_of(twin).fsid != before


@pytest.mark.parametrize(
    "path", ["/usr/lib/libc.so.6", "/lib/libc.so.6", "/lib/libc.so", "/usr/lib/libc.so"]
)
def test_links_are_followed_inside_the_tree(usrmerged: Path, path: str) -> None:
    (it,) = found(tree_of(usrmerged), path, 3 * PAGE_SIZE).placed
    assert (it.file.path, it.first, list(it.used)) == ("/usr/lib/libc.so.6", 100, [100, 101])


@pytest.mark.parametrize(
    ("path", "size", "why"),
    [
        ("/bin/gone", 1, Absence.MISSING),
        ("/round", 1, Absence.MISSING),
        ("/round/x", 1, Absence.MISSING),
        ("/out", 7, Absence.MISSING),
        ("/usr/lib", 1, Absence.MISSING),
        ("/program/x", SIZE, Absence.MISSING),
        ("/program", SIZE - 1, Absence.RESIZED),
        ("/program (deleted)", SIZE, Absence.DELETED),
        ("/usr/bin/new (deleted)", 1, Absence.DELETED),
        ("//anon", 1, Absence.SPECIAL),
        ("/dev/zero (deleted)", 1, Absence.SPECIAL),
        ("/memfd:jit (deleted)", 1, Absence.SPECIAL),
        ("anon_inode:[perf_event]", 1, Absence.SPECIAL),
        ("[vdso]", 1, Absence.SPECIAL),
    ],
)
def test_a_file_that_is_not_there_is_counted_by_its_reason(
    usrmerged: Path, path: str, size: int, why: Absence
) -> None:
    told = found(tree_of(usrmerged), path, size)
    assert not told.placed
    assert reason(told) is why
    assert told.absent_pages == 2


def test_links_upon_links_cost_no_more_than_their_bytes(rootfs: Path) -> None:
    """Each link leads twice through the one before it: 2^64 steps, if each were followed anew."""
    index = tree_of(rootfs)
    chain = [IndexedLink("/l0", 0, "program")]
    chain += [IndexedLink(f"/l{n}", 0, f"l{n - 1}/../l{n - 1}") for n in range(1, 65)]
    hostile = replace(index, links=tuple(chain))
    assert found(hostile, "/l5", SIZE).placed
    assert not found(hostile, "/l64", SIZE).placed


def test_a_file_whose_name_ends_so_is_not_deleted(rootfs: Path) -> None:
    (rootfs / "x (deleted)").write_bytes(b"x")
    assert found(tree_of(rootfs), "/x (deleted)", 1).placed


def test_a_file_that_grew_is_found_by_the_size_that_it_had(rootfs: Path) -> None:
    files = [
        ToldFile(VOLUME, 100, 3, 3 * PAGE_SIZE, 1, 2, "/program"),
        ToldFile(VOLUME, 200, 8, SIZE, 1, 2, "/program"),
    ]
    told = match_told(tree_of(rootfs), files, {100, 207})
    assert [it.first for it in told.placed] == [100, 200]
    assert not told.several


def test_two_files_of_one_path_count_as_one_and_are_named(rootfs: Path) -> None:
    """A container has a file of its own under the same path."""
    files = [ToldFile(VOLUME, 10 * n, 8, SIZE, 1, n, "/program") for n in (1, 2)]
    told = match_told(tree_of(rootfs), files, {10, 20})
    assert told.several == ("/program",)


def test_a_file_of_unknown_size_is_found_by_its_path_alone(rootfs: Path) -> None:
    told = found(tree_of(rootfs), "/program", SIZE_UNKNOWN)
    assert (len(told.placed), told.by_path) == (1, 1)


def test_pages_beyond_the_trees_file_belong_to_no_file(rootfs: Path) -> None:
    target = StockTarget({"/program": SIZE}, [[("/program", 7, EXEC), ("/program", 9, EXEC)]])
    profile = profile_of(target, rootfs)
    assert list(profile.files[0].pages) == [7]
    assert profile.unknown_pages == 1


def test_pages_behind_a_short_told_file_belong_to_the_next(rootfs: Path) -> None:
    (rootfs / "next").write_bytes(b"next")
    files = [
        ToldFile(VOLUME, 100, 2, SIZE, 1, 2, "/program"),
        ToldFile(VOLUME, 102, 1, 4, 1, 3, "/next"),
    ]
    told = match_told(tree_of(rootfs), files, {101, 102})
    assert [list(it.used) for it in told.placed] == [[101], [102]]


def test_a_file_of_impossible_length_costs_no_time(rootfs: Path) -> None:
    told = found(tree_of(rootfs), "/program", SIZE, pages=PAGE_ID_LIMIT - 100)
    assert told.pages == 2


def test_where_no_page_is_seen_twice_all_is_one_epoch_and_every_page_is_hot(rootfs: Path) -> None:
    touches = [[("/program", 1, EXEC)], [("/program", 2, EXEC), ("/program", 2, Kind.READ)]]
    target = StockTarget({"/program": SIZE}, touches, LONG, ends=False)
    (boot,), (file,) = (it := profile_of(target, rootfs)).boots, it.files
    assert boot.epochs == boot.steady == it.steady_of(file) == 1
    assert [(phase.epochs, phase.fresh, phase.steady) for phase in boot.phases] == [(1, 2, True)]
    once = Seen(1, 1, 1, 1, 1, 1, 1)
    assert file.pages[1].seen == {"x": once}
    assert file.pages[2].seen == {"x": once, "r": once, "xr": once}
    assert load_profile(dump_profile(it)) == it


def test_the_index_of_a_tree_comes_back_from_its_bytes(usrmerged: Path) -> None:
    index = index_tree(Tree.from_directory(usrmerged), len)
    assert unpack_index(pack_index(index)) == index
    assert index.of_tree
    assert {link.path: link.target for link in index.links or ()}["/lib"] == "usr/lib"


def test_a_capture_with_the_index_of_a_tree_needs_no_folder(rootfs: Path) -> None:
    target = StockTarget({"/program": SIZE}, [[("/program", 3, EXEC)]])
    assert make_profile([target.reader(tree_of(rootfs))]) == profile_of(target, rootfs)


def test_a_capture_without_one_says_which_folder_it_needs(rootfs: Path) -> None:
    target = StockTarget({"/program": SIZE}, [[("/program", 3, EXEC)]])
    with pytest.raises(ProfileError, match="other file systems than CramFS") as caught:
        make_profile([target.reader()])
    assert "--rootfs DIR" in caught.value.hint


def test_a_tree_is_of_no_use_for_a_target_that_tells_no_files(
    rootfs: Path, capture_of: Callable[..., CaptureReader], story: list[Message]
) -> None:
    with pytest.raises(WrongImageError, match="tells no files"):
        make_profile([capture_of(story, tree_of(rootfs))])
    with pytest.raises(ProfileError, match="no image index"):
        make_profile([capture_of(story)], means=means(tree_of(rootfs)))


def test_an_image_goes_before_a_tree_where_a_target_has_both(
    rootfs: Path, index: ImageIndex, story: list[Message]
) -> None:
    target = StockTarget({}, [[]])
    hello = story[0]
    target.volumes = (*hello.volumes, *target.volumes)  # type: ignore[union-attr]
    told: list[ToldMatch] = []
    profile = make_profile([target.reader(index)], means=means(tree_of(rootfs), told))
    assert profile.boots[0].fsid == str(index.fsid)
    assert not told


def test_an_agent_that_is_started_again_gives_its_page_ids_anew(rootfs: Path) -> None:
    """The boot id stays, while epochs and page ids begin anew."""
    (rootfs / "other").write_bytes(b"x" * SIZE)
    first = StockTarget({"/other": SIZE, "/program": SIZE}, [[("/program", 3, EXEC)]] * 9)
    second = StockTarget({"/program": SIZE}, [[("/program", 5, EXEC)]] * 2)
    file = io.BytesIO()
    writer = CaptureWriter(file)
    writer.line(first.line() + second.line())
    writer.end(Ending.LINE_ENDED)
    file.seek(0)
    profile = make_profile([CaptureReader(file)], means=means(tree_of(rootfs)))
    (used,) = profile.files
    assert (used.path, list(used.pages)) == ("/program", [3, 5])
    assert sorted(boot.epochs for boot in profile.boots) == [2, 9]
    assert not any(boot.losses for boot in profile.boots)


def test_without_an_index_a_target_with_both_asks_for_either(
    rootfs: Path, story: list[Message]
) -> None:
    """A folder that nobody named for the recording does not hide that the image is missing."""
    target = StockTarget({"/program": SIZE}, [[("/program", 1, EXEC)]])
    target.volumes = (*story[0].volumes, *target.volumes)  # type: ignore[union-attr]
    unasked = replace(means(tree_of(rootfs)), tree_is_meant=False)
    for how in (None, unasked):
        with pytest.raises(ProfileError, match="no image index") as caught:
            make_profile([target.reader()], means=how)
        assert "--image" in caught.value.hint
        assert "--rootfs" in caught.value.hint
    assert make_profile([target.reader()], means=means(tree_of(rootfs))).files
    alone = StockTarget({"/program": SIZE}, [[("/program", 1, EXEC)]])
    assert make_profile([alone.reader()], means=unasked).files


def test_lost_events_stand_in_the_profile_and_only_where_there_are_some(rootfs: Path) -> None:
    profile = profile_of(StockTarget({}, [[]]), rootfs)
    assert "lost_events" not in dump_profile(profile)
    (boot,) = profile.boots
    lossy = replace(boot, losses=replace(boot.losses, lost_events=7))
    text = dump_profile(replace(profile, boots=(lossy,)))
    assert '"lost_events":7' in text
    assert load_profile(text).boots == (lossy,)


def test_pages_in_place_are_noted_with_a_source_that_does_not_see_them(
    index: ImageIndex, story: list[Message]
) -> None:
    (file,) = index.files
    in_place = replace(index, files=(replace(file, flags=bytes([7, 7, *file.flags[2:]])),))
    target = StockTarget({}, [[]])
    target.volumes = story[0].volumes  # type: ignore[union-attr]
    profile = make_profile([target.reader(in_place)])
    assert profile.boots[0].in_place == 2
    assert load_profile(dump_profile(profile)) == profile
