# SPDX-License-Identifier: MIT
"""A recording put together: port, capture, diagnosis."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import click

from tinyprof.capture.compression import LinePacker
from tinyprof.capture.format import CaptureError, Meta
from tinyprof.capture.index import ImageIndex
from tinyprof.capture.parts import Roll, RollingWriter, part_path
from tinyprof.capture.writer import CaptureWriter
from tinyprof.disk import DiskError, kept_safe
from tinyprof.text import shown
from tinyprof.wire.frames import HostMark
from tinyprof.wire.port import Link, NoSuchPortError, SerialLink, open_link
from tinyprof.wire.reconnect import LastingLink

NAMED_PARTS = 4
"""Files of one recording that are named one by one in what to do next."""


def _writer(
    output: Path,
    meta: Meta,
    index: ImageIndex | None,
    roll: Roll | None,
    packer: LinePacker | None,
    open_files: contextlib.ExitStack,
) -> CaptureWriter | RollingWriter:
    """The capture at `output`, and its further parts beside it: NAME-1, NAME-2 …"""
    part_files = open_files.enter_context(contextlib.ExitStack())

    def begin_part(part: Meta, primer: bytes) -> CaptureWriter:
        try:
            part_files.close()
        except DiskError as error:
            raise CaptureError(error.message, error.hint) from None
        path = part_path(output, part.part)
        try:
            file = part_files.enter_context(path.open("xb", buffering=0))
        except FileExistsError:
            raise CaptureError(f"{path} exists", "move it away") from None
        except OSError as error:
            raise CaptureError(f"{path} cannot be written: {error.strerror}") from None
        part_files.enter_context(kept_safe(file))
        return CaptureWriter(file, part, index, primer, packer)

    return RollingWriter(meta, begin_part, roll) if roll else begin_part(meta, b"")


def _open(port: str, baud: int, *, wait: bool) -> Link:
    """The port. A serial device that goes away is waited for, any other port only if `wait` says
    so."""
    try:
        link = open_link(port, baud)
    except NoSuchPortError:
        if not wait:
            raise
        click.echo(f"tinyprof: waiting for {shown(port)}", err=True)
        return LastingLink(port, baud)
    return LastingLink(port, baud, link) if wait or isinstance(link, SerialLink) else link


def _due(marks: tuple[tuple[str, float], ...]) -> Callable[[], list[HostMark]]:
    """The marks whose time has come since the last call, the first of which is the start."""
    left = sorted(marks, key=lambda mark: mark[1])
    began = time.monotonic()

    def due() -> list[HostMark]:
        found = []
        while left and time.monotonic() - began >= left[0][1]:
            found.append(HostMark(left.pop(0)[0]))
        return found

    return due
