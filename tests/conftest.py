# SPDX-License-Identifier: MIT
"""What all tests share: the cases of property tests, the order in which tests run, and what a
failure makes forgotten.

Property tests try the same cases each time, so that a failure tells of the change.
TINYPROF_EXPLORE=1 lets them look for new ones.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

from support.remembered import forget

settings.register_profile("the same cases", derandomize=True, database=None, deadline=None)
settings.register_profile("new cases", deadline=None)
settings.load_profile("new cases" if os.environ.get("TINYPROF_EXPLORE") else "the same cases")

# Tests that send a signal mean it, under nohup and in the background as well: whoever started
# them may have had both ignored, and programs inherit that.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)

TESTS = Path(__file__).parent
LONGEST_FIRST = ("target", "build_systems", "line", "agent", "unit")
"""Folders by how long their tests take, so that no worker begins a long test last."""

FUZZ = ("test_fuzz", "test_mutated")
"""Modules with a single test of many seconds."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest tests first, and those of a module together.

    With several workers (pytest -n N --dist worksteal) each begins with a part of this order, and
    takes over from the ends of others' parts when it is done.
    """
    items.sort(key=_rank)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that fails may have failed by a result that was kept."""
    report = yield
    if report.failed:
        forget()
    return report


def _rank(item: pytest.Item) -> tuple[bool, int, bool]:
    part = item.path.relative_to(TESTS).parts[0]
    rank = LONGEST_FIRST.index(part) if part in LONGEST_FIRST else len(LONGEST_FIRST)
    fuzzes = item.path.stem in FUZZ
    return "demo" not in getattr(item, "fixturenames", ()), rank, not fuzzes
