# SPDX-License-Identifier: MIT
"""Decides what the host says to the target, and when: commands, requests and acknowledgements.

The order of the line's frames and the time come in. Frames to be sent go out. It acknowledges
everything that the decoder has taken, so ask it only when that is in the capture. A target that
cannot hear is asked again and again, which does no harm. Whether it heard is seen from its frames.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinyprof.wire.frames import HELLO_VOLUMES, Event, encode_message
from tinyprof.wire.messages import (
    EpochEnd,
    EpochLength,
    Hello,
    HelloPlease,
    HostMessage,
    Pages,
    RepeatPlease,
    Status,
    Trace,
    joined_hello,
)
from tinyprof.wire.sequence import Frame, FrameSequence

ASK_SECONDS = 1.0
"""Seconds between two requests."""
ASK_SECONDS_MAX = 4.0
"""Seconds between two requests at most. A target that is there is asked ever more seldom: on a
slow line its answer waits behind much else."""

ASK_TIMES = 10
"""Number of tries on a silent line. After that, only a received frame triggers another. A target
is told as often to record or to stop, since not every agent knows the command."""

UNANSWERED_MS = 5000
"""Milliseconds of the target's clock. A target that can repeat, was asked to, and sends frames
once for this long afterwards does not hear the host."""

_CLOCK_MODULO = 1 << 32


@dataclass(slots=True)
class ReturnPath:
    """The host's side of one line. `epoch_ms`: the wanted length of epochs; None: as they are.
    `trace`: whether the target is to record, which an earlier recording may have stopped."""

    epoch_ms: int | None = None
    trace: bool = True
    _seq: int = 0
    _asked: int = 0
    _told: int = 0
    _asked_at: float = float("-inf")
    _acknowledged: int = 0
    _target: Hello | None = None
    _asked_ago: int = -1
    _newest_ms: int | None = None
    _unanswered_ms: int = 0
    _patience: float = ASK_SECONDS
    _reason_to_ask: bool = False
    _reopened: bool = False

    def reopened(self) -> None:
        """The line was away: ask again, since everything that was lost meanwhile must be
        repeated."""
        self._asked, self._asked_at, self._patience = 0, float("-inf"), ASK_SECONDS
        self._reopened = True
        self._asked_ago, self._newest_ms, self._unanswered_ms = -1, None, 0

    def wants(self, message: EpochLength | Trace) -> None:
        """Ask for this from now on, until the target's hellos say that it is so."""
        if isinstance(message, EpochLength):
            self.epoch_ms = message.ms
        else:
            self.trace, self._told = message.on, 0
        self._asked, self._asked_at = 0, float("-inf")

    @property
    def disobeyed(self) -> bool:
        """Whether the target goes on recording, or does not, though it was told often enough."""
        return self._target is not None and self._wrong_trace and self._told >= ASK_TIMES

    @property
    def _wrong_trace(self) -> bool:
        if self._target is None:
            # A target records by itself.
            return not self.trace
        return any(volume.recording != self.trace for volume in self._target.volumes)

    @property
    def cannot_hear(self) -> bool:
        """Whether the target repeats nothing though it can and was asked to.

        Only the target's own clock counts. A busy host reads late what the target sent before it
        could hear anything.
        """
        return self._unanswered_ms >= UNANSWERED_MS

    def due(self, now: float, events: list[Event], sequence: FrameSequence) -> bytes:
        """Return the frames to send after these events."""
        frames = [event for event in events if isinstance(event, Frame)]
        for frame in frames:
            if isinstance(frame.message, Hello):
                self._target = _joined_series(self._target, frame.message)
                if len(frame.message.volumes) < HELLO_VOLUMES and not self._wrong_trace:
                    # A series of hellos is over, and the target has obeyed.
                    self._told = 0
        begun = sequence.repeats and not sequence.astray
        self._judge(bool(frames or sequence.waiting), begun, sequence)
        self._note_unanswered(frames, begun=begun)
        return self._asking(now, begun) + self._ack(sequence)

    def _judge(self, has_frames: bool, begun: bool, sequence: FrameSequence) -> None:
        """Decide whether there is reason to ask the target for repetition."""
        if begun:
            self._reason_to_ask, self._patience = False, ASK_SECONDS
        elif sequence.astray or (has_frames and (self._target is None or self._target.window)):
            self._reason_to_ask = True

    def _note_unanswered(self, frames: list[Frame], *, begun: bool) -> None:
        """Add up for how long, by its own clock, the target did not do what it was asked to do.

        1. The read after the request may bring frames from before it. They do not count.
        2. Each read empties the line, so later frames are younger than the request.
        3. A reboot, and a target that has begun to repeat, start the count anew.
        """
        able = self._target is not None and self._target.window > 0
        if begun or not able or self._asked_ago < 0:
            self._newest_ms, self._unanswered_ms = None, 0
            return
        if not frames:
            return
        self._asked_ago += 1
        if self._asked_ago < 2:
            return
        for frame in frames:
            message = frame.message
            if frame.restarted:
                self._newest_ms, self._unanswered_ms = None, 0
            if isinstance(message, Pages | EpochEnd | Status):
                if self._newest_ms is not None:
                    passed = (message.ms - self._newest_ms) % _CLOCK_MODULO
                    self._unanswered_ms += passed if passed < _CLOCK_MODULO // 2 else 0
                self._newest_ms = message.ms

    def _asking(self, now: float, begun: bool) -> bytes:
        if now - self._asked_at < self._patience:
            return b""
        silent = self._target is None
        wrong_epochs = self.epoch_ms is not None and (
            self._target is None or self._target.epoch_ms != self.epoch_ms
        )
        reason = self._reason_to_ask or self._reopened
        wrong = wrong_epochs or (self._wrong_trace and self._told < ASK_TIMES)
        if not (reason or (self._asked < ASK_TIMES if silent else wrong)):
            return b""
        wanted: list[HostMessage] = [HelloPlease()]
        if not begun and self._asked_ago < 0:
            self._asked_ago = 0
        if self._reopened or not begun:
            # A target that has begun is not asked: it would send all of its window again.
            wanted.insert(0, RepeatPlease())
        if wrong_epochs and self.epoch_ms is not None:
            wanted.insert(0, EpochLength(self.epoch_ms))
        if self._wrong_trace:
            wanted.insert(0, Trace(self.trace))
            self._told += 1
        self._asked_at, self._reason_to_ask, self._reopened = now, False, False
        self._asked += 1
        if self._target and not begun:
            self._patience = min(2 * self._patience, ASK_SECONDS_MAX)
        return b"".join(map(self.say, wanted))

    def _ack(self, sequence: FrameSequence) -> bytes:
        ack = sequence.ack()
        if ack is None or sequence.received == self._acknowledged:
            return b""
        self._acknowledged = sequence.received
        return self.say(ack)

    def say(self, message: HostMessage) -> bytes:
        """Return the frame of one message."""
        frame = encode_message(message, self._seq)
        self._seq += 1
        return frame


def _joined_series(before: Hello | None, now: Hello) -> Hello:
    """Join a hello to its series. In a series each hello names the volumes behind those of the one
    before.

    A volume that only an earlier series named may be gone, and cannot obey.
    """
    full = before is not None and len(before.volumes) % HELLO_VOLUMES == 0
    if before and full and before.volumes and now.volumes:
        goes_on = before.volumes[-1].index < now.volumes[0].index
        return joined_hello(before, now) if goes_on else now
    return now
