# SPDX-License-Identifier: MIT
"""A profile as a table of pages, and a recording as a timeline that Perfetto opens."""

from __future__ import annotations

import csv
import itertools
import json
from collections import defaultdict
from typing import Any

import pytest

from tinyprof.capture.reader import CaptureReader
from tinyprof.profile.resolve import make_profile
from tinyprof.record.sim import RECORDED
from tinyprof.report.export.pages_csv import HEADS, csv_lines
from tinyprof.report.export.trace import EPOCHS_TRACK, trace_pieces


@pytest.fixture(scope="module")
def trace() -> list[dict[str, Any]]:
    with RECORDED.open("rb") as file:
        reader = CaptureReader(file)
        assert reader.index
        document = json.loads("".join(trace_pieces(reader.events(), reader.index)))
    found: list[dict[str, Any]] = document["traceEvents"]
    return found


def test_each_used_page_has_a_row_with_its_class() -> None:
    with RECORDED.open("rb") as file:
        profile = make_profile([CaptureReader(file)])
    rows = list(csv.DictReader(csv_lines(profile)))
    assert len(rows) == sum(len(file.pages) for file in profile.files)
    assert set(rows[0]) == set(HEADS)
    first = profile.files[0]
    use = first.pages[int(rows[0]["page"])]
    assert (rows[0]["path"], rows[0]["sha256"]) == (first.path, first.sha256)
    assert int(rows[0]["epochs"]) == use.any.epochs
    assert {row["class"] for row in rows} <= {"hot", "warm", "once"}


def test_epochs_are_slices_one_after_the_other(trace: list[dict[str, Any]]) -> None:
    epochs = [it for it in trace if it["ph"] == "X" and it["tid"] == EPOCHS_TRACK]
    assert [it["name"] for it in epochs] == [f"epoch {number}" for number in range(1, 9)]
    for before, after in itertools.pairwise(epochs):
        assert before["ts"] + before["dur"] == after["ts"]


def test_files_are_tracks_whose_slices_do_not_overlap(trace: list[dict[str, Any]]) -> None:
    names = {
        it["tid"]: it["args"]["name"]
        for it in trace
        if it["ph"] == "M" and it["name"] == "thread_name"
    }
    assert "/bin/busybox" in names.values()
    tracks = defaultdict(list)
    for it in trace:
        if it["ph"] == "X":
            assert it["tid"] in names
            tracks[it["tid"]].append((it["ts"], it["dur"]))
    for slices in tracks.values():
        assert all(at + lasted <= then for (at, lasted), (then, _) in itertools.pairwise(slices))


def test_new_pages_add_up_to_the_pages_of_the_profile(trace: list[dict[str, Any]]) -> None:
    with RECORDED.open("rb") as file:
        profile = make_profile([CaptureReader(file)])
    new = sum(it["args"]["new"] for it in trace if it["ph"] == "X" and it["tid"] == EPOCHS_TRACK)
    assert new == sum(len(file.pages) for file in profile.files)


def test_marks_are_instants(trace: list[dict[str, Any]]) -> None:
    marks = [it["name"] for it in trace if it["ph"] == "i"]
    assert marks == ["start-up", "steady-state", "idle", "report"]
