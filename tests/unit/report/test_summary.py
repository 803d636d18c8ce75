# SPDX-License-Identifier: MIT
"""The report: counts that can be checked by hand, as lines and as JSON."""

from __future__ import annotations

import pytest

from tinyprof.heat.losses import NO_LOSSES, Losses
from tinyprof.profile.model import BootFacts, FileUse, PageUse, PhaseFacts, Profile, Seen
from tinyprof.profile.temperature import Temperature, Thresholds
from tinyprof.report.summary import boot_text, summarize, summary_fields, summary_lines
from tinyprof.tables.strip import heat_strip

FSID = "0000000a/1/2/3"
EVER, ONCE, LATER = Seen(4, 2, 1, 4, 1, 4, 1), Seen(1, 0, 1, 1, 1, 1, 1), Seen(2, 1, 2, 4, 2, 1, 1)
PHASES = (PhaseFacts("start", 1, 2, 2, False), PhaseFacts("steady", 3, 2, 1, True))
PROFILE = Profile(
    (BootFacts(FSID, "6.1.192", 4, Losses(frames=2, records=9), PHASES),),
    1,
    (
        FileUse(
            "/a", 4097, "a" * 64, {1: PageUse("", {"w": ONCE, "f": ONCE, "*": ONCE})}, (FSID,)
        ),
        FileUse(
            "/b",
            3 * 4096,
            "b" * 64,
            {
                0: PageUse("", {"x": EVER, "r": LATER, "xr": EVER}),
                1: PageUse("", {"f": LATER}),
            },
            (FSID,),
        ),
    ),
)


def test_files_stand_by_hot_pages_with_counts_by_class_and_kind() -> None:
    fields = summary_fields(summarize(PROFILE))
    assert (fields["epochs"], fields["used"], fields["worth_xip"], fields["unknown_pages"]) == (
        4,
        3,
        1,
        1,
    )
    assert (fields["hot"], fields["warm"], fields["once"]) == (2, 0, 1)
    assert fields["files"][0] == {
        "path": "/b",
        "sha256": "b" * 64,
        "size": 3 * 4096,
        "pages": 3,
        "used": 2,
        "hot": 2,
        "warm": 0,
        "once": 0,
        "worth_xip": 1,
        "exec": 1,
        "read": 1,
        "write": 0,
        "file": 1,
        "strip": "██·",
        "processes": None,
        "used_bytes": 2 * 4096,
        "used_share": 0.6667,
    }
    assert fields["shares"] == {"hot": 0.6667, "warm": 0.0, "once": 0.3333, "worth_xip": 0.3333}
    assert (fields["used_bytes"], fields["worth_xip_bytes"]) == (3 * 4096, 4096)
    assert fields["runs"][0]["lost"]["records"] == 9


def test_the_limits_can_be_moved() -> None:
    fields = summary_fields(summarize(PROFILE, Thresholds(hot=0.6)))
    assert (fields["hot"], fields["warm"], fields["once"]) == (1, 1, 1)


def test_the_text_names_runs_phases_losses_and_files() -> None:
    lines = list(summary_lines(summarize(PROFILE)))
    sums, worth, run, start, steady, _, first, strip, second, _, _ = lines
    assert run == "image 0000000a/1/2/3, kernel 6.1.192, 4 epochs, lost: 2 frames, 9 records"
    assert start == "  from epoch 1: start, 2 epochs, 2 new pages"
    assert steady == "  from epoch 3: steady, 2 epochs, 1 new page, steady state"
    assert sums == ("3 pages (12 KiB) used in 2 files: 2 hot (67 %), 0 warm (0 %), 1 once (33 %)")
    assert worth == ("1 of them (4 KiB, 33 %) are worth storing in place; 1 page of no file")
    assert first.split() == ["2", "0", "0", "2", "3", "67", "%", "8", "/b"]
    assert strip.strip() == "██·"
    assert second.split()[-1] == "/a"
    kinds = list(summary_lines(summarize(PROFILE), verbose=True))[8]
    assert kinds == "    pages by kind: exec 1, read 1, write 0, read() 1"


def test_a_strip_of_a_large_file_shows_the_hottest_of_the_neighbours() -> None:
    strip = heat_strip({5: Temperature.ONCE, 6: Temperature.HOT, 9: Temperature.WARM}, 12, width=4)
    assert strip == "·░█▒"


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        ("silent", "lost: nothing; cut off: the target fell silent"),
        ("killed", "lost: nothing; cut off: the recorder was killed"),
        ("of a later version", "lost: nothing"),
        ([], "lost: nothing"),
    ],
)
def test_a_boot_whose_recording_was_cut_off_says_so(ended: object, said: str) -> None:
    boot = BootFacts("0000000a/1/2/3", "6.1", 1, NO_LOSSES, extra={"ended": ended})
    assert boot_text(boot).endswith(f"1 epoch, {said}")
