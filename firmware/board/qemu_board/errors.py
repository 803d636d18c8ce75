# SPDX-License-Identifier: MIT
"""The error that ends a board command."""

from __future__ import annotations


class BoardError(Exception):
    """One line for the user: the fault, its place, and what to do next."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message}; {hint}" if hint else message)
