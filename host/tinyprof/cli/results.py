# SPDX-License-Identifier: MIT
"""Puts the results of commands into files."""

from __future__ import annotations

import contextlib
import mmap
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import click

from tinyprof.disk import replace_file


@contextlib.contextmanager
def unnamed_beside(output: Path) -> Iterator[IO[bytes]]:
    """An unbuffered file without a name on the disk of `output`, for a result that may be larger
    than memory. The system's folder has it where that of `output` takes no file."""
    try:
        file = tempfile.TemporaryFile(dir=output.resolve().parent, buffering=0)  # noqa: SIM115
    except OSError:
        file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
    with file:
        yield file


def write_from(output: Path, file: IO[bytes]) -> None:
    """As write_result(), of the bytes of a file, which is not empty. It is never in memory as a
    whole."""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        write_result(output, data)


def write_result(output: Path, data: bytes | mmap.mmap) -> None:
    """Put `data` at `output`. Says on stderr if the file could only be written in place.

    Raises DiskError and OSError. The command has refused its own inputs before.
    """
    if note := replace_file(output, data):
        click.echo(f"tinyprof: {note}", err=True)
