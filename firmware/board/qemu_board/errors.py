# SPDX-License-Identifier: MIT
"""What the board says when it cannot go on."""

from __future__ import annotations


class BoardError(Exception):
    """What was wrong and where, and what to do next: one line for the user."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message}; {hint}" if hint else message)
