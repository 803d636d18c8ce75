# SPDX-License-Identifier: MIT
"""The two sides of a recording: what its observer is told, and what may be wished of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tinyprof.capture.format import Ending
from tinyprof.errors import TinyprofError
from tinyprof.heat.totals import Totals
from tinyprof.wire.frames import Command


@dataclass(frozen=True, slots=True)
class Keystrokes:
    """Bytes for whoever reads the target's console. They go out as they are, and no zero is among
    them."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Typing:
    """Somebody begins to type to the target, or has stopped. Meanwhile no frame is sent to it:
    a shell would take it for input."""

    on: bool


Wish = Command | Keystrokes | Typing
"""What the recorder carries out while it records."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A finished recording. `fault`: the first thing that made it fail. `ending` None: the fault
    ended it."""

    totals: Totals
    ending: Ending | None
    fault: TinyprofError | None = None


class Observer(Protocol):
    """Is told what happens, as it happens."""

    def progress(self, totals: Callable[[], Totals]) -> None:
        """Called after every read, and every quarter second of silence. Asking for the totals
        takes time."""
        ...

    def console(self, text: bytes) -> None:
        """The target printed this."""
        ...

    def warning(self, warning: TinyprofError) -> None:
        """Something is wrong. The recording goes on."""
        ...


@dataclass(frozen=True, slots=True)
class StopAfter:
    """When to stop: after `seconds`, after `epochs` have ended, or when a call says so.

    `stop()`: a signal asks for the end. `leave()`: somebody left the live view.
    """

    seconds: float | None = None
    epochs: int | None = None
    stop: Callable[[], bool] = lambda: False
    leave: Callable[[], bool] = lambda: False


NO_LIMITS = StopAfter()
"""A recording that ends with its line."""
