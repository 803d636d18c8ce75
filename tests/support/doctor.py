# SPDX-License-Identifier: MIT
"""The answer of `tinyprof doctor --json`, to be asked for single steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    code: int
    checks: list[dict[str, Any]]

    def states(self, step: str) -> list[str]:
        """The states of the checks of one step."""
        return [check["state"] for check in self.checks if check["step"] == step]

    def text(self, step: str) -> str:
        """The text of one step, and what to do about it."""
        (check,) = [check for check in self.checks if check["step"] == step]
        return f"{check['text']}: {check['todo']}"


Doctor = Callable[..., Answer]
"""Runs `tinyprof doctor` with these words."""
