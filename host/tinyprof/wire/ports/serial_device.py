# SPDX-License-Identifier: MIT
"""A real serial device: opened once, as the user wants it, and by nobody else meanwhile."""

from __future__ import annotations

import contextlib
import fcntl
import struct
import termios
from dataclasses import dataclass
from pathlib import Path

import serial

from tinyprof.wire.ports.link import CHUNK, WRITE_SECONDS, LinkError
from tinyprof.wire.ports.lock import PortLock

_COUNTERS = struct.Struct("=11i9i")
"""struct serial_icounter_struct of linux/serial.h."""

_OVERRUN, _BUFFER_OVERRUN = 7, 10
"""Places of the two counters that are of interest."""

SERIAL_ERRORS = (serial.SerialException, termios.error, OSError, TypeError)
"""Errors of pyserial on an open port. termios.error is no OSError, and no SerialException either.
"""

PARITIES = {
    "none": serial.PARITY_NONE,
    "even": serial.PARITY_EVEN,
    "odd": serial.PARITY_ODD,
}


@dataclass(frozen=True, slots=True)
class SerialSettings:
    """How a serial device is used. Other ports have none of it.

    - `baud`: bits per second. `parity`: a key of PARITIES.
    - `rtscts`: whether both sides hold each other back by the RTS and CTS lines.
    - `dtr`, `rts`: the level of an outgoing line while the port is open. None: as the system has
      it, which is on.
    """

    baud: int = 115_200
    parity: str = "none"
    rtscts: bool = False
    dtr: bool | None = None
    rts: bool | None = None


def open_serial_device(port: str, settings: SerialSettings) -> SerialLink:
    """Open a device, and keep others from opening it.

    1. A lock file of a program that runs is obeyed. One whose program has ended is replaced.
    2. flock() keeps out programs that ask for it, such as another tinyprof.
    3. TIOCEXCL keeps out all others but root.

    Raises LinkError if another program has it, and what pyserial raises.
    """
    lock = PortLock(Path(port).resolve().name)
    try:
        line = _opened(port, settings)
    except BaseException:
        lock.release()
        raise
    return SerialLink(line, port, lock)


class _Device(serial.Serial):
    """A device that keeps what arrives while it is set up. pyserial would throw it away, and the
    target's first frames with it."""

    def _reset_input_buffer(self) -> None:
        pass


def _opened(port: str, settings: SerialSettings) -> serial.Serial:
    line = _Device(
        None,
        settings.baud,
        parity=PARITIES[settings.parity],
        rtscts=settings.rtscts,
        timeout=0,
        write_timeout=WRITE_SECONDS,
        exclusive=True,
    )
    line.port = port
    # What is set before a port is open holds from its first moment on, as far as the driver can.
    if settings.dtr is not None:
        line.dtr = settings.dtr
    if settings.rts is not None:
        line.rts = settings.rts
    line.open()
    with contextlib.suppress(OSError):
        fcntl.ioctl(line.fileno(), termios.TIOCEXCL)
    return line


class SerialLink:
    """A line behind pyserial: a real serial device, or a URL of pyserial's."""

    writable = True
    gaps = 0
    away = False

    def __init__(self, port: serial.Serial, name: str, lock: PortLock | None = None) -> None:
        self._port = port
        self._name = name
        self._lock = lock
        self._timeout: float | None = None
        self._overruns_before = self._counted_overruns()

    @property
    def overruns(self) -> int:
        # A port that is gone counts nothing any more.
        return max(0, self._counted_overruns() - self._overruns_before)

    def _counted_overruns(self) -> int:
        """Return the driver's count since it was loaded; 0 if it keeps none."""
        counters = bytearray(_COUNTERS.size)
        try:
            fcntl.ioctl(self._port.fileno(), termios.TIOCGICOUNT, counters)
        except (OSError, ValueError, AttributeError, TypeError, serial.SerialException):
            return 0
        counts = _COUNTERS.unpack(counters)
        return int(counts[_OVERRUN] + counts[_BUFFER_OVERRUN])

    def read(self, timeout: float) -> bytes | None:
        try:
            if timeout != self._timeout:
                # pyserial sets the whole port up anew for it.
                self._port.timeout = self._timeout = timeout
            first: bytes = self._port.read(1)
            waiting = self._port.in_waiting if first else 0
            return first + self._port.read(min(waiting, CHUNK)) if waiting else first
        except SERIAL_ERRORS:
            # pyserial tells of an unplugged device in all of these ways.
            return None

    def write(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except serial.SerialTimeoutException:
            return
        except SERIAL_ERRORS as error:
            raise LinkError(f"{self._name}: writing failed: {one_line(error)}") from None

    def close(self) -> None:
        # With unsent bytes the driver's close waits up to 30 s for a peer that takes none.
        with contextlib.suppress(Exception):
            self._port.reset_output_buffer()
        with contextlib.suppress(Exception):
            fcntl.ioctl(self._port.fileno(), termios.TIOCNXCL)
        with contextlib.suppress(Exception):
            self._port.close()
        if self._lock:
            self._lock.release()


def number_of(error: Exception) -> int | None:
    """Return the errno of an error. termios.error has it as its first argument."""
    number = error.args[0] if isinstance(error, termios.error) else getattr(error, "errno", None)
    return number if isinstance(number, int) else None


def one_line(error: Exception) -> str:
    """An error's words without its number, in one line."""
    text = error.args[-1] if isinstance(error, termios.error) else error
    return " ".join(str(getattr(error, "strerror", None) or text).split())
