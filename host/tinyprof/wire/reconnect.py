# SPDX-License-Identifier: MIT
"""A line that outlives its port: waits for it to appear, and opens it again after an unplug.

What names a port comes in; a `Link` that is merely silent while the port is away goes out. It
finds the same device again by its name in /dev/serial/by-id, whatever number it has got meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from tinyprof.wire.port import Link, LinkError, NoSuchPortError, open_link

BY_ID = Path("/dev/serial/by-id")
LOOK_SECONDS = 0.1
"""Seconds between two looks for a port that is away."""
REFUSED_SECONDS = 5.0
"""Seconds for which a port that has just appeared may refuse: udev sets its permissions a moment
after making it."""


def lasting_name(port: str, by_id: Path = BY_ID) -> str:
    """A name of a serial device that stays when it is plugged in again; `port` itself where there
    is none."""
    real = os.path.realpath(port)
    with contextlib.suppress(OSError):
        for name in sorted(by_id.iterdir()):
            if os.path.realpath(name) == real:
                return str(name)
    return port


class LastingLink:
    """A line of which only its owner says when it ends. `opened` is the port, if it is there
    already.

    `gaps` counts how often the port went away, `away` says whether it is so now.
    """

    def __init__(
        self,
        port: str,
        baud: int,
        opened: Link | None = None,
        *,
        by_id: Path = BY_ID,
        open_port: Callable[[str, int], Link] = open_link,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._port, self._baud, self._by_id = port, baud, by_id
        self._open_port, self._clock, self._sleep = open_port, clock, sleep
        self._link = opened
        self._refused_since: float | None = None
        self.gaps = 0
        if opened:
            self._port = lasting_name(port, by_id)

    @property
    def away(self) -> bool:
        return self._link is None

    @property
    def writable(self) -> bool:
        return self._link is None or self._link.writable

    @property
    def overruns(self) -> int:
        return self._link.overruns if self._link else 0

    def read(self, timeout: float) -> bytes | None:
        if self._link is None and not self._look(timeout):
            return b""
        assert self._link
        data = self._link.read(timeout)
        if data is None:
            self._link.close()
            self._link = None
            self.gaps += 1
            return b""
        return data

    def _look(self, timeout: float) -> bool:
        """Whether the port is back; waits a little where it is not."""
        try:
            self._link = self._open_port(self._port, self._baud)
        except NoSuchPortError:
            self._refused_since = None
        except LinkError:
            now = self._clock()
            self._refused_since = now if self._refused_since is None else self._refused_since
            if now - self._refused_since >= REFUSED_SECONDS:
                raise
        else:
            self._port, self._refused_since = lasting_name(self._port, self._by_id), None
            return True
        self._sleep(min(timeout, LOOK_SECONDS))
        return False

    def write(self, data: bytes) -> None:
        if self._link is not None:
            # A port that is gone says so at the next read.
            with contextlib.suppress(LinkError):
                self._link.write(data)

    def close(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None
