# SPDX-License-Identifier: MIT
"""Every figure of a text stands in the JSON document of the same command, too."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from tinyprof.capture.reader import CaptureReader
from tinyprof.profile.model import Profile
from tinyprof.profile.resolve import make_profile
from tinyprof.record.sim import RECORDED
from tinyprof.report.differences import difference_fields, difference_lines, differences
from tinyprof.report.plans import curve_document, curve_lines, plan_document, plan_lines
from tinyprof.report.summary import summarize, summary_fields, summary_lines
from unit.tables.test_columns import halved, plan_of

NUMBER = re.compile(r"(?<![\w./…-])[+−]?\d[\d,]*(?:\.\d+)?(?: %)?(?![\w./])")
"""A number that is no part of a name."""


@pytest.fixture(scope="module")
def reference() -> Profile:
    with RECORDED.open("rb") as file:
        return make_profile([CaptureReader(file)])


def numbers_in(value: Any) -> Iterator[float]:
    """The numbers of a JSON document, those in its texts and the lengths of its lists too."""
    match value:
        case bool() | None:
            return
        case int() | float():
            yield value
        case str():
            yield from (float(digits) for digits in re.findall(r"\d+(?:\.\d+)?", value))
        case dict():
            yield len(value)
            for item in value.values():
                yield from numbers_in(item)
        case list() | tuple():
            yield len(value)
            for item in value:
                yield from numbers_in(item)


def untold(lines: Iterable[str], document: dict[str, Any], *more: float) -> list[str]:
    """The figures of a text that its document does not have, in bytes or as shares."""
    known = [*numbers_in(document), *more]
    plain = {round(abs(number), 2) for number in known}
    plain |= {round(100 * abs(number), 2) for number in known}
    sizes = {round(abs(number) / 1024) for number in known}
    # Two figures of one document may be told as their difference.
    sizes |= (
        {
            round(abs(one - other) / 1024)
            for one in known
            for other in known
            if abs(one) > 4096 and abs(other) > 4096
        }
        if len(known) < 400
        else set()
    )
    shares = {f"{100 * abs(number):.{places}f}" for number in known for places in (0, 1, 2)}
    missing = []
    for line in lines:
        for found in NUMBER.findall(line):
            text = found.strip("+−").replace(",", "")
            digits = text.removesuffix(" %")
            number = float(digits)
            is_known = digits in shares if text != digits else number in plain or number in sizes
            if not is_known:
                missing.append(f"{found!r} in {line!r}")
    return missing


def test_a_report_has_every_figure_in_its_document(reference: Profile) -> None:
    summary = summarize(reference)
    left = len(summary.files) - 20
    used = sum(file.used for file in summary.files[20:])
    document = summary_fields(summary)
    assert untold(summary_lines(summary), document, left, used) == []
    assert untold(summary_lines(summary, verbose=True), document) == []


def test_a_difference_has_every_figure_in_its_document(reference: Profile) -> None:
    found = differences(reference, halved(reference))
    document = difference_fields(found)
    lengths = [
        len(getattr(it, name)) for it in found for name in ("gained", "lost", "hotter", "colder")
    ]
    assert untold(difference_lines(found), document, len(found) - 20, *lengths) == []


def test_a_plan_has_every_figure_in_its_document(reference: Profile) -> None:
    plan = plan_of(reference)
    document = plan_document(plan)
    chosen = [len(file.chosen) for file in plan.files]
    left = (len(chosen) - 20, sum(chosen[20:]))
    it = plan.prediction
    changes = (
        it.image - it.image_before,
        it.page_cache - it.page_cache_before,
        it.steady - it.steady_before,
    )
    reasons = sum(document["left_out"].values())
    assert untold(plan_lines(plan), document, *left, *changes, reasons) == []


def test_a_curve_has_every_figure_in_its_document(reference: Profile) -> None:
    plan = plan_of(reference)
    document = curve_document([plan, plan])
    assert untold(curve_lines([plan, plan]), document) == []
