# SPDX-License-Identifier: MIT
"""Records one line: a link comes in, a capture and totals go out.

Bytes are stored before they are decoded, so no mistake in decoding can cost a byte. Every loss is
known: from gaps in the frames' numbers, and from the epoch ends, which say how many records an
epoch had.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from time import monotonic

from tinyprof.capture.format import CaptureError, Ending
from tinyprof.capture.parts import RollingWriter
from tinyprof.capture.writer import CaptureWriter
from tinyprof.errors import TinyprofError
from tinyprof.heat.totals import Tally, Totals, loss_counts
from tinyprof.record.diagnosis import LineWarning, LineWatch
from tinyprof.record.observing import (
    NO_LIMITS,
    Keystrokes,
    Observer,
    Recording,
    StopAfter,
    Typing,
    Wish,
)
from tinyprof.record.return_path import ReturnPath
from tinyprof.wire.early_text import EarlyText
from tinyprof.wire.frames import STRETCH_MAX, Command, Event, FrameDecoder, HostMark, primer
from tinyprof.wire.messages import Rearm
from tinyprof.wire.ports.link import Link, LinkError
from tinyprof.wire.sequence import Frame

__all__ = ["Command", "Observer", "Recording", "StopAfter", "Totals", "record"]

POLL_SECONDS = 0.25
"""Seconds that one read waits at most."""

SETTLE_SECONDS = 2.0
"""Seconds that the end of a recording waits for frames that the target still repeats."""

HURRIED_SECONDS = 0.4
"""The same after a signal: a program that is told to end does so within a second."""

SILENT_SECONDS = 5.0
"""Seconds after which a target is silent. One with a tracer sends a status every second, one
without a hello every two seconds."""

REARM_SECONDS = 1.0
"""Seconds between two requests to end an epoch."""
EPOCH_MS_MAX = 60_000
"""Milliseconds. A part of a recording waits for epochs of at most this length; longer ones are
asked to end."""

REBOOTS_SAID = 16
"""Reboots that are said at most."""
_REBOOTED = LineWarning(
    "the target has rebooted", "its epochs start again; a profile counts another boot"
)

_ONE_WAY = LineWarning(
    "this line carries nothing to the target", "connect transmit too, and leave out --one-way"
)


def _silent(seconds: float) -> LineWarning:
    return LineWarning(
        f"the target has sent nothing for {seconds:.0f} s, though it sends something every second",
        "check that it is on; still listening",
    )


def no_commands() -> Iterable[Wish]:
    """Return the commands of a recording that nobody steers."""
    return ()


def nobody_listens(events: Sequence[Event]) -> None:
    """Take the events of a recording that nobody watches."""


def record(
    link: Link,
    writer: CaptureWriter | RollingWriter,
    watch: LineWatch,
    observer: Observer,
    limits: StopAfter = NO_LIMITS,
    *,
    epoch_ms: int | None = None,
    commands: Callable[[], Iterable[Wish]] = no_commands,
    on_events: Callable[[Sequence[Event]], None] = nobody_listens,
    one_way: bool = False,
    clock: Callable[[], float] = monotonic,
) -> Recording:
    """Record until the link ends, a limit is reached, the target turns out to have no tracer, or a
    fault.

    `one_way`: send nothing to the target, though the link could. `commands()` is asked before
    every read. A mark goes into the capture, and the target is asked to end its epoch there.
    `on_events()` gets every event once it is stored. `clock` is in seconds.
    """
    return_path = ReturnPath(epoch_ms) if link.writable and not one_way else None
    session = _Session(link, writer, watch, observer, on_events, return_path, clock)
    fault: TinyprofError | None = None
    try:
        try:
            session.run(limits, commands)
        except LinkError as error:
            fault, session.ending = error, None
        session.finish()
    except CaptureError as error:
        return Recording(session.totals(), session.ending, fault or error)
    return Recording(session.totals(), session.ending, fault or watch.fault)


class _Session:
    """The state of a running recording."""

    def __init__(
        self,
        link: Link,
        writer: CaptureWriter | RollingWriter,
        watch: LineWatch,
        observer: Observer,
        on_events: Callable[[Sequence[Event]], None],
        return_path: ReturnPath | None,
        clock: Callable[[], float],
    ) -> None:
        self._on_events = on_events
        self._link, self._return_path = link, return_path
        self._writer, self._watch, self._observer, self._clock = writer, watch, observer, clock
        self._decoder = FrameDecoder()
        self._began = clock()
        self._tally = Tally()
        self._unwritten = b""
        self._received_before = 0
        self._reboots = 0
        self._rearmed_at = float("-inf")
        self._epochs_before_part = 0
        self._tally.away = link.away
        self._text, self._is_quiet, self._typing = EarlyText(), False, False
        self._silence = self._now = 0.0
        self._said_silence = False
        self.ending: Ending | None = None

    def run(self, limits: StopAfter, commands: Callable[[], Iterable[Wish]]) -> None:
        """Take what comes until the end. Raises CaptureError, and LinkError if the link fails."""
        self.answer([])
        while not self.over(limits):
            for command in commands():
                self.obey(command)
            data = self._link.read(self.patience(limits))
            if data is None:
                self.ending = Ending.LINE_ENDED
            else:
                self.take(data)
        self.settle(limits)

    def over(self, limits: StopAfter) -> bool:
        """Whether the recording has ended, or a limit ends it now."""
        if self.ending is None:
            if limits.stop():
                self.ending = Ending.INTERRUPTED
            elif limits.leave():
                self.ending = Ending.LEFT
            elif self._watch.tracerless(self._elapsed()):
                self.ending = Ending.NO_TRACER
            elif limits.seconds is not None and self._elapsed() >= limits.seconds:
                self.ending = Ending.DURATION
            elif limits.epochs is not None and self._tally.epochs >= limits.epochs:
                self.ending = Ending.EPOCHS
        return self.ending is not None

    def patience(self, limits: StopAfter) -> float:
        """Return how many seconds to wait for the next byte."""
        left = POLL_SECONDS if limits.seconds is None else limits.seconds - self._elapsed()
        return min(POLL_SECONDS, max(0.0, left))

    def take(self, data: bytes) -> None:
        """Store, decode, acknowledge, in this order: only what is stored is acknowledged."""
        self._look_at_port()
        self._is_quiet = not data
        writer = self._writer
        if isinstance(writer, RollingWriter) and writer.is_enough(self._elapsed()):
            events = self._store_and_roll(writer, data)
        else:
            events = self._store(data)
        self._look_at_line(data, events)
        self.answer(events)
        self._observer.progress(self.totals)

    def _look_at_line(self, data: bytes, events: list[Event]) -> None:
        now, sequence = self._elapsed(), self._decoder.sequence
        held = sequence.waiting > 0 or sequence.received > self._received_before
        self._received_before = sequence.received
        self._note_silence(held or any(isinstance(event, Frame) for event in events))
        answered = self._return_path is not None
        waits = sequence.astray or (sequence.repeats and not answered)
        for warning in (
            *self._watch.take(now, data, events, self._decoder.pending, held=held),
            *self._watch.waiting(now, waits, events, answered=answered),
        ):
            self._observer.warning(warning)

    def _note_silence(self, spoke: bool) -> None:
        """Note for how long the target has sent no frame, and say once that it fell silent.

        Only time in which the line was read counts: a host that is busy for a while still finds
        what the target sent meanwhile.
        """
        now = self._elapsed()
        silence = 0.0 if spoke else self._silence + now - self._now
        self._silence, self._now = silence, now
        known = self._decoder.sequence.whereabouts()[0] is not None
        is_silent = known and silence >= SILENT_SECONDS
        self._tally.silent_ms = round(silence * 1000) if is_silent else 0
        if is_silent and not self._said_silence and not self._tally.away:
            self._observer.warning(_silent(silence))
        self._said_silence = is_silent

    def _store(self, data: bytes) -> list[Event]:
        self._tally.bytes += len(data)
        self._unwritten += data
        # A slow line comes in pieces of a few bytes, and each would cost a chunk. Half a frame is
        # of use to nobody, and nothing of it is acknowledged.
        whole = self._unwritten.rfind(b"\0") + 1
        self._write(
            whole if data and len(self._unwritten) < STRETCH_MAX + whole else len(self._unwritten)
        )
        events = self._decoder.feed(data)
        self._count(events)
        return events

    def _write(self, size: int) -> None:
        """Write the first `size` bytes of what has come to the capture."""
        if size:
            self._writer.line(self._unwritten[:size], self._elapsed())
            self._unwritten = self._unwritten[size:]

    def _store_and_roll(self, writer: RollingWriter, data: bytes) -> list[Event]:
        """Store stretch by stretch, and begin the next part where no epoch and no frame is under
        way."""
        events: list[Event] = []
        for stretch in _stretches(data):
            events += self._store(stretch)
            if self._between_epochs() and writer.is_enough(self._elapsed()):
                told = (file.as_message() for file in self._tally.told)
                primed = primer(self._decoder.sequence, told)
                writer.turn(self._elapsed(), primed, loss_counts(self.totals()))
                self._epochs_before_part = self._tally.epochs
        if writer.is_enough(self._elapsed()) and not self._epochs_end_by_themselves():
            self._ask_for_an_end()
        return events

    def _between_epochs(self) -> bool:
        """Whether a part may end here: it has an epoch, and none is under way."""
        under_way = self._decoder.pending or self._decoder.sequence.waiting or self._tally.in_epoch
        return not under_way and self._tally.epochs > self._epochs_before_part

    def _epochs_end_by_themselves(self) -> bool:
        hello = self._decoder.sequence.whereabouts()[0]
        return hello is not None and 0 < hello.epoch_ms <= EPOCH_MS_MAX

    def _ask_for_an_end(self) -> None:
        is_due = not self._typing and self._elapsed() - self._rearmed_at >= REARM_SECONDS
        if self._return_path and is_due:
            self._rearmed_at = self._elapsed()
            self._link.write(self._return_path.say(Rearm()))

    def obey(self, command: Wish) -> None:
        """Store a mark, and send a command or keystrokes to the target."""
        if isinstance(command, Keystrokes | Typing):
            self._type(command)
            return
        if isinstance(command, HostMark):
            self._write(len(self._unwritten))
            self._writer.mark(command.text)
            self._tally.take(command)
            self._on_events([command])
            command = Rearm()
        elif not self._return_path:
            self._observer.warning(_ONE_WAY)
        if not self._return_path or self._typing:
            return
        if isinstance(command, Rearm):
            self._link.write(self._return_path.say(command))
        else:
            self._return_path.wants(command)
            self.answer([])

    def _type(self, wish: Keystrokes | Typing) -> None:
        if isinstance(wish, Typing):
            self._typing = wish.on
            if self._return_path and not wish.on:
                self._return_path.reopened()
        elif self._link.writable:
            self._link.write(wish.data.replace(b"\0", b""))
        else:
            self._observer.warning(_ONE_WAY)

    def _look_at_port(self) -> None:
        """Say and store that the port went away. Once it is back, ask the target anew."""
        if self._link.gaps > self._tally.gaps:
            self._tally.gaps = self._link.gaps
            self._write(len(self._unwritten))
            self._writer.gap(self._elapsed())
            self._observer.warning(
                LineWarning("the port went away", "plug it in again, or end with Ctrl-C")
            )
            self._tally.away = True
        if self._tally.away and not self._link.away:
            self._tally.away = False
            self._observer.warning(LineWarning("the port is there: the recording goes on"))
            self._watch.reconnected()
            if self._return_path:
                self._return_path.reopened()
        self._tally.overruns = self._link.overruns

    def answer(self, events: list[Event]) -> None:
        """Send the target what is due now."""
        if not self._return_path or self._typing:
            return
        if words := self._return_path.due(self._elapsed(), events, self._decoder.sequence):
            self._link.write(words)
        for warning in self._watch.unanswered(
            cannot_hear=self._return_path.cannot_hear, disobeyed=self._return_path.disobeyed
        ):
            self._observer.warning(warning)

    def settle(self, limits: StopAfter) -> None:
        """Give a target that repeats a moment for the frames that are missing just now. A signal
        may come meanwhile."""
        ended = self._elapsed()
        while (
            self._decoder.sequence.repeats
            and self._decoder.sequence.waiting
            and self._elapsed() - ended < (HURRIED_SECONDS if limits.stop() else SETTLE_SECONDS)
        ):
            data = self._link.read(POLL_SECONDS) if self.ending is not Ending.LINE_ENDED else None
            if data is None:
                return
            self.take(data)

    def finish(self) -> None:
        """Store and count the rest. Raises CaptureError."""
        self._write(len(self._unwritten))
        self._count(self._decoder.finish(line_ended=self.ending is Ending.LINE_ENDED))
        self._writer.losses(loss_counts(self.totals()))
        if self.ending is not None:
            self._writer.end(self.ending)

    def _count(self, events: list[Event]) -> None:
        self._on_events(events)
        for event in events:
            if self._tally.take(event):
                self._reboots += 1
                if self._reboots <= REBOOTS_SAID:
                    self._observer.warning(_REBOOTED)
        text = self._text.take(events, self._decoder.pending, is_quiet=self._is_quiet)
        if text:
            self._observer.console(text)

    def totals(self) -> Totals:
        return self._tally.totals(self._elapsed(), self._decoder.sequence)

    def _elapsed(self) -> float:
        return self._clock() - self._began


def _stretches(data: bytes) -> list[bytes]:
    """Return the stretches of a read that a zero ends, and the rest."""
    *ended, rest = data.split(b"\0")
    return [*(stretch + b"\0" for stretch in ended), rest]
