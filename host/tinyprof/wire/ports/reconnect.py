# SPDX-License-Identifier: MIT
"""A line that outlives its port: waits until the port appears, and opens it again after an unplug.

The name of a port comes in. A `Link` goes out that is merely silent while the port is away. It
finds the same device again by a lasting name, whatever number the kernel gives it meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from serial.tools.list_ports_common import ListPortInfo

from tinyprof.wire.ports.link import Link, LinkError, NoSuchPortError
from tinyprof.wire.ports.opening import DescriptorLink, comports, open_link
from tinyprof.wire.ports.serial_device import SerialSettings

BY_ID = Path("/dev/serial/by-id")
BY_PATH = Path("/dev/serial/by-path")
KERNEL_NAME = re.compile(r"tty[A-Za-z]+[0-9]+")
"""Names that the kernel gives in the order of plugging in: ttyUSB0, ttyACM1."""

PTYS = "/dev/pts/"
"""Begin of the names of ptys (devpts)."""

LOOK_SECONDS = 0.1
"""Seconds between two looks for a port that is away."""
REFUSED_SECONDS = 5.0
"""Seconds for which a port that has just appeared may refuse: udev sets its permissions a moment
after making it."""


def has_unique_serial(device: str, ports: Sequence[ListPortInfo] | None = None) -> bool:
    """Whether the adapter of a device has a serial number that no other adapter here has."""
    ports = comports() if ports is None else ports
    own = next((port for port in ports if port.device == device), None)
    if own is None or not own.serial_number:
        return False
    kind = (own.vid, own.pid, own.serial_number)
    alike = [port for port in ports if (port.vid, port.pid, port.serial_number) == kind]
    # An adapter with several ports has one place on the bus, before the colon.
    return len({str(port.location).partition(":")[0] for port in alike}) == 1


def lasting_name(
    port: str,
    by_id: Path = BY_ID,
    by_path: Path = BY_PATH,
    is_one_of_a_kind: Callable[[str], bool] = has_unique_serial,
) -> str:
    """Return a name of a serial device that stays when the device is plugged in again.

    1. A name that is no kernel name, such as a link of the user's own, stays what it is.
    2. The name in by-id, if the adapter's serial number tells it from the other adapters. Adapters
       without a serial number share one name there.
    3. Else the name in by-path, which is that of the socket.
    4. Else `port`.
    """
    if not KERNEL_NAME.fullmatch(Path(port).name) or Path(port).is_symlink():
        return port
    real = os.path.realpath(port)
    if is_one_of_a_kind(real) and (name := _name_in(by_id, real)):
        return name
    return _name_in(by_path, real) or port


def _name_in(folder: Path, real: str) -> str | None:
    """Return the link in a folder that leads to a device."""
    with contextlib.suppress(OSError):
        for name in sorted(folder.iterdir()):
            if os.path.realpath(name) == real:
                return str(name)
    return None


def can_come_back(port: str) -> bool:
    """Whether the name of a line that has ended can lead to the same target again.

    1. Standard input has one end.
    2. A regular file would be read from its beginning again.
    3. A pty's own name is gone with it. The system gives the name to the next terminal.
    4. Any other name can: a device, a socket, a pipe, a link to a pty.
    """
    if port == "-" or port.startswith(PTYS):
        return False
    try:
        return not stat.S_ISREG(Path(port).stat().st_mode)
    except (OSError, ValueError):
        return True


class LastingLink:
    """A line that only its owner ends, unless its port cannot come back. `opened` is the port, if
    it is there already.

    `gaps`: how often the port went away. `away`: whether it is away now. `overruns`: those of all
    ports that it has opened.
    """

    def __init__(
        self,
        port: str,
        settings: SerialSettings,
        opened: Link | None = None,
        *,
        by_id: Path = BY_ID,
        is_one_of_a_kind: Callable[[str], bool] = has_unique_serial,
        open_port: Callable[[str, SerialSettings], Link] = open_link,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._port, self._settings = port, settings
        self._by_id, self._is_one_of_a_kind = by_id, is_one_of_a_kind
        self._open_port, self._clock, self._sleep = open_port, clock, sleep
        self._link = opened
        self._refused_since: float | None = None
        self._overruns = self._earlier_overruns = 0
        self.gaps = 0
        self._can_come_back = True
        if opened:
            self._note_opened()

    def _note_opened(self) -> None:
        """Note what has to be known once the port is away."""
        is_device = not isinstance(self._link, DescriptorLink)
        self._can_come_back = is_device or can_come_back(self._port)
        self._port = lasting_name(self._port, self._by_id, is_one_of_a_kind=self._is_one_of_a_kind)

    @property
    def away(self) -> bool:
        return self._link is None

    @property
    def writable(self) -> bool:
        return self._link is None or self._link.writable

    @property
    def overruns(self) -> int:
        if self._link:
            self._overruns = max(self._overruns, self._link.overruns)
        return self._earlier_overruns + self._overruns

    def read(self, timeout: float) -> bytes | None:
        if self._link is None and not self._look(timeout):
            return b""
        assert self._link
        data = self._link.read(timeout)
        if data is None and self._can_come_back:
            self._earlier_overruns, self._overruns = self.overruns, 0
            self._link.close()
            self._link = None
            self.gaps += 1
            return b""
        return data

    def _look(self, timeout: float) -> bool:
        """Return whether the port is back. Waits a little if it is not."""
        try:
            self._link = self._open_port(self._port, self._settings)
        except NoSuchPortError:
            self._refused_since = None
        except LinkError:
            now = self._clock()
            self._refused_since = now if self._refused_since is None else self._refused_since
            if now - self._refused_since >= REFUSED_SECONDS:
                raise
        else:
            self._refused_since = None
            self._note_opened()
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
