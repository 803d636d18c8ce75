# SPDX-License-Identifier: MIT
"""Puts the results of commands into files."""

from __future__ import annotations

from pathlib import Path

import click

from tinyprof.disk import replace_file


def write_result(output: Path, data: bytes) -> None:
    """Put `data` at `output`. Says on stderr if the file could only be written in place.

    Raises DiskError and OSError. The command has refused its own inputs before.
    """
    if note := replace_file(output, data):
        click.echo(f"tinyprof: {note}", err=True)
