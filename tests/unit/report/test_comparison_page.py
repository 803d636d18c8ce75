# SPDX-License-Identifier: MIT
"""Two profiles compared on one page: the figures of the text, and no name that does anything."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from click.testing import CliRunner

from tinyprof.capture.reader import CaptureReader
from tinyprof.cli import cli
from tinyprof.profile.model import Profile
from tinyprof.profile.resolve import make_profile
from tinyprof.record.sim import RECORDED
from tinyprof.report.differences import difference_fields, differences
from tinyprof.report.html.comparison import Side, html_comparison
from tinyprof.report.origin import Origin, Recorded

HOSTILE = '/<img src=x onerror="alert(1)"></script>\x1b[2J\u202e\'&\udcff'
ONE, OTHER = Origin((Recorded("one.tprof"),)), Origin((Recorded("other.tprof"),))


@pytest.fixture(scope="module")
def profile() -> Profile:
    with RECORDED.open("rb") as file:
        return make_profile([CaptureReader(file)])


def without_pages(profile: Profile, path: Callable[[str], str] = str) -> Profile:
    """The profile without every second page of each file."""
    files = [
        replace(file, path=path(file.path), pages=dict(list(file.pages.items())[::2]))
        for file in profile.files
    ]
    return replace(profile, files=tuple(files))


def page_of(one: Profile, other: Profile) -> str:
    found = differences(one, other)
    return html_comparison(Side(one, {}, ONE), Side(other, {}, OTHER), found)


def text_of(page: str) -> str:
    page = re.sub(r"<(script|style)[^>]*>.*?</\1>", "", page, flags=re.S)
    return " ".join(unescape(re.sub("<[^>]*>", " ", page)).split())


def test_it_has_the_sums_of_the_text_and_names_both_sides(profile: Profile) -> None:
    other = without_pages(profile)
    sums = difference_fields(differences(profile, other))
    text = text_of(page_of(profile, other))
    assert sums["lost"] > 100
    assert f"lacks {sums['lost']} pages of it" in text
    assert "one.tprof → other.tprof" in text
    for file in sums["files"]:
        assert f"{file['path']} 0 {len(file['lost'])} 0 0 the same" in text


def test_profiles_that_are_the_same_have_no_table(profile: Profile) -> None:
    text = text_of(page_of(profile, profile))
    assert "Both use the same pages, of the same classes." in text
    assert "path" not in text


def test_no_name_becomes_markup_or_moves_a_terminal(profile: Profile) -> None:
    other = without_pages(profile, lambda path: HOSTILE + path)
    page = page_of(profile, other)
    assert "<img" not in page
    assert page.count("<script") == 2
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e\udc80-\udcff]", page)
    assert "default-src 'none'" in page


def test_diff_writes_it_in_place_of_the_text_and_keeps_its_exit_code(tmp_path: Path) -> None:
    page = tmp_path / "diff.html"
    words = ["diff", str(RECORDED), str(RECORDED), "--html", str(page)]
    done = CliRunner().invoke(cli, words, standalone_mode=False)
    assert (done.exception, done.return_value, done.stdout) == (None, 0, "")
    assert "<title>tinyprof comparison</title>" in page.read_text()


def test_diff_does_not_write_over_what_it_reads(tmp_path: Path) -> None:
    copy = tmp_path / "copy.tpcap"
    copy.write_bytes(RECORDED.read_bytes())
    words = ["diff", str(RECORDED), str(copy), "--html", str(copy)]
    assert CliRunner().invoke(cli, words, standalone_mode=False).exception
    assert copy.read_bytes() == RECORDED.read_bytes()
