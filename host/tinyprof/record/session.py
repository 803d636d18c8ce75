# SPDX-License-Identifier: MIT
"""One recording put together: a port, the files of the capture, and the commands to the target.

A request comes in. The port is opened first, and the files are made after that, so a port that is
not there leaves no file behind. Recording returns when the files are complete and on the disk.
"""

from __future__ import annotations

import contextlib
import re
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tinyprof.capture.compression import LinePacker
from tinyprof.capture.format import CaptureError, Meta
from tinyprof.capture.index import ImageIndex
from tinyprof.capture.parts import Roll, RollingWriter, part_path
from tinyprof.capture.writer import CaptureWriter
from tinyprof.disk import DiskError, kept_safe, refuse_inputs
from tinyprof.errors import TinyprofError
from tinyprof.record.diagnosis import LineWatch
from tinyprof.record.noise import Noise
from tinyprof.record.observing import Observer, Recording, StopAfter, Wish
from tinyprof.record.recorder import (
    no_commands,
    nobody_listens,
    record,
)
from tinyprof.record.sim import QUIET, open_sim
from tinyprof.text import shown
from tinyprof.wire.frames import Event, HostMark
from tinyprof.wire.ports.link import Link, NoSuchPortError
from tinyprof.wire.ports.opening import open_link
from tinyprof.wire.ports.reconnect import LastingLink
from tinyprof.wire.ports.serial_device import SerialLink, SerialSettings

WITH_RATE = ("/dev/tty", "/dev/serial/", "rfc2217://", "hwgrep://")
"""Begins of the names of ports that have a baud rate."""
SIM = "sim:"
"""A port that begins with this is a simulated target."""


class OutputError(TinyprofError):
    """A file that a recording would overwrite."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to record, from which port, into which file, and until when.

    `line`: how a serial device is used. `marks`: names and seconds after the start.
    `limits.seconds` and `limits.epochs` end the recording. `epoch_ms` None: epochs stay as they
    are. `speed` and `noisy` are for a simulated target. `recorder` is the version that the capture
    names.
    """

    port: str
    output: Path
    recorder: str
    index: ImageIndex | None = None
    line: SerialSettings = field(default_factory=SerialSettings)
    epoch_ms: int | None = None
    limits: StopAfter = field(default_factory=StopAfter)
    marks: Sequence[tuple[str, float]] = ()
    roll: Roll | None = None
    packed: bool = False
    wait: bool = False
    one_way: bool = False
    speed: float = 1.0
    noisy: bool = False

    @property
    def is_simulated(self) -> bool:
        """Whether the target is a recorded one that is played again."""
        return self.port.startswith(SIM)

    @property
    def baud(self) -> int:
        """The baud rate that the user named, or the usual one."""
        return self.line.baud

    @property
    def rate(self) -> int:
        """The baud rate; 0 for a port that has none, as far as its name tells."""
        return self.baud if self.port.startswith(WITH_RATE) else 0


def check_outputs(request: Request, console: Path | None, inputs: Iterable[Path]) -> None:
    """Refuse outputs that would overwrite anything. Raises OutputError or DiskError.

    1. The capture, and with `roll` every file with the name of a further part, must not exist.
    2. The console's file must be none of the inputs, neither the port nor the capture.
    3. An ordinary file in its place must be empty or missing.
    """
    output = request.output
    in_the_way = [output] if output.exists() or output.is_symlink() else []
    if request.roll:
        in_the_way += _further_parts(output)
    if in_the_way:
        raise OutputError(
            f"{in_the_way[0]} exists: a recording is never overwritten",
            "name another file with -o, or move that one away",
        )
    if console is None:
        return
    path, own = console.resolve(), output.resolve()
    is_part = request.roll and path.parent == own.parent and _part_name(own).fullmatch(path.name)
    if path == own or is_part:
        raise OutputError(f"{console} is the capture itself", "name another file with --console")
    port = Path(request.port.removeprefix(SIM).removeprefix("unix:"))
    refuse_inputs(console, [*inputs, port], of_any_kind=True)
    with contextlib.suppress(FileNotFoundError):
        status = console.stat()
        if stat.S_ISDIR(status.st_mode) or (stat.S_ISREG(status.st_mode) and status.st_size):
            raise OutputError(
                f"{console} exists and is not empty", "name another file with --console"
            )


def _further_parts(first: Path) -> list[Path]:
    """Return the files that have the name of a further part of a recording."""
    name = _part_name(first)
    with contextlib.suppress(OSError):
        return sorted(path for path in first.parent.iterdir() if name.fullmatch(path.name))
    return []


def _part_name(first: Path) -> re.Pattern[str]:
    """Return the pattern of the names of further parts."""
    return re.compile(re.escape(first.stem) + r"-[1-9][0-9]*" + re.escape(first.suffix))


class Session:
    """One recording, whose port is open. `index`: that of the image, if it is known."""

    def __init__(self, request: Request, link: Link, index: ImageIndex | None) -> None:
        self._request, self._link = request, link
        self._writer: CaptureWriter | RollingWriter | None = None
        self._files = contextlib.ExitStack()
        self._stop: Callable[[], bool] = lambda: False
        self.index = index

    def begin_files(self, stop: Callable[[], bool]) -> None:
        """Make the capture. `stop()`: whether a signal asks for the end. Raises CaptureError."""
        self._stop = stop
        request = self._request
        meta = Meta(request.recorder, request.port, request.baud, int(time.time()))
        packer = LinePacker() if request.packed else None

        def begin_part(part: Meta, primer: bytes) -> CaptureWriter:
            try:
                self._files.close()
            except DiskError as error:
                raise CaptureError(error.message, error.hint) from None
            path = part_path(request.output, part.part)
            try:
                file = self._files.enter_context(path.open("xb", buffering=0))
            except FileExistsError:
                raise CaptureError(f"{path} exists", "move it away") from None
            except OSError as error:
                raise CaptureError(f"{path} cannot be written: {error.strerror}") from None
            self._files.enter_context(kept_safe(file))
            return CaptureWriter(file, part, self.index, primer, packer)

        roll = request.roll
        self._writer = RollingWriter(meta, begin_part, roll) if roll else begin_part(meta, b"")

    @property
    def paths(self) -> list[Path]:
        """The files of the recording so far."""
        parts = self._writer.parts if isinstance(self._writer, RollingWriter) else 1
        return [part_path(self._request.output, part) for part in range(parts)]

    def discard(self) -> None:
        """Remove the files of a recording in which nothing arrived, so that they hinder no other.

        Nothing but the program's own words is in them.
        """
        for path in self.paths:
            path.unlink(missing_ok=True)

    def record(
        self,
        observer: Observer,
        on_events: Callable[[Sequence[Event]], None] = nobody_listens,
        commands: Callable[[], Iterable[Wish]] = no_commands,
        leave: Callable[[], bool] = lambda: False,
    ) -> Recording:
        """Record until the end, and return when the files are complete and on the disk.

        `leave()`: whether somebody wants to end the recording. `commands()` and `on_events()` are
        those of `recorder.record`.
        """
        request, writer = self._request, self._writer
        assert writer
        due = _due(request.marks)
        try:
            recording = record(
                self._link,
                writer,
                LineWatch(
                    request.port,
                    request.baud,
                    self.index,
                    needs_epochs=bool(request.limits.epochs or request.roll),
                ),
                observer,
                replace(request.limits, stop=self._stop, leave=leave),
                epoch_ms=request.epoch_ms,
                commands=lambda: [*due(), *commands()],
                on_events=on_events,
                one_way=request.one_way,
            )
        except BaseException:
            with contextlib.suppress(DiskError):
                self._files.close()
            raise
        try:
            self._files.close()
        except DiskError as error:
            return replace(recording, fault=recording.fault or error)
        return recording


@contextlib.contextmanager
def open_session(request: Request, say: Callable[[str], None]) -> Iterator[Session]:
    """Open the port of a recording. `say()` is told that a port is waited for.

    Raises LinkError or SimError.
    """
    if request.packed:
        # Before a target is kept waiting: there may be no zstd here.
        LinePacker()
    index = request.index
    if request.is_simulated:
        noise = Noise() if request.noisy else QUIET
        link: Link
        link, simulated = open_sim(request.port, speed=request.speed, noise=noise)
        # A tree is for targets that tell files, and this one may be a capture of an image.
        for_names = index and index.of_tree and simulated and not simulated.of_tree
        index = simulated if index is None or for_names else index
    else:
        link = _open(request.port, request.line, say, wait=request.wait)
    with contextlib.closing(link):
        yield Session(request, link, index)


def _open(port: str, line: SerialSettings, say: Callable[[str], None], *, wait: bool) -> Link:
    """Open the port. A serial device that goes away is waited for, another port only if `wait` and
    if it can come back."""
    try:
        link = open_link(port, line)
    except NoSuchPortError:
        if not wait:
            raise
        say(f"waiting for {shown(port)}")
        return LastingLink(port, line)
    return LastingLink(port, line, link) if wait or isinstance(link, SerialLink) else link


def _due(marks: Sequence[tuple[str, float]]) -> Callable[[], list[HostMark]]:
    """Return a function that gives the marks whose time has come since its last call."""
    left = sorted(marks, key=lambda mark: mark[1])
    began = time.monotonic()

    def due() -> list[HostMark]:
        found = []
        while left and time.monotonic() - began >= left[0][1]:
            found.append(HostMark(left.pop(0)[0]))
        return found

    return due
