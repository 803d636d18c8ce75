# SPDX-License-Identifier: MIT
"""A check: what was looked at, how it is, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from tinyprof.errors import TinyprofError


class State(Enum):
    """How a thing is. The values are those of `--json`."""

    OK = "ok"
    NOTE = "note"
    """Worth knowing, and neither right nor wrong."""
    LOOK = "look"
    """The user has to look at it: it may be wanted so."""
    BROKEN = "broken"
    """A recording or an image would fail with it."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check. `subject`: the input, or an empty text for this machine. `step`: the thing that
    was looked at. `todo`: what to do, a sentence each."""

    subject: str
    step: str
    state: State
    text: str
    todo: tuple[str, ...] = ()


def broken_by(subject: str, step: str, error: TinyprofError | OSError) -> Check:
    """The check of a step that ended in an error."""
    if isinstance(error, TinyprofError):
        todo = (error.hint,) if error.hint else ()
        return Check(subject, step, State.BROKEN, error.message, todo)
    return Check(subject, step, State.BROKEN, error.strerror or str(error))
