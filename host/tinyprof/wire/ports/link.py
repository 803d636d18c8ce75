# SPDX-License-Identifier: MIT
"""What every open line can do, and the errors of those that cannot be opened."""

from __future__ import annotations

from typing import Protocol

from tinyprof.errors import TinyprofError

CHUNK = 1 << 16
"""Bytes that one read returns at most."""

WRITE_SECONDS = 0.25
"""Seconds that a write may take."""


class LinkError(TinyprofError):
    """A port that cannot be opened, or that failed while it was used."""


class NoSuchPortError(LinkError):
    """A port that is not there, and may still appear."""


class Link(Protocol):
    """An open line."""

    @property
    def gaps(self) -> int:
        """How often the port went away, if somebody waits for it to come back."""
        ...

    @property
    def away(self) -> bool:
        """Whether the port is being waited for."""
        ...

    @property
    def overruns(self) -> int:
        """Bytes that this machine lost because nobody fetched them in time, as its driver
        counts."""
        ...

    @property
    def writable(self) -> bool:
        """Whether there may be a way back to the target."""
        ...

    def read(self, timeout: float) -> bytes | None:
        """Return bytes as they come, b"" after `timeout` seconds of silence, or None when the line
        has ended."""
        ...

    def write(self, data: bytes) -> None:
        """Send as much as the line takes within a quarter of a second, and give the rest up.
        Raises LinkError."""
        ...

    def close(self) -> None:
        """Let go of the port at once, even if bytes are unsent."""
        ...
