# SPDX-License-Identifier: MIT
"""A target on the desk: the real agent as a process of this machine, its port a pty, its kernel a
`Tracer`.

A test plugs and unplugs the port, touches pages, and reads on the host's end what arrives there.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import termios
import tty
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import TypeVar

from line.kernel import PATIENCE, Tracer
from tinyprof.pages import Kind
from tinyprof.wire.frames import Event, FrameDecoder, encode_message
from tinyprof.wire.messages import EpochEnd, Message, Pages
from tinyprof.wire.ports.opening import DescriptorLink
from tinyprof.wire.sequence import Frame

M = TypeVar("M", bound=Message)


class Line:
    """A pty: the target's end has a path, the host's end is a `tinyprof.link`."""

    def __init__(self, *, raw: bool = True) -> None:
        self.host, self.target = os.openpty()
        self.path = os.ttyname(self.target)
        if raw:
            # Else what the host sends before the agent has opened the port comes back as an echo.
            tty.setraw(self.target, termios.TCSANOW)
        self.link = DescriptorLink(os.dup(self.host), self.path, writable=True)
        self.arrived = b""
        self.events: list[Event] = []
        self.records: list[tuple[int, int, int, Kind]] = []
        """(volume, epoch, page id, kind) in the order of their arrival."""
        self._decoder = FrameDecoder()
        self._seq = 0

    @property
    def messages(self) -> list[Message]:
        return [event.message for event in self.events if isinstance(event, Frame)]

    def of(self, kind: type[M]) -> list[M]:
        return [message for message in self.messages if isinstance(message, kind)]

    def say(self, *messages: Message) -> None:
        for message in messages:
            self.link.write(encode_message(message, self._seq))
            self._seq += 1

    def until(self, arrived: Callable[[], bool]) -> None:
        """Read until something has arrived."""
        deadline = monotonic() + PATIENCE
        while not arrived():
            assert monotonic() < deadline, f"never arrived; the last were {self.messages[-5:]}"
            self.take(1.0)

    def until_full(self) -> None:
        """Wait until the target's end takes no more, for nobody reads."""
        deadline = monotonic() + PATIENCE
        while select.select([], [self.target], [], 0)[1]:
            assert monotonic() < deadline, "the line never filled"
            os.sched_yield()

    def take(self, patience: float) -> bool:
        """Read once; whether there was anything."""
        data = self.link.read(patience)
        if data:
            self.arrived += data
            self._note(self._decoder.feed(data))
        return bool(data)

    def finish(self) -> None:
        """Take what is left of a line that has ended."""
        while self.take(0):
            pass
        self._note(self._decoder.finish())

    def _note(self, events: list[Event]) -> None:
        self.events += events
        for event in events:
            if isinstance(event, Frame) and isinstance(pages := event.message, Pages):
                self.records += (
                    (pages.volume, pages.epoch, page_id, Kind(kind))
                    for page_id, kind in zip(pages.page_ids, pages.kinds, strict=True)
                )

    def hang_up(self) -> None:
        """Make the target's end vanish, with whatever the host has not read."""
        self.link.close()
        os.close(self.target)
        os.close(self.host)


class Target:
    """The agent and what is around it; `settings` are its environment."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.port = folder / "port"
        self.tracer = Tracer(folder / "tracer")
        self._program = program
        self._stderr = folder / "stderr"
        self._process: subprocess.Popen[bytes] | None = None

    def plug(self, *, raw: bool = True) -> Line:
        line = Line(raw=raw)
        self.plug_in(line.path)
        return line

    def plug_in(self, path: str) -> None:
        new = self.port.with_suffix(".new")
        new.symlink_to(path)
        new.rename(self.port)

    def unplug(self) -> None:
        self.port.unlink()

    def start(self, **settings: str) -> None:
        environment = {
            "TINYPROF_TTY": str(self.port),
            "TINYPROF_EPOCH": "0",
            "TINYPROF_TRACER": str(self.tracer.path),
            **settings,
        }
        with self._stderr.open("wb") as stderr:
            self._process = subprocess.Popen(
                [self._program], env=environment, stdin=subprocess.DEVNULL, stderr=stderr
            )

    @property
    def complaints(self) -> str:
        return self._stderr.read_text()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def cpu_ticks(self) -> int:
        """Ticks (a hundredth of a second) of processor time that the agent has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    def stop(self) -> None:
        """End the agent, which must still be running: it never ends by itself, and sanitizers end
        it."""
        if self._process is not None:
            ended = self._process.poll()
            self._process.kill()
            self._process.wait()
            assert ended is None, self.complaints
        self.tracer.disappear()


def adds_up(line: Line) -> bool:
    """Whether every epoch end on the line counts exactly the records that came before it."""
    counts: dict[tuple[int, int], list[int]] = {}
    for message in line.messages:
        if isinstance(message, Pages):
            for kind in message.kinds:
                counts.setdefault((message.volume, message.epoch), [0, 0, 0, 0])[kind] += 1
        elif isinstance(message, EpochEnd) and list(message.records) != counts.pop(
            (message.volume, message.epoch), [0, 0, 0, 0]
        ):
            return False
    return True
