# SPDX-License-Identifier: MIT
"""A target without hardware: plays a capture again over a real pty, in the real protocol.

A capture comes in. A `Link` to a target goes out that repeats the capture's messages at their
pace, or faster, over as bad a line as is wanted. It touches no page.
"""

from __future__ import annotations

import contextlib
import os
import select
import termios
import threading
import time
import tty
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

from tinyprof.capture.index import ImageIndex
from tinyprof.capture.reader import CaptureReader
from tinyprof.errors import TinyprofError
from tinyprof.record.noise import Noise, NoisyLine
from tinyprof.wire.frames import FrameDecoder, encode_message
from tinyprof.wire.messages import (
    SEQ_MODULO,
    Ack,
    Begin,
    EpochEnd,
    FilePart,
    Hello,
    HelloPlease,
    Mappings,
    Mark,
    Message,
    Pages,
    RepeatPlease,
    Status,
    Trace,
)
from tinyprof.wire.ports.opening import DescriptorLink
from tinyprof.wire.sequence import Frame

RECORDED = Path(str(resources.files("tinyprof.record") / "board.tpcap"))
"""A recorded boot of the reference board: the target that `sim:` plays."""

WINDOW = 32
"""Frames that the target keeps for repetition."""
REPEAT_SECONDS = 0.5
"""Seconds without an acknowledgement, after which the oldest frame is sent again."""
HEAR_SECONDS = 1.5
"""Seconds that the target waits for a host after its first message: it is faster than a UART."""

LINGER_SECONDS = 5.0
"""Seconds that a target that has said everything waits for acknowledgements."""

READ = 4096
"""Bytes of one read."""
QUIET = Noise(0, 0, 0)
"""A line without noise."""


class SimError(TinyprofError):
    """A capture that cannot be played."""


@dataclass(slots=True)
class _Kept:
    message: Message
    sent: int = 0
    has_come: bool = False


class Sender:
    """The agent's side of the protocol (docs/wire-format.md, "Repetition"). It returns the bytes
    for a port."""

    def __init__(self, session: int) -> None:
        self._session = session
        self.begun = False
        self._seq = 0
        self._kept: dict[int, _Kept] = {}
        self._sendings = 0
        self._last_sent = 0.0

    @property
    def unacknowledged(self) -> int:
        """Frames that the host may not have. 0: nobody has asked for repetition."""
        return len(self._kept) if self.begun else 0

    @property
    def full(self) -> bool:
        return self.unacknowledged >= WINDOW

    def say(self, message: Message, now: float) -> bytes:
        """Return the frame of a new message. Not while the sender is `full`."""
        seq = self._seq
        self._seq = (seq + 1) % SEQ_MODULO
        self._kept[seq] = _Kept(message)
        if not self.begun and len(self._kept) > WINDOW:
            del self._kept[next(iter(self._kept))]
        return self._send(seq, now)

    def _send(self, seq: int, now: float) -> bytes:
        self._sendings += 1
        self._last_sent = now
        kept = self._kept[seq]
        kept.sent = self._sendings
        return encode_message(kept.message, seq, repeated=self.begun)

    def begin(self, now: float) -> bytes:
        """The host has asked for repetition: return the begin, and the oldest frame."""
        self.begun = True
        oldest = next(iter(self._kept), self._seq)
        begin = encode_message(Begin(self._session), oldest)
        return begin + (self._send(oldest, now) if self._kept else b"")

    def take(self, ack: Ack, now: float) -> bytes:
        """Return the frames to send again after an acknowledgement."""
        if not self.begun or ack.session != self._session:
            return b""
        last = 0
        for seq, kept in list(self._kept.items()):
            ahead = (seq - ack.next) % SEQ_MODULO
            before = ahead >= SEQ_MODULO // 2
            if before or (ahead and ack.beyond >> ahead - 1 & 1):
                kept.has_come = True
                last = max(last, kept.sent)
            if before:
                del self._kept[seq]
        self._last_sent = now
        lost = [seq for seq, kept in self._kept.items() if not kept.has_come and kept.sent < last]
        return b"".join(self._send(seq, now) for seq in lost)

    def overdue(self, now: float) -> bytes:
        """Return the oldest frame, if no acknowledgement came for too long."""
        if not self.unacknowledged or now - self._last_sent < REPEAT_SECONDS:
            return b""
        return self._send(next(iter(self._kept)), now)


def told(reader: CaptureReader) -> Iterator[tuple[float, Message]]:
    """Yield what the target said, and when, in seconds since the recording began."""
    for event in reader.events():
        if isinstance(event, Frame) and isinstance(
            event.message, Pages | EpochEnd | Mark | Hello | Status | FilePart | Mappings
        ):
            message = event.message
            yield (
                reader.seconds,
                replace(message, window=WINDOW) if isinstance(message, Hello) else message,
            )


class SimulatedTarget:
    """Plays a story over a pty, in a thread of its own. `speed` 0: without waiting."""

    def __init__(
        self,
        story: Iterator[tuple[float, Message]],
        *,
        speed: float = 1.0,
        noise: Noise = QUIET,
        seed: int = 0,
    ) -> None:
        self._story, self._speed = story, speed
        self._out, self._in = NoisyLine(noise, seed), NoisyLine(replace(noise, text=0), seed + 1)
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave, termios.TCSANOW)
        os.set_blocking(self._master, False)
        self._sender = Sender(1)
        self._decoder = FrameDecoder()
        self._hello: Hello | None = None
        self._unsent = bytearray()
        self._began = time.monotonic()
        self._stopped_at: float | None = None
        self._stopped = 0.0

    def link(self, name: str) -> DescriptorLink:
        """Return the host's end. The target speaks from now on."""
        link = DescriptorLink(self._slave, name, writable=True)
        threading.Thread(target=self._run, name="target", daemon=True).start()
        return link

    def _run(self) -> None:
        # A host that has had enough closes its end.
        with contextlib.suppress(OSError):
            for at, message in self._story:
                self._wait_until(at / self._speed if self._speed else 0.0)
                if isinstance(message, Hello):
                    self._hello = message
                self._put(self._sender.say(message, self._now()))
                self._hear_out()
            self._linger()
            self._let_read(self._now() + LINGER_SECONDS)
        os.close(self._master)

    def _now(self) -> float:
        return time.monotonic() - self._began

    def _wait_until(self, at: float) -> None:
        while self._sender.full or len(self._unsent) > READ or self._left(at) > 0:
            self._turn(max(0.0, min(self._left(at), REPEAT_SECONDS)) or REPEAT_SECONDS)

    def _left(self, at: float) -> float:
        """Return the seconds to a place of the story. The story does not go on while the target is
        stopped."""
        if self._stopped_at is not None:
            return REPEAT_SECONDS
        return at - (self._now() - self._stopped)

    def _hear_out(self) -> None:
        """Give the host time to answer the first message."""
        while not self._sender.begun and self._now() < HEAR_SECONDS:
            self._turn(HEAR_SECONDS)

    def _linger(self) -> None:
        """Wait until the host has everything, for as long as there is less and less to wait
        for."""
        left, deadline = WINDOW + 1, 0.0
        while self._sender.unacknowledged or self._unsent:
            if self._sender.unacknowledged < left:
                left, deadline = self._sender.unacknowledged, self._now() + LINGER_SECONDS
            if self._now() >= deadline:
                return
            self._turn(REPEAT_SECONDS)

    def _let_read(self, deadline: float) -> None:
        """Wait until the host has read everything. A pty forgets the rest when its other end
        closes."""
        while select.select([self._slave], [], [], 0)[0] and self._now() < deadline:
            self._turn(0.01)

    def _turn(self, patience: float) -> None:
        """Move bytes once, and answer the host."""
        writers = [self._master] if self._unsent else []
        readable, writable, _ = select.select([self._master], writers, [], patience)
        if writable:
            del self._unsent[: os.write(self._master, self._unsent)]
        if readable:
            for event in self._decoder.feed(self._in.through(os.read(self._master, READ))):
                if isinstance(event, Frame):
                    self._obey(event.message)
        self._put(self._sender.overdue(self._now()))

    def _obey(self, message: Message) -> None:
        now = self._now()
        if isinstance(message, RepeatPlease):
            self._put(self._sender.begin(now))
        elif isinstance(message, Ack):
            self._put(self._sender.take(message, now))
        elif isinstance(message, HelloPlease):
            self._say_hello(now)
        elif isinstance(message, Trace) and message.on == (self._stopped_at is not None):
            self._stopped += now - self._stopped_at if self._stopped_at is not None else 0.0
            self._stopped_at = None if message.on else now
            self._say_hello(now)

    def _say_hello(self, now: float) -> None:
        if self._hello and not self._sender.full:
            on = self._stopped_at is None
            volumes = tuple(replace(volume, recording=on) for volume in self._hello.volumes)
            self._put(self._sender.say(replace(self._hello, volumes=volumes), now))

    def _put(self, frames: bytes) -> None:
        if frames:
            self._unsent += self._out.through(frames)


def open_sim(
    port: str, *, speed: float = 1.0, noise: Noise = QUIET
) -> tuple[DescriptorLink, ImageIndex | None]:
    """Open a simulated target: `sim:` plays the reference board's start, `sim:FILE` a capture.
    Also returns the index that the capture carries.

    Raises TinyprofError.
    """
    name = port.removeprefix("sim:")
    path = Path(name) if name else RECORDED
    try:
        file = path.open("rb")
    except OSError as error:
        raise SimError(
            f"{path}: {error.strerror}", "sim: alone replays the reference board"
        ) from None
    reader = CaptureReader(file, str(path))
    story = told(reader)
    first = next(story, None)
    if first is None:
        raise SimError(f"{path}: no target speaks in this capture", "record one first")

    def whole() -> Iterator[tuple[float, Message]]:
        with file:
            yield 0.0, first[1]
            for at, message in story:
                yield at - first[0], message

    return SimulatedTarget(whole(), speed=speed, noise=noise).link(port), reader.index
