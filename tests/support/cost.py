# SPDX-License-Identifier: MIT
"""Measures what an action costs, in numbers that do not depend on the machine or its load."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable


def steps(action: Callable[[], object]) -> int:
    """The number of calls that an action makes, of Python functions and of built-in ones."""
    count = 0

    def note(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        action()
    finally:
        sys.setprofile(before)
    return count


def peak_memory(action: Callable[[], object]) -> int:
    """The most bytes that Python has allocated for an action at once."""
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
