# SPDX-License-Identifier: MIT
"""Says what is wrong with a line while it is recorded.

Bytes, events and times come in. Warnings go out, each once, with what to do next. It holds no
clock and prints nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tinyprof.capture.index import ImageIndex, WrongImageError
from tinyprof.errors import TinyprofError
from tinyprof.pages import PAGE_SIZE
from tinyprof.record.baud import likely_rates
from tinyprof.text import counted
from tinyprof.wire.frames import HELLO_VOLUMES, ConsoleText, Event, mostly_text
from tinyprof.wire.messages import (
    NO_BOOT,
    PROTOCOL,
    Hello,
    UnknownMessage,
    UnknownProtocol,
    is_reboot,
    joined_hello,
)
from tinyprof.wire.sequence import Frame
from tinyprof.wire.source import TouchSource, other_source, source_text

TRACER_ABI = 1
"""Version of the kernel's tracer (TINYPROF_ABI) that the agent understands."""

SILENCE_SECONDS = 3.0
"""Seconds without a byte, after which a line is called silent."""
GARBAGE_SECONDS = 1.5
"""Seconds of garbage, after which the rate is called wrong. The warning must come within two
seconds, and a read takes its time, too."""

SAMPLE_MAX = 4096
"""Unreadable bytes that are kept to judge the rate by."""

GARBAGE_LEAST = 16
"""Unreadable bytes: fewer may be the rest of a frame that the recording joined late, or a glitch
at power-on."""

WAITED_FOR_SECONDS = 2.5
"""Seconds without news. A target with a tracer says something new every second, unless it
waits."""

TRACER_SECONDS = 5.0
"""Seconds for which a target may be without a tracer: a module may be late, and the agent looks
every two seconds."""

TOPICS_MAX = 32
"""Kinds of warnings at most: a target that names ever new message types cannot fill the screen."""


class LineWarning(TinyprofError):
    """A reason why a recording may not be what was wanted. The recording goes on."""


class WaitingError(LineWarning):
    """The target waits for a host that answers."""


class NoTracerError(TinyprofError):
    """The target's kernel cannot record."""


class LineWatch:
    """Judges one line. `baud` is named in warnings about garbage. `needs_epochs`: something waits
    for the ends of epochs.

    `fault`: why a recording that ended now would have failed: the target has no tracer, runs
    another image, or waits for an answer. All three can still turn out well, when a module is
    loaded, a volume mounted, or an answer received.
    """

    def __init__(
        self,
        port: str,
        baud: int,
        index: ImageIndex | None = None,
        *,
        needs_epochs: bool = False,
    ) -> None:
        self._needs_epochs = needs_epochs
        self._port = port
        self._baud = baud
        self._index = index
        self._has_received = False
        self._hello: Hello | None = None
        self._tracerless_since: float | None = None
        self._waiting_since: float | None = None
        self.fault: TinyprofError | None = None
        self._garbage_since: float | None = None
        self._garbage_until = 0.0
        self._unread = 0
        self._sample = bytearray()
        self._said: set[str] = set()
        self._before_gap: Hello | None = None

    def take(
        self,
        now: float,
        data: bytes,
        events: Sequence[Event],
        pending: bytes,
        *,
        held: bool = False,
    ) -> Iterator[TinyprofError]:
        """Judge one read, at `now` seconds after the start.

        `pending`: the decoder's unfinished stretch. `held`: good frames came that are no events
        yet.
        """
        self._has_received = self._has_received or bool(data)
        if not self._has_received:
            if now >= SILENCE_SECONDS:
                yield from self._once("silence", self._silence(now))
            return
        for event in events:
            if isinstance(event, Frame):
                yield from self._look_at(now, event)
        if held or any(isinstance(event, Frame) for event in events):
            self._garbage_since, self._unread = None, 0
            self._sample.clear()
        elif (unread := self._garbage(now, data, events, pending)) is not None:
            yield from self._once("garbage", self._wrong_baud(unread))

    def reconnected(self) -> None:
        """The port was away and is back. Another board may stand behind it."""
        self._before_gap = self._hello or self._before_gap

    def _look_at_identity(self, hello: Hello) -> Iterator[TinyprofError]:
        """Compare the first hello after a gap with the last one before it.

        1. The same boot id: it is the same board.
        2. Another boot id, the same kernel, and an image in common: it has rebooted.
        3. Else another board has answered.
        """
        before = self._before_gap
        if before is None or hello.boot_id == NO_BOOT:
            return
        if is_reboot(before, hello) and not _same_machine(before, hello):
            yield LineWarning(
                f"another target answers on {self._port}: {_identity(hello)}; before the port "
                f"went away it was {_identity(before)}",
                "end the recording if this is the wrong board; its boots stand in the capture "
                "apart",
            )
        self._before_gap = None

    def _once(self, topic: str, warning: TinyprofError) -> Iterator[TinyprofError]:
        if topic not in self._said and len(self._said) < TOPICS_MAX:
            self._said.add(topic)
            yield warning

    def _silence(self, now: float) -> LineWarning:
        return LineWarning(
            f"nothing has arrived from {self._port} for {now:.0f} s",
            "check that this is the port, that receive and transmit are crossed, and that the "
            "target is on "
            "and runs init=/sbin/tinyprof-agent; still listening",
        )

    def _garbage(
        self, now: float, data: bytes, events: Sequence[Event], pending: bytes
    ) -> int | None:
        """Return how many bytes could not be read since the last frame, once that has gone on for
        too long."""
        self._sample += data[: SAMPLE_MAX - len(self._sample)]
        # Pending bytes are judged when a zero ends them, or below.
        self._unread += len(data) - sum(
            len(event.data) for event in events if isinstance(event, ConsoleText)
        )
        if data and self._unread >= GARBAGE_LEAST:
            self._garbage_since = now if self._garbage_since is None else self._garbage_since
            self._garbage_until = now
        if self._garbage_since is None or now - self._garbage_since < GARBAGE_SECONDS:
            return None
        unread = self._unread - (len(pending) if mostly_text(pending) else 0)
        lasted = self._garbage_until - self._garbage_since >= GARBAGE_SECONDS / 4
        return unread if unread >= GARBAGE_LEAST and lasted else None

    def _wrong_baud(self, unread: int) -> LineWarning:
        rates = likely_rates(bytes(self._sample), self._baud)
        tries = ", ".join(f"--baud {rate}" for rate in rates[:3])
        return LineWarning(
            f"garbage: {unread} bytes and no frame in {GARBAGE_SECONDS:g} s at {self._baud} "
            "baud, which is "
            "probably not the target's baud rate",
            f"try {tries}; still recording",
        )

    def unanswered(self, *, cannot_hear: bool, disobeyed: bool) -> Iterator[TinyprofError]:
        """Warn of a target that does not hear the host, or does not obey a command."""
        if disobeyed:
            yield from self._once(
                "disobeyed",
                LineWarning(
                    "the target does not start or stop its recording as it was told",
                    "its agent may be older than this tinyprof, or a volume need more "
                    "memory than it has",
                ),
            )
        if cannot_hear:
            yield from self._once(
                "cannot hear",
                LineWarning(
                    "the target does not hear this end of the line: nothing is repeated, and "
                    "what the line "
                    "loses is counted",
                    "check that transmit is connected too, or say --one-way",
                ),
            )

    def waiting(
        self, now: float, target_is: bool, events: Sequence[Event], *, answered: bool
    ) -> Iterator[TinyprofError]:
        """Warn of a target that may wait for acknowledgements, once nothing new has come for a
        while.

        `answered`: this host sends acknowledgements, so the target does not hear it.
        """
        if not target_is or any(isinstance(event, Frame) for event in events):
            self._waiting_since = None
            if isinstance(self.fault, WaitingError):
                self.fault = None
            return
        self._waiting_since = now if self._waiting_since is None else self._waiting_since
        is_long = now - self._waiting_since >= WAITED_FOR_SECONDS
        error = _waits(answered=answered)
        if is_long or self._hello is None:
            self.fault = error
        if is_long:
            yield from self._once("waiting", error)

    def tracerless(self, now: float) -> bool:
        """Whether the target has had no tracer for so long that it will have none."""
        return (
            self._tracerless_since is not None and now - self._tracerless_since >= TRACER_SECONDS
        )

    def _look_at(self, now: float, frame: Frame) -> Iterator[TinyprofError]:
        match frame.message:
            case Hello() as hello:
                yield from self._look_at_identity(hello)
                self._hello = joined_hello(self._hello, hello)
                yield from self._look_at_tracer(now, hello)
                yield from self._look_at_hello(hello)
                if len(hello.volumes) < HELLO_VOLUMES:
                    yield from self._look_at_image()
            case UnknownProtocol(protocol):
                yield from self._once("protocol", _other_protocol(protocol))
            case UnknownMessage(kind):
                yield from self._once(
                    f"type {kind}",
                    LineWarning(
                        f"a message of unknown type {kind}: kept in the capture, not understood",
                        "a newer tinyprof may read it",
                    ),
                )
            case _:
                yield from self._look_at_image()

    def _look_at_tracer(self, now: float, hello: Hello) -> Iterator[TinyprofError]:
        if hello.tracer == TRACER_ABI or other_source(hello.source):
            self._tracerless_since = None
            if isinstance(self.fault, NoTracerError):
                self.fault = None
            return
        if self._tracerless_since is None:
            self._tracerless_since = now
        self.fault = _no_tracer(hello)
        yield from self._once(
            "tracer", LineWarning(self.fault.message, "the agent goes on looking for one")
        )

    def _look_at_hello(self, hello: Hello) -> Iterator[TinyprofError]:
        if source := other_source(hello.source):
            text = source_text(source)
            yield from self._once(text, LineWarning(f"recorded by {text}"))
            if source.misses_pages_in_place:
                yield from self._look_at_pages_in_place(source)
            if source.is_one_epoch and self._needs_epochs:
                yield from self._once("one epoch", _ONE_EPOCH)
        if hello.protocol != PROTOCOL:
            yield from self._once("protocol", _other_protocol(hello.protocol))
        if hello.page_size != PAGE_SIZE:
            yield from self._once(
                "page size",
                LineWarning(
                    f"the target's pages have {hello.page_size} bytes, not {PAGE_SIZE}",
                    "build its kernel with 4 KiB pages",
                ),
            )

    def _look_at_pages_in_place(self, source: TouchSource) -> Iterator[TinyprofError]:
        if self._index and (count := self._index.pages_in_place):
            yield from self._once(
                "in place",
                LineWarning(
                    f"the image has {counted(count, 'page')} in place: {source.name} do not see "
                    "those that the kernel maps from flash",
                    "record the image without pages in place",
                ),
            )

    def _look_at_image(self) -> Iterator[TinyprofError]:
        """Compare the image with all volumes named so far, once a series of hellos is over.

        A tree that is of no use is no fault: it may have been given for its names.
        """
        if not self._index or not self._hello or self._tracerless_since is not None:
            return
        try:
            self._index.volume_of(self._hello)
        except WrongImageError as error:
            if not self._index.of_tree:
                self.fault = error
                yield from self._once("image", error)
            elif self._hello.volumes:
                yield from self._once("tree", LineWarning(error.message, error.hint))
        else:
            self.fault = None
            others = [str(it) for it in self._hello.volumes if not it.is_files]
            if self._index.of_tree and others:
                yield from self._once("tree", _also_cramfs(others))


_ONE_EPOCH = LineWarning(
    "this target has one epoch that never ends, so --epochs and --roll wait for ever",
    "end the recording with --duration or Ctrl-C",
)


def _also_cramfs(volumes: Sequence[str]) -> LineWarning:
    return LineWarning(
        f"the target runs {', '.join(volumes)} too, and a folder does not resolve its pages",
        "give the image that is in flash with --image, if it is the one of interest",
    )


def _same_machine(before: Hello, now: Hello) -> bool:
    """Whether two boots may be those of one board: the same kernel, and an image in common."""
    images = {volume.fsid for volume in before.volumes}
    shared = not images or not now.volumes or any(v.fsid in images for v in now.volumes)
    return (before.kernel, before.arch) == (now.kernel, now.arch) and shared


def _identity(hello: Hello) -> str:
    images = ", ".join(map(str, hello.volumes)) or "none"
    return f"Linux {hello.kernel} {hello.arch}, image {images}"


def _waits(*, answered: bool) -> WaitingError:
    why = "does not hear this one's" if answered else "this one sends none"
    remedy = "check that transmit is connected" if answered else "record without --one-way"
    return WaitingError(
        f"the target waits for acknowledgements, as an earlier recording asked it to, and {why}",
        f"{remedy}, or start the agent again; it keeps its records meanwhile",
    )


def _no_tracer(hello: Hello) -> NoTracerError:
    if hello.tracer:
        return NoTracerError(
            f"the target's kernel {hello.kernel} has a tracer of version {hello.tracer}, its "
            "agent knows "
            f"version {TRACER_ABI}",
            "take the kernel's patch and the agent from one release of tinyprof",
        )
    return NoTracerError(
        f"the target's kernel {hello.kernel} has no tracer",
        "build it with CONFIG_CRAMFS_TINYPROF=y and boot it with cramfs.tinyprof=1 "
        "(docs/kernel.md)",
    )


def _other_protocol(protocol: int) -> LineWarning:
    return LineWarning(
        f"the target speaks protocol {protocol}, this tinyprof {PROTOCOL}",
        "use the agent and the tinyprof of one release; recording all that comes",
    )
