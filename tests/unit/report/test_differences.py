# SPDX-License-Identifier: MIT
"""Two profiles side by side, and a profile as mkfs.axfs reads it."""

from __future__ import annotations

from dataclasses import replace

from tinyprof.heat.losses import NO_LOSSES
from tinyprof.profile.model import BootFacts, FileUse, PageUse, PhaseFacts, Profile, Seen
from tinyprof.report.differences import difference_fields, difference_lines, differences
from tinyprof.report.export.axfs import axfs_lines

FSID = "0000000a/1/2/3"
RUN = BootFacts(
    FSID, "6.1.192", 10, NO_LOSSES, (PhaseFacts("", 1, 2, 3, False), PhaseFacts("", 3, 8, 0, True))
)


def page(steady: int, kind: str = "x") -> PageUse:
    return PageUse("", {kind: Seen(steady + 1, steady, 1, 10, 1 + (steady > 1), 1, 1)})


def profile(pages: dict[int, PageUse], path: str = "/a", content: str = "a") -> Profile:
    return Profile((RUN,), 0, (FileUse(path, 9 * 4096, content * 64, pages, (FSID,)),))


def test_pages_are_gained_lost_hotter_and_colder() -> None:
    before = profile({0: page(8), 1: page(8), 2: page(2), 3: page(0)})
    after = profile({0: page(8), 1: page(2), 2: page(8), 4: page(0)})
    (it,) = differences(before, after)
    assert (it.gained, it.lost, it.hotter, it.colder, it.changed) == (
        (4,),
        (3,),
        (2,),
        (1,),
        False,
    )
    assert difference_fields([it])["gained"] == 1
    assert list(difference_lines([it]))[2].split() == ["1", "1", "1", "1", "/a"]


def test_a_profile_differs_from_itself_in_nothing() -> None:
    one = profile({0: page(8), 1: page(0, "f")})
    assert differences(one, one) == []


def test_a_file_that_moved_is_the_same_and_one_that_changed_is_said_to_have() -> None:
    one = profile({0: page(8)})
    assert differences(one, profile({0: page(8)}, path="/moved")) == []
    (it,) = differences(one, profile({0: page(8), 5: page(8)}, content="b"))
    assert (it.path, it.changed, it.gained, it.lost) == ("/a", True, (5,), ())
    gone, new = differences(one, profile({1: page(8)}, "/b", "b"))
    assert (gone.path, gone.lost, new.path, new.gained) == ("/a", (0,), "/b", (1,))


def test_axfs_gets_mapped_pages_by_their_count() -> None:
    one = profile({0: page(2), 2: page(8), 3: page(8, "f"), 5: page(8, "w")})
    assert axfs_lines(one) == (["./a,8192,9", "./a,0,3"], [])


def test_a_name_that_the_table_cannot_hold_is_named() -> None:
    one = profile({0: page(2)})
    odd = replace(one, files=(replace(one.files[0], path="/a,b"),))
    assert axfs_lines(odd) == ([], ["/a,b"])
