# SPDX-License-Identifier: MIT
"""The root of every error that a user may see.

The message says what was wrong and where. The hint says what to do next. Only the command line
turns an error into text and an exit code.

On a machine that builds images, click alone is enough. A module that uses a library for recordings
takes it by `optional_module`, so that it can be imported without the library. The first use then
says what to install.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike, fspath
from typing import Any


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


PACKAGES = {
    "cobs": "cobs",
    "deflate": "deflate",
    "msgpack": "msgpack",
    "rich": "textual",
    "serial": "pyserial",
    "textual": "textual",
    "zopfli": "zopfli",
}
"""The package that brings each module of a library."""


class MissingLibraryError(TinyprofError):
    """A command needs a library that is not installed."""

    def __init__(self, module: str) -> None:
        package = PACKAGES[module.partition(".")[0]]
        super().__init__(
            f"this needs {package}, which is not installed here",
            f"install it with: pip install {package}",
        )


def missing_library(error: ModuleNotFoundError) -> MissingLibraryError:
    """The error for the user, if an import failed because a library is not installed.

    Raises `error` again for a module that no library of PACKAGES brings.
    """
    if (error.name or "").partition(".")[0] not in PACKAGES:
        raise error
    return MissingLibraryError(error.name or "")


def optional_module(name: str) -> Any:
    """The module of that name, or an object that raises MissingLibraryError when it is used."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in (name, name.partition(".")[0]):
            raise
        return _Missing(name)


class _Missing:
    """Stands for a module that is not installed."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        raise MissingLibraryError(self._name)
