# SPDX-License-Identifier: MIT
"""Libraries that only some commands need.

On a machine that builds images, click alone is enough. A module that uses a library for recordings
takes it from here, so that it can be imported without the library. The first use then says what to
install.
"""

from __future__ import annotations

import importlib
from typing import Any

from tinyprof.errors import TinyprofError

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
