# SPDX-License-Identifier: MIT
"""Checks a port: whether it is there, who may use it, who has it open, and what it says.

The port is opened as `tinyprof record` opens it. The only thing that is sent is the request for a
hello, which changes nothing on the target. What arrives meanwhile is not kept.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import stat
import time
from collections.abc import Callable, Iterator

from tinyprof.cli.doctor.holders import Holder, holders_of, lock_file_of
from tinyprof.cli.doctor.line import LineRecord, line_checks
from tinyprof.cli.doctor.verdict import Check, State, broken_by
from tinyprof.wire.frames import encode_message
from tinyprof.wire.messages import HelloPlease
from tinyprof.wire.ports.link import Link, LinkError
from tinyprof.wire.ports.opening import open_link
from tinyprof.wire.ports.serial_device import SerialSettings

POLL_SECONDS = 0.1
ASK_SECONDS = 1.0
"""Seconds between two requests for a hello."""

MEMORY_MAJOR = 1
"""Major number of /dev/null, /dev/zero, /dev/random and their like."""

MTD_MAJOR = 90
"""Major number of /dev/mtd0 and the like. They hold images, and are no ports."""

URL_WORDS = ("unix:", "socket://", "rfc2217://", "sim:")

RELEASES = {
    "agetty": "run 'systemctl stop serial-getty@{name}', and disable it while you record",
    "getty": "remove its line from /etc/inittab, and run 'kill -HUP 1'",
    "ModemManager": "run 'systemctl stop ModemManager', or give the device "
    'ENV{{ID_MM_DEVICE_IGNORE}}="1" in a udev rule',
    "screen": "leave it with Ctrl-A K",
    "picocom": "leave it with Ctrl-A Ctrl-X",
    "minicom": "leave it with Ctrl-A X",
}
"""How to have a port back from a program, by the program's short name."""


def is_port(word: str) -> bool:
    """Whether a word names a port: a character device, a socket, a named pipe or a URL."""
    if "://" in word or word.startswith(URL_WORDS):
        return True
    status = _status(word)
    if status is None:
        return word.startswith("/dev/")
    mode = status.st_mode
    if stat.S_ISCHR(mode) and os.major(status.st_rdev) == MTD_MAJOR:
        return False
    return stat.S_ISCHR(mode) or stat.S_ISSOCK(mode) or stat.S_ISFIFO(mode)


def port_checks(
    port: str,
    baud: int,
    seconds: float,
    *,
    one_way: bool = False,
    received: Callable[[LineRecord], None] = lambda line: None,
) -> Iterator[Check]:
    """Check a port, and listen to it for at most `seconds`. `received()` gets what it said.

    `one_way`: ask nothing.
    """
    if port.startswith("sim:"):
        yield Check(port, "port", State.OK, "a recorded target, which needs no port")
        return
    if _is_memory(port):
        hint = "name the target's line, such as /dev/ttyACM0"
        yield Check(port, "port", State.BROKEN, "no port, but a device of memory", (hint,))
        return
    if _is_path(port):
        yield from _access(port)
        yield from _use(port)
    try:
        link = open_link(port, SerialSettings(baud))
    except LinkError as error:
        yield broken_by(port, "open", error)
        if "in use" in error.message and os.geteuid():
            yield Check(port, "in use", State.NOTE, "root alone sees all processes that have it")
        return
    with contextlib.closing(link):
        line = LineRecord(port, baud)
        try:
            lasted = listen(link, line, seconds, one_way=one_way)
        except LinkError as error:
            yield broken_by(port, "line", error)
            return
    received(line)
    yield from line_checks(line, lasted)


def _is_path(port: str) -> bool:
    return "://" not in port and not port.startswith("unix:")


def _status(path: str) -> os.stat_result | None:
    """What a path names; None where it names nothing."""
    try:
        return os.stat(path)  # noqa: PTH116 - a path of any bytes
    except (OSError, ValueError):
        return None


def _is_memory(port: str) -> bool:
    """Whether a path is /dev/null or its like, which every second program has open."""
    status = _status(port)
    if status is None:
        return False
    return stat.S_ISCHR(status.st_mode) and os.major(status.st_rdev) == MEMORY_MAJOR


def _access(port: str) -> Iterator[Check]:
    status = _status(port)
    if status is None:
        return
    owner, group = _user(status.st_uid), _group(status.st_gid)
    text = f"{stat.filemode(status.st_mode)} {owner} {group}"
    if os.access(port, os.R_OK | os.W_OK):
        yield Check(port, "port", State.OK, f"may be read and written: {text}")


def _user(number: int) -> str:
    with contextlib.suppress(KeyError):
        return pwd.getpwuid(number).pw_name
    return str(number)


def _group(number: int) -> str:
    with contextlib.suppress(KeyError):
        return grp.getgrgid(number).gr_name
    return str(number)


def _use(port: str) -> Iterator[Check]:
    holders = holders_of(port)
    if holders:
        names = ", ".join(map(str, holders))
        yield Check(
            port,
            "in use",
            State.LOOK,
            f"also open in {names}: each byte reaches only one of its readers",
            tuple(_release(port, holder) for holder in holders),
        )
    elif lock := lock_file_of(port):
        path, pid = lock
        yield Check(
            port,
            "in use",
            State.LOOK,
            f"process {pid} has locked it by {path}",
            (f"end process {pid} first",),
        )


def _release(port: str, holder: Holder) -> str:
    way = RELEASES.get(holder.name)
    if way:
        return f"{holder.name}: {way.format(name=os.path.basename(port))}"  # noqa: PTH119
    return f"end {holder.name} first: 'kill {holder.pid}'"


def listen(link: Link, line: LineRecord, seconds: float, *, one_way: bool) -> float:
    """Read until the line has told enough, has ended, or the time is over. Returns seconds."""
    began, asked = time.monotonic(), float("-inf")
    number = 0
    while (now := time.monotonic() - began) < seconds and not line.is_enough:
        if link.writable and not one_way and now - asked >= ASK_SECONDS:
            link.write(encode_message(HelloPlease(), number))
            asked, number = now, number + 1
        data = link.read(min(POLL_SECONDS, seconds - now))
        if data is None:
            break
        line.take(now, data)
    line.finish()
    return round(time.monotonic() - began, 1)
