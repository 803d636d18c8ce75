# SPDX-License-Identifier: MIT
"""The root of every error that a user may see.

A message says what was wrong and where; the hint says what to do next. Only the command line turns
an error into text and an exit code.
"""

from __future__ import annotations


class TinyprofError(Exception):
    """What was wrong and where, and optionally what to do next."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message
