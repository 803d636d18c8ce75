# SPDX-License-Identifier: MIT
"""The HTML report: one file that asks for nothing, says what the profile says, and obeys no name
in it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from tinyprof.capture.index import ImageIndex, stored_sizes
from tinyprof.capture.reader import CaptureReader
from tinyprof.plan.what_if import KERNELS, what_if
from tinyprof.profile.model import NamedRange, Profile
from tinyprof.profile.resolve import make_profile
from tinyprof.report.html.page import Programs, html_report
from tinyprof.rootfs.elf_names import Names
from tinyprof.wire.messages import Message

HOSTILE = "/</script><script>alert(1)</script>\x1b[2J\u202e\"'&\udcff😀"


class Page(HTMLParser):
    """The elements of a page, its text, and what stands in its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.scripts: list[str] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts.append(data)
        elif self._inside != "style":
            self.text += data


@pytest.fixture
def profile(
    story: list[Message], index: ImageIndex, capture_of: Callable[..., CaptureReader]
) -> Profile:
    return make_profile([capture_of(story, index)])


def hostile(profile: Profile) -> Profile:
    files = [
        replace(file, path=HOSTILE, symbols=(NamedRange(HOSTILE, 0, 99),))
        for file in profile.files
    ]
    boots = [
        replace(
            boot, kernel=HOSTILE, phases=tuple(replace(it, name=HOSTILE) for it in boot.phases)
        )
        for boot in profile.boots
    ]
    return replace(profile, files=tuple(files), boots=tuple(boots))


def test_it_says_what_the_profile_says_without_its_script(
    profile: Profile, index: ImageIndex
) -> None:
    text = Page(html_report(profile, stored_sizes(index))).text
    assert "/program" in text
    assert "Nothing was lost." in text
    assert "3 of 8 pages" in text
    assert "from epoch 1: the start, 1 epoch" in text


def test_it_asks_for_nothing_outside_itself(profile: Profile, index: ImageIndex) -> None:
    text = html_report(profile, stored_sizes(index))
    page = Page(text)
    assert not [
        name for _, attrs in page.tags for name in attrs if name in ("src", "href", "srcset")
    ]
    assert "url(" not in text
    assert "default-src 'none'" in text


def test_no_name_becomes_markup_or_reaches_a_script_as_code(
    profile: Profile, index: ImageIndex
) -> None:
    clean, dirty = (
        Page(html_report(profile, stored_sizes(index))),
        html_report(hostile(profile), stored_sizes(index)),
    )
    page = Page(dirty)
    assert "alert(1)" in page.text
    assert page.text.count("😀") >= 4
    assert len(page.scripts) == len(clean.scripts) == 2
    assert page.scripts[1] == clean.scripts[1]
    json.loads(page.scripts[0])
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e\udc80-\udcff]", dirty)
    dirty.encode()


def test_costs_without_stored_sizes_are_called_upper_bounds(profile: Profile) -> None:
    assert "upper bounds" in Page(html_report(profile, {})).text


def test_the_curve_holds_the_pages_that_pay_and_no_budget_is_exceeded(
    profile: Profile, index: ImageIndex
) -> None:
    curve = what_if(profile, stored_sizes(index))
    most = curve.everything
    assert curve.pages_within(most.cost) == {"/program": frozenset({3})} or most.pages == 0
    for budget in range(0, most.cost + 100, 50):
        point = curve.within(budget)
        assert point.cost <= budget
        assert sum(map(len, curve.pages_within(budget).values())) == point.pages


def test_what_is_hot_in_a_loss_free_run_is_not_called_lossy(profile: Profile) -> None:
    lossy = replace(
        profile,
        boots=tuple(
            replace(boot, losses=replace(boot.losses, records=2)) for boot in profile.boots
        ),
    )
    assert "2 records" in Page(html_report(lossy, {})).text
    assert "Nothing was lost." not in Page(html_report(lossy, {})).text


def programs_of(names: Names | None, head: bytes | None) -> Programs:
    return Programs(lambda file: names, lambda file: head)


def test_with_the_files_at_hand_it_names_functions_and_sections_and_compares_kernels(
    profile: Profile, index: ImageIndex
) -> None:
    names = Names(
        (NamedRange(".text", 0, 8 * 4096),), (NamedRange("hot_function", 3 * 4096 + 8, 40),)
    )
    text = html_report(profile, stored_sizes(index), programs=programs_of(names, b"no program"))
    page = Page(text)
    assert ".text: hot_function" in json.loads(page.scripts[0])["0"]["3"]
    for kernel in KERNELS:
        assert kernel.what in page.text
    assert "not at hand" not in page.text
    assert "1 file is not at hand" in html_report(profile, {}, programs=programs_of(None, None))


def test_it_lists_the_programs_that_a_linker_order_makes_denser(
    profile: Profile, index: ImageIndex
) -> None:
    functions = tuple(NamedRange(f"f{page}", page * 4096 + 8, 40) for page in range(8))
    names, seen = Names((), functions), profile.files[0].pages[3]
    (file, *_) = profile.files
    used = replace(profile, files=(replace(file, pages=dict.fromkeys(range(8), seen)),))
    text = Page(html_report(used, stored_sizes(index), programs=programs_of(names, None))).text
    assert "Programs that an order makes denser" in text
    assert "Programs that an order" not in html_report(profile, stored_sizes(index))


def test_landmarks_of_a_profile_are_no_functions(profile: Profile, index: ImageIndex) -> None:
    marked = [
        replace(file, symbols=(NamedRange("~1a2b3c", 3 * 4096, 24),)) for file in profile.files
    ]
    assert "~1a2b3c" not in html_report(replace(profile, files=tuple(marked)), stored_sizes(index))


def test_a_hundred_thousand_used_pages_with_the_longest_names_stay_below_two_megabytes(
    profile: Profile, index: ImageIndex
) -> None:
    (file,) = profile.files
    use = file.pages[3]
    pages = dict.fromkeys(range(4000), use)
    many = [
        replace(file, path=f"/lib/{n}", sha256=f"{n:064x}", size=4000 * 4096, pages=pages)
        for n in range(25)
    ]
    names = Names((), tuple(NamedRange("n" * 256, page * 4096, 4096) for page in range(4000)))
    page = html_report(replace(profile, files=tuple(many)), {}, programs=programs_of(names, None))
    assert len(page.encode()) < 2_000_000


def test_no_name_of_a_program_becomes_markup(profile: Profile, index: ImageIndex) -> None:
    names = Names((NamedRange(HOSTILE, 0, 8 * 4096),), (NamedRange(HOSTILE, 0, 8 * 4096),))
    clean = Page(html_report(profile, stored_sizes(index)))
    dirty = html_report(profile, stored_sizes(index), programs=programs_of(names, None))
    page = Page(dirty)
    assert len(page.scripts) == len(clean.scripts) == 2
    json.loads(page.scripts[0])
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e\udc80-\udcff]", dirty)
