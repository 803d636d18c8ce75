# SPDX-License-Identifier: MIT
"""The host's end of the line: opens a port of any kind, and moves its bytes.

The name of a port comes in. A `Link` goes out that never waits longer than its timeout. It
interprets no byte, and closing it never waits for the other side.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import grp
import os
import select
import socket
import stat
import termios
import time
import tty
from pathlib import Path
from urllib.parse import urlsplit

import serial
from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from tinyprof.wire.ports.link import CHUNK, WRITE_SECONDS, Link, LinkError, NoSuchPortError
from tinyprof.wire.ports.serial_device import (
    PARITIES,
    SerialLink,
    SerialSettings,
    number_of,
    one_line,
    open_serial_device,
)

CONNECT_SECONDS = 5.0
"""Seconds that connecting to a socket may take."""

_GONE = (errno.EIO, errno.ENOENT, errno.ENXIO, errno.ENODEV)
"""Errors of a port that is not there, or not there any more."""


def open_link(port: str, settings: SerialSettings | None = None) -> Link:
    """Open a serial device, pty, file, pipe, `unix:PATH`, `socket://HOST:PORT` or another URL of
    pyserial.

    `settings` matter to serial devices only. Raises LinkError with what to do next.
    """
    settings = settings or SerialSettings()
    if port == "-":
        return _open_stdin()
    if port.startswith("unix:"):
        return _open_unix(port)
    if port.startswith("socket://"):
        return _open_tcp(port)
    if "://" in port:
        return _open_pyserial_url(port, settings)
    try:
        mode = Path(port).stat().st_mode
    except (OSError, ValueError) as error:
        raise _cannot_open(port, error) from None
    if stat.S_ISSOCK(mode):
        return _open_unix(f"unix:{port}")
    if stat.S_ISDIR(mode) or stat.S_ISBLK(mode):
        what = "a directory" if stat.S_ISDIR(mode) else "a block device"
        raise LinkError(f"{port} is {what}, not a port", _known_ports())
    return _open_character_device(port, settings) if stat.S_ISCHR(mode) else _open_file(port)


class DescriptorLink:
    """A line behind a file descriptor: file, pipe, pty or socket."""

    gaps = 0
    away = False
    overruns = 0

    def __init__(self, fd: int, name: str, *, writable: bool) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self._name = name
        self.writable = writable

    def read(self, timeout: float) -> bytes | None:
        try:
            if not select.select([self._fd], [], [], timeout)[0]:
                return b""
            return os.read(self._fd, CHUNK) or None
        except (BlockingIOError, InterruptedError):
            return b""
        except OSError as error:
            # A pty whose other side has closed reads as EIO, and a reset socket as ECONNRESET.
            # Both mean that the line ended.
            if error.errno in (errno.EIO, errno.ECONNRESET, errno.ENXIO, errno.ENODEV):
                return None
            raise LinkError(f"{self._name}: reading failed: {error.strerror}") from None

    def write(self, data: bytes) -> None:
        deadline = time.monotonic() + WRITE_SECONDS
        try:
            while data:
                left = max(0.0, deadline - time.monotonic())
                if not select.select([], [self._fd], [], left)[1]:
                    return
                data = data[os.write(self._fd, data) :]
        except (BlockingIOError, BrokenPipeError, ConnectionResetError):
            return
        except OSError as error:
            if error.errno != errno.EIO:
                raise LinkError(f"{self._name}: writing failed: {error.strerror}") from None

    def close(self) -> None:
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)


def _open_stdin() -> Link:
    try:
        return DescriptorLink(os.dup(0), "-", writable=False)
    except OSError:
        raise LinkError("standard input is closed", "redirect a file or a pipe to it") from None


def _open_unix(port: str) -> Link:
    path = port.removeprefix("unix:")
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        line.settimeout(CONNECT_SECONDS)
        line.connect(path)
    except (OSError, ValueError) as error:
        line.close()
        if isinstance(error, ConnectionRefusedError):
            raise NoSuchPortError(
                f"nobody listens on {path}", "start the program that serves it first"
            ) from None
        raise _cannot_open(path, error) from None
    return DescriptorLink(line.detach(), port, writable=True)


def _open_tcp(port: str) -> Link:
    # pyserial's own socket:// drops bytes that it has already taken when the peer closes.
    try:
        parts = urlsplit(port)
        host, number = parts.hostname, parts.port
    except ValueError:
        host = number = None
    if not host or not number:
        raise LinkError(f"{port} is no address", "write it as socket://HOST:PORT")
    try:
        line = socket.create_connection((host, number), timeout=CONNECT_SECONDS)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise NoSuchPortError(
            f"cannot connect to {host}:{number}: {reason}", "check that it is listening"
        ) from None
    return DescriptorLink(line.detach(), port, writable=True)


def _open_pyserial_url(port: str, settings: SerialSettings) -> Link:
    try:
        line = serial.serial_for_url(
            port,
            baudrate=settings.baud,
            parity=PARITIES[settings.parity],
            timeout=0,
            write_timeout=WRITE_SECONDS,
        )
    except Exception as error:
        # The handlers of the URLs raise whatever their parsing does: KeyError, re.error, and more.
        raise LinkError(
            f"cannot open {port}: {one_line(error)}", "URLs are those of pyserial"
        ) from None
    return SerialLink(line, port)


def _open_file(port: str) -> Link:
    try:
        fd = os.open(port, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _cannot_open(port, error) from None
    return DescriptorLink(fd, port, writable=False)


def _open_character_device(port: str, settings: SerialSettings) -> Link:
    # Opening a serial device raises DTR, which resets some boards: it is done once.
    if _is_serial_device(port):
        return _open_serial_device(port, settings)
    try:
        fd = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _cannot_open(port, error) from None
    try:
        real = os.ttyname(fd)
    except OSError:
        return DescriptorLink(fd, port, writable=False)
    if real.startswith("/dev/pts/"):
        return _open_pty(fd, port)
    os.close(fd)
    return _open_serial_device(port, settings)


def _is_serial_device(port: str) -> bool:
    """Whether sysfs says so. It knows no pty."""
    try:
        number = Path(port).stat().st_rdev
        place = f"/sys/dev/char/{os.major(number)}:{os.minor(number)}/subsystem"
        return Path(place).readlink().name == "tty"
    except OSError:
        return False


def _open_pty(fd: int, port: str) -> Link:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # TCSANOW: the default would throw away what the other side has already written.
        tty.setraw(fd, termios.TCSANOW)
    except (OSError, termios.error) as error:
        os.close(fd)
        raise _cannot_open(port, error) from None
    return DescriptorLink(fd, port, writable=True)


def _open_serial_device(port: str, settings: SerialSettings) -> Link:
    try:
        return open_serial_device(port, settings)
    except (ValueError, OverflowError) as error:
        raise _cannot_use_baud(port, settings.baud, error) from None
    except (OSError, termios.error) as error:
        if number_of(error) == errno.EINVAL:
            raise _cannot_use_baud(port, settings.baud, error) from None
        raise _cannot_open(port, error) from None


def _cannot_use_baud(port: str, baud: int, error: Exception) -> LinkError:
    return LinkError(
        f"cannot open {port} at {baud} baud: {one_line(error)}",
        "choose a baud rate the device has",
    )


def _cannot_open(port: str, error: Exception) -> LinkError:
    number = number_of(error)
    if isinstance(error, FileNotFoundError) or number in _GONE:
        return NoSuchPortError(f"no such port: {port}", _known_ports())
    if isinstance(error, PermissionError) or number in (errno.EACCES, errno.EPERM):
        return LinkError(f"cannot open {port}: permission denied", _how_to_be_allowed(port))
    if number in (errno.EBUSY, errno.EWOULDBLOCK) or "lock port" in str(error):
        return LinkError(
            f"{port} is in use by another program",
            f"close that one first; 'fuser {port}' names it",
        )
    return LinkError(f"cannot open {port}: {one_line(error)}", _known_ports())


def _known_ports() -> str:
    by_id = Path("/dev/serial/by-id")
    with contextlib.suppress(OSError):
        if names := sorted(str(path) for path in by_id.iterdir()):
            return f"ports here: {', '.join(names)}"
    names = sorted(port.device for port in comports())
    return (
        f"ports here: {', '.join(names)}"
        if names
        else "this machine has no serial port: is the cable in?"
    )


def comports() -> list[ListPortInfo]:
    """Return the serial ports of this machine; none if the system cannot be asked."""
    try:
        return list(list_ports.comports())
    except (OSError, ValueError):
        return []


def _how_to_be_allowed(port: str) -> str:
    try:
        group = grp.getgrgid(Path(port).stat().st_gid).gr_name
    except (OSError, KeyError):
        return "ask its owner for access"
    if group == "root":
        return "it belongs to root alone: add a udev rule that gives it a group, or run as root"
    return f"it belongs to group {group}: run 'sudo usermod -aG {group} $USER', then log in again"
