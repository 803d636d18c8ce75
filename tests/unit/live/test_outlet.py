# SPDX-License-Identifier: MIT
"""A stream whose reader is slow, gone or silent: nothing waits for it longer than it should."""

from __future__ import annotations

import os
from collections.abc import Iterator
from time import monotonic

import pytest

from tinyprof.live.outlet import WAITING_MAX, Outlet

PATIENCE = 20.0


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    os.close(writer)


def never() -> bool:
    return False


def drained(outlet: Outlet) -> bool:
    """Whether the stream, or its error, left nothing to wait for."""
    began = monotonic()
    outlet.drain(lambda: monotonic() - began > PATIENCE)
    return monotonic() - began < PATIENCE


def test_what_is_missed_by_a_reader_that_is_gone_is_not_waited_for(pipe: tuple[int, int]) -> None:
    os.close(pipe[0])
    outlet = Outlet(lambda: pipe[1], missed=lambda lines: f"{lines} lines missed\n")
    outlet.write("one\n")
    assert drained(outlet)
    assert isinstance(outlet.error, BrokenPipeError)
    outlet.write("two\n")
    assert drained(outlet)
    assert outlet.lost_bytes == len("one\ntwo\n")


def test_an_empty_text_ends_no_stream(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    outlet = Outlet(lambda: writer)
    outlet.write("")
    outlet.write("one\n")
    assert drained(outlet)
    assert os.read(reader, 100) == b"one\n"
    os.close(reader)


def test_a_text_that_is_longer_than_what_may_wait_is_written_whole() -> None:
    handle = os.memfd_create("text")
    outlet = Outlet(lambda: handle)
    outlet.write("x" * (2 * WAITING_MAX))
    outlet.close(never)
    assert (os.fstat(handle).st_size, outlet.lost_bytes) == (2 * WAITING_MAX, 0)
    os.close(handle)
