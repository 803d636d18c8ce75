# SPDX-License-Identifier: MIT
"""A program of this machine that has to succeed: its words in and out, or one line that says what
it complained about."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from qemu_board.errors import BoardError

LAST_LINES = 3
"""Lines of a program's complaint that are told."""


def output_of(
    command: Sequence[str | Path],
    fault: str,
    hint: str = "",
    given: str | None = None,
    folder: Path | None = None,
) -> str:
    """Run a program with `given` as its input, in `folder`; what it prints. Raises BoardError,
    with `fault` and the program's last words, where it fails or is not there."""
    try:
        run = subprocess.run(
            command,
            cwd=folder,
            input=given,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            check=False,
        )
    except FileNotFoundError:
        raise BoardError(f"{fault}: {command[0]} not found", hint) from None
    if run.returncode:
        words = "\n".join(run.stderr.strip().splitlines()[-LAST_LINES:])
        said = words or f"{command[0]} ended with exit code {run.returncode}"
        raise BoardError(f"{fault}: {said}", hint)
    return run.stdout
