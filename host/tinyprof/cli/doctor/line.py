# SPDX-License-Identifier: MIT
"""Judges a line by the bytes that came from it: silence, garbage, a console, an agent and its
tracer.

Bytes and times come in, checks go out. The same checks judge a capture.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tinyprof.cli.doctor.verdict import Check, State
from tinyprof.errors import TinyprofError
from tinyprof.record.baud import likely_rates
from tinyprof.record.diagnosis import TRACER_ABI, LineWatch, NoTracerError
from tinyprof.text import counted, epoch_text, shown, shown_line
from tinyprof.wire.frames import HELLO_VOLUMES, ConsoleText, CorruptFrame, Event, FrameDecoder
from tinyprof.wire.messages import Hello, joined_hello
from tinyprof.wire.sequence import Frame
from tinyprof.wire.source import blind_spots, other_source

EPOCH_MS_LEAST, EPOCH_MS_MOST = 100, 60_000
"""Milliseconds. Shorter epochs fill the line with the same pages again and again, and longer ones
cannot tell hot pages from others."""

CONSOLE_MAX = 4096
"""Bytes of console text that are kept."""

CORRUPT_SHARE = 0.05
"""Corrupt frames for each good one, above which a line is to be looked at."""

_LOGIN = re.compile(rb"(?i)\blogin: *$|\bpassword: *$|[#$] $", re.MULTILINE)
"""How the prompt of a getty or of a shell ends."""


class LineRecord:
    """Everything that came from a line, and whether it is enough to judge."""

    def __init__(self, port: str, baud: int) -> None:
        self.port, self.baud = port, baud
        self.bytes = self.frames = self.corrupt = 0
        self.hello: Hello | None = None
        self.console = b""
        self.sample = b""
        self._decoder = FrameDecoder()
        self._watch = LineWatch(port, baud)

    @property
    def fault(self) -> TinyprofError | None:
        """Why a recording of this line would fail."""
        return self._watch.fault

    @property
    def is_enough(self) -> bool:
        """Whether the target has introduced itself, with all its volumes."""
        hello = self.hello
        if hello is None or isinstance(self.fault, NoTracerError):
            return False
        return bool(hello.volumes) and len(hello.volumes) % HELLO_VOLUMES != 0

    def take(self, now: float, data: bytes) -> None:
        """Take one read, at `now` seconds after the start."""
        self.bytes += len(data)
        self.sample += data[: CONSOLE_MAX - len(self.sample)]
        events = self._decoder.feed(data)
        self.look_at(events)
        for _ in self._watch.take(now, data, events, self._decoder.pending):
            pass

    def finish(self) -> None:
        """The line is not read any more. An unfinished stretch may be a prompt."""
        self.look_at(self._decoder.finish(line_ended=False))

    def look_at(self, events: Sequence[Event]) -> None:
        """Note what the line said."""
        for event in events:
            match event:
                case ConsoleText():
                    self.console = (self.console + event.data)[-CONSOLE_MAX:]
                case CorruptFrame():
                    self.corrupt += 1
                case Frame(message=Hello() as hello):
                    self.frames += 1
                    self.hello = joined_hello(self.hello, hello)
                case Frame():
                    self.frames += 1


def line_checks(line: LineRecord, seconds: float) -> Iterator[Check]:
    """The checks of a line that was read for some seconds."""
    if not line.bytes:
        yield _silent(line, seconds)
        return
    if line.frames:
        yield _frames(line)
    elif len(line.console) * 2 > line.bytes:
        yield _console(line)
    else:
        yield _garbage(line)
    if line.frames and _LOGIN.search(line.console):
        yield _getty(line.port)
    if line.hello or line.frames:
        yield from hello_checks(line.port, line.hello)


def _frames(line: LineRecord) -> Check:
    text = f"{counted(line.bytes, 'byte')}, {counted(line.frames, 'frame')} at {line.baud} baud"
    # The first stretch is the rest of a frame that the line was joined in.
    if line.corrupt - 1 <= CORRUPT_SHARE * line.frames:
        return Check(line.port, "line", State.OK, text)
    return Check(
        line.port,
        "line",
        State.LOOK,
        f"{text}, and {counted(line.corrupt, 'corrupt frame')}",
        (
            "check the ground wire, the length of the cable, and that only the agent writes to "
            "this line",
            "set both ends to a slower rate: TINYPROF_BAUD on the kernel's command line, --baud "
            "here",
        ),
    )


def _silent(line: LineRecord, seconds: float) -> Check:
    return Check(
        line.port,
        "line",
        State.LOOK,
        f"nothing has arrived in {seconds:g} s, though the host asked",
        (
            "is the target on, and does it run the agent: init=/sbin/tinyprof-agent, or "
            "'ps | grep tinyprof'?",
            "are receive and transmit crossed, and ground connected?",
            "does TINYPROF_TTY on its kernel's command line name this port?",
        ),
    )


def _console(line: LineRecord) -> Check:
    lines = [text for text in line.console.splitlines() if text.strip()]
    last = shown_line(lines[-1])[:60] if lines else ""
    return Check(
        line.port,
        "line",
        State.LOOK,
        f"a console speaks here and no agent: {last!r}",
        (
            "start the agent on the target: init=/sbin/tinyprof-agent TINYPROF_TTY=/dev/…",
            "if this port is the console's alone, record from the other one "
            "(docs/porting.md, 'Which line?')",
        ),
    )


def _garbage(line: LineRecord) -> Check:
    rates = ", ".join(f"--baud {rate}" for rate in likely_rates(line.sample, line.baud)[:3])
    return Check(
        line.port,
        "line",
        State.LOOK,
        f"{counted(line.bytes, 'byte')} of garbage and no frame at {line.baud} baud",
        (
            f"the target's rate is probably another: try {rates}",
            "its agent's rate is TINYPROF_BAUD on the kernel's command line, 115200 by itself",
        ),
    )


def _getty(port: str) -> Check:
    return Check(
        port,
        "console",
        State.LOOK,
        "a getty or a shell waits for input on the agent's line",
        ("it would take what the host sends: disable it for this port, or record --one-way",),
    )


def hello_checks(subject: str, hello: Hello | None) -> Iterator[Check]:
    """The checks of a target that has introduced itself, or has not."""
    if hello is None:
        yield Check(
            subject,
            "agent",
            State.LOOK,
            "frames, and no hello: nobody knows which target this is",
            ("connect transmit too, so that the host can ask, or start the agent again",),
        )
        return
    yield Check(
        subject,
        "agent",
        State.OK,
        shown(
            f"agent {hello.agent} on Linux {hello.kernel} {hello.arch}, "
            f"{epoch_text(hello.epoch_ms)}"
        ),
    )
    yield _tracer(subject, hello)
    if not EPOCH_MS_LEAST <= hello.epoch_ms <= EPOCH_MS_MOST:
        yield _epoch(subject, hello.epoch_ms)
    yield _volumes(subject, hello)


def _tracer(subject: str, hello: Hello) -> Check:
    source = other_source(hello.source)
    if source:
        blind = list(blind_spots(source))
        state = State.LOOK if source.is_one_epoch else State.OK
        text = "; ".join([f"by {source.name}", *blind])
        todo = ("docs/sources.md names the kernel options that mend it",) if blind else ()
        return Check(subject, "tracer", state, text, todo)
    if hello.tracer == TRACER_ABI:
        return Check(subject, "tracer", State.OK, "by the kernel's own part, exactly")
    if hello.tracer:
        return Check(
            subject,
            "tracer",
            State.BROKEN,
            f"the kernel's tracer has version {hello.tracer}, this agent needs {TRACER_ABI}",
            ("take the kernel's patch and the agent from one release of tinyprof",),
        )
    return Check(
        subject,
        "tracer",
        State.BROKEN,
        "the agent has found nothing to record with",
        (
            "build the agent with all sources (make target), and the kernel with "
            "CONFIG_PERF_EVENTS or CONFIG_CRAMFS_TINYPROF",
            "'tinyprof doctor KERNEL-CONFIG' says what a kernel lacks",
        ),
    )


def _epoch(subject: str, ms: int) -> Check:
    text = f"{epoch_text(ms)}: between {EPOCH_MS_LEAST} ms and {EPOCH_MS_MOST // 1000} s are usual"
    why = (
        "the line is filled with the same pages again and again"
        if 0 < ms < EPOCH_MS_LEAST
        else "pages that are used all the time cannot be told from pages that were used once"
    )
    return Check(
        subject, "epoch", State.LOOK, text, (f"{why}: set TINYPROF_EPOCH, or record --epoch 1s",)
    )


def _volumes(subject: str, hello: Hello) -> Check:
    if not hello.volumes:
        return Check(
            subject,
            "volumes",
            State.LOOK,
            "the target has no volume yet",
            ("mount the CramFS, or let the agent take perf events (docs/sources.md)",),
        )
    idle = [str(it) for it in hello.volumes if not it.recording]
    text = ", ".join(
        str(it) if it.is_files else f"{it} {it.name!r}, {counted(it.size, 'byte')}"
        for it in hello.volumes
    )
    if idle:
        return Check(
            subject,
            "volumes",
            State.LOOK,
            shown(f"{text}; not recording: {', '.join(idle)}"),
            ("'tinyprof record' starts a volume that an earlier recording has stopped",),
        )
    return Check(subject, "volumes", State.OK, shown(text))
