# SPDX-License-Identifier: MIT
"""What all tests share: the cases of property tests, and which tests share a worker.

Property tests try the same cases each time, so that a failure tells of the change.
TINYPROF_EXPLORE=1 lets them look for new ones.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("the same cases", derandomize=True, database=None, deadline=None)
settings.register_profile("new cases", deadline=None)
settings.load_profile("new cases" if os.environ.get("TINYPROF_EXPLORE") else "the same cases")

TESTS = Path(__file__).parent
LONGEST_FIRST = ("target", "line", "agent", "unit")
"""Folders by how long their tests take, so that no worker begins a long test last."""

FUZZ = ("test_fuzz", "test_mutated")
"""Modules with a single test of a minute or more."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep tests that share something slow on one worker (pytest -n N --dist loadgroup).

    1. Tests that look at the demo share one run of it.
    2. Tests of a module in target/ or agent/ share its boots, or its programs built under
       sanitizers.
    3. Every other test may run anywhere.
    """
    for item in items:
        part = item.path.relative_to(TESTS).parts[0]
        if "demo" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("demo"))
        elif part in ("target", "agent"):
            item.add_marker(pytest.mark.xdist_group(item.path.name))
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> tuple[bool, bool, int]:
    part = item.path.relative_to(TESTS).parts[0]
    rank = LONGEST_FIRST.index(part) if part in LONGEST_FIRST else len(LONGEST_FIRST)
    fuzzes = item.path.stem in FUZZ
    return "demo" not in getattr(item, "fixturenames", ()), not fuzzes, rank
