# SPDX-License-Identifier: MIT
"""The steps that a report takes grow with its profile, not with the square of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tinyprof.profile.model import LOSSES
from tinyprof.profile.tprof import load_profile
from tinyprof.report.html.page import html_report
from tinyprof.report.summary import summarize, summary_lines

LARGEST = (1 << 24) - 1
"""Bytes of a file."""


def boot(number: int) -> dict[str, Any]:
    lost, phases = dict.fromkeys(LOSSES, 0), [["", 1, 9, 1, True]]
    fields = {"image": fsid(number), "kernel": "6.1", "epochs": 9, "weight": 1}
    return {**fields, "phases": phases, "lost": lost}


def fsid(number: int) -> str:
    return f"{number:08x}/0/1/1"


def file(number: int, pages: int = 1, images: int = 1, symbols: int = 0) -> dict[str, Any]:
    """A file whose symbols all cover the whole of it."""
    seen = {"x": [9, 9, 1, 9, 1, 9, 1]}
    return {
        "path": f"/{number}",
        "size": LARGEST,
        "sha256": f"{number:064x}",
        "images": [fsid(image) for image in range(images)],
        "pages": [[page, "", seen] for page in range(pages)],
        "symbols": [[f"f{symbol}", 0, LARGEST] for symbol in range(symbols)],
    }


PROFILES: dict[str, Callable[[int], tuple[list[Any], list[Any]]]] = {
    "boots and files": lambda n: ([boot(i) for i in range(n)], [file(i) for i in range(n)]),
    "images and files": lambda n: ([boot(0)], [file(i, images=n // 10) for i in range(n // 10)]),
    "images and pages": lambda n: ([boot(0)], [file(0, pages=n, images=n)]),
    "symbols and pages": lambda n: ([boot(0)], [file(0, pages=n, symbols=n)]),
    "symbols and files": lambda n: ([boot(0)], [file(i, symbols=3) for i in range(n)]),
}


def steps(text: str) -> int:
    """Calls of functions, of which a busy machine makes no more."""
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        profile = load_profile(text)
        list(summary_lines(summarize(profile), verbose=True))
        html_report(profile, {})
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("kind", PROFILES)
def test_twice_the_profile_takes_about_twice_the_steps(kind: str) -> None:
    made = []
    for count in (400, 800):
        boots, files = PROFILES[kind](count)
        fields = {"format": 2, "unknown_pages": 0, "runs": boots, "files": files}
        made.append(json.dumps(fields))
    once, twice = map(steps, made)
    growth = len(made[1]) / len(made[0])
    assert twice < 1.6 * growth * once
