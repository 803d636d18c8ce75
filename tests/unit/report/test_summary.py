# SPDX-License-Identifier: MIT
"""The report: counts that can be checked by hand, as lines and as JSON."""

from __future__ import annotations

from tinyprof.heat import Losses
from tinyprof.profile import FileUse, PageUse, Profile, RunFacts
from tinyprof.report import summarize, summary_fields, summary_lines

PROFILE = Profile(
    (RunFacts("0000000a/1/2/3", "6.1.192", 4, Losses(frames=2, records=9)),),
    1,
    (
        FileUse("/a", 4097, "a" * 64, {1: PageUse(1, 2, (0, 0, 1, 1))}),
        FileUse("/b", 8192, "b" * 64, {0: PageUse(4, 1, (4, 1, 0, 0)), 1: PageUse(1, 1, (0, 0, 0, 1))}),
    ),
)


def test_files_stand_by_used_pages_with_counts_by_kind() -> None:
    fields = summary_fields(summarize(PROFILE))
    assert (fields["epochs"], fields["used"], fields["worth_xip"], fields["unknown_pages"]) == (4, 3, 1, 1)
    assert fields["files"][0] == {
        "path": "/b",
        "sha256": "b" * 64,
        "size": 8192,
        "pages": 2,
        "used": 2,
        "worth_xip": 1,
        "exec": 1,
        "read": 1,
        "write": 0,
        "file": 1,
    }
    assert fields["runs"][0]["lost"]["records"] == 9


def test_the_text_names_runs_losses_and_files() -> None:
    run, sums, _, first, second = summary_lines(summarize(PROFILE))
    assert run == "image 0000000a/1/2/3, kernel 6.1.192, 4 epochs, lost: 2 frames, 9 records"
    assert sums == "3 pages used in 2 files, 1 worth storing in place, 1 of no file"
    assert first.split() == ["2", "1", "2", "1", "1", "0", "1", "/b"]
    assert second.split()[-1] == "/a"
