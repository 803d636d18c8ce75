# SPDX-License-Identifier: MIT
"""The root of every error that a user may see.

The message says what was wrong and where. The hint says what to do next. Only the command line
turns an error into text and an exit code.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike, fspath


class TinyprofError(Exception):
    """An error with a message for the user, and a hint where there is something to do about it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


@contextmanager
def about(path: str | PathLike[str]) -> Iterator[None]:
    """Put `path` before the message of a TinyprofError that is raised inside.

    The class of the error and its hint stay. Errors of the system (OSError) are for naming().
    """
    try:
        yield
    except TinyprofError as error:
        error.message = f"{fspath(path)}: {error.message}"
        raise


@contextmanager
def naming(path: str | PathLike[str]) -> Iterator[None]:
    """Put `path` into an error of the system that has none, such as that of a failing disk."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, error.filename or fspath(path)) from None
