# SPDX-License-Identifier: MIT
"""The order of a target's frames: which are missing, which came twice, and where the target
started again.

Numbered messages come in as the line brought them. Frames go out once each, in the order in which
the target sent them:

1. A frame that the target repeats waits here for the missing frames before it (at most OVERHEARD
   frames wait).
2. The first frames of a target that can repeat wait in the same way.
3. A frame that is sent once is handed on at once. A gap before it is a loss.

The bytes of a line alone decide all of this. So reading a capture gives the same order as
recording the line did.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinyprof.wire.messages import (
    SEQ_MODULO,
    Ack,
    Begin,
    EpochEnd,
    Hello,
    Message,
    Pages,
    Status,
    is_reboot,
    joined_hello,
)

WINDOW_MAX = 64
"""Frames that are held back at most. A target keeps 32 for repetition."""

ACK_BITS = 32
"""Frames beyond the first missing one that an acknowledgement can name."""

EARLY = 64
"""Frames: a target may still repeat its first EARLY frames, or those of its first EARLY_MS."""
EARLY_MS = 2000
"""Milliseconds of the target's clock."""

HELLO_FRAMES = 16
"""Frames that a hello counts as, because it tells no time."""

OVERHEARD = EARLY + WINDOW_MAX
"""Frames: a target that has begun to repeat cannot have sent more without an answer."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One good frame. `lost` frames of the sender are missing directly before it.

    `restarted`: the sender has begun to number its frames again, as it does after a reboot of the
    target.
    """

    seq: int
    lost: int
    message: Message
    restarted: bool = False


def _signed(distance: int) -> int:
    """Return the shorter way from one number to another: negative if that way leads back."""
    half = SEQ_MODULO // 2
    return (distance + half) % SEQ_MODULO - half


class FrameSequence:
    """The frame numbers of one line.

    `received`: repeated frames that came, duplicates included. `duplicates`: frames that were here
    already. `astray`: repeated frames come, but the frame that says where they begin is missing.
    """

    def __init__(self) -> None:
        self.received = 0
        self.duplicates = 0
        self.astray = False
        self._expected: int | None = None
        self._session: int | None = None
        self._hello: Hello | None = None
        self._held: dict[int, Message | None] = {}
        self._lost = 0
        self._once = 0
        self._since: int | None = None
        self._any = False
        self._can_repeat: bool | None = None
        self._restarted = False
        self._overheard = False

    @property
    def repeats(self) -> bool:
        """Whether the sender repeats every frame that is not acknowledged."""
        return self._session is not None

    @property
    def may_repeat(self) -> bool:
        """Whether the sender repeats, or can repeat and will once it hears the host."""
        return self.repeats or (self._can_repeat is True and self._may_repeat)

    @property
    def _may_repeat(self) -> bool:
        return self._can_repeat is not False and self._once <= EARLY

    @property
    def waiting(self) -> int:
        """Frames that are held back because one before them is missing."""
        return len(self._held)

    def whereabouts(self) -> tuple[Hello | None, Begin | None, int]:
        """Return what a new reader must know to read on from here: the target, its session, and
        the number of the next frame."""
        begin = None if self._session is None else Begin(self._session)
        return self._hello, begin, self._expected or 0

    def ack(self) -> Ack | None:
        """Return an acknowledgement of all frames that have come. None: the sender does not
        repeat."""
        if self._session is None or self._expected is None:
            return None
        ahead = ((seq - self._expected) % SEQ_MODULO - 1 for seq in self._held)
        return Ack(self._session, self._expected, sum(1 << bit for bit in ahead if bit < ACK_BITS))

    def take(self, seq: int, message: Message | None, *, repeated: bool) -> list[Frame]:
        """Take a frame and return the frames that are now in order. `message` None: the frame was
        malformed."""
        if (
            seq == self._expected
            and not self._held
            and repeated == self.repeats
            and not isinstance(message, Begin | Hello)
        ):
            # This is nearly every frame: nothing is missing, nothing waits, nothing changes.
            if repeated:
                self.received += 1
            else:
                self._grow_old(message)
            return self._hand_on(seq, message)
        if isinstance(message, Begin):
            return self._begin(seq, message)
        return self._take_repeated(seq, message) if repeated else self._take_once(seq, message)

    def same_again(self) -> None:
        """The last frame came once more."""
        self.duplicates += 1
        self.received += 1

    def flush(self) -> list[Frame]:
        """No more frames will come: return the frames that were held back, with the gaps between
        them."""
        if self._expected is None and self._held:
            one = next(iter(self._held))
            self._expected = min(self._held, key=lambda seq: _signed(seq - one))
        return self._give_up_before(None)

    def _give_up_before(self, end: int | None) -> list[Frame]:
        """Return the frames that are held, up to number `end` if it is given. Gaps before them
        become losses."""
        frames = []
        limit = SEQ_MODULO if end is None else self._distance(end)
        for seq in sorted(self._held, key=self._distance):
            ahead = self._distance(seq)
            if ahead >= limit:
                break
            # Frames from before the first frame that came are not counted as missing.
            self._lost += ahead if self._any else 0
            limit -= ahead + 1
            frames += self._hand_on(seq, self._held.pop(seq))
        if end is not None:
            self._lost += self._distance(end) if self._any else 0
            self._expected = end
        return frames

    def _distance(self, seq: int) -> int:
        return 0 if self._expected is None else (seq - self._expected) % SEQ_MODULO

    def _take_once(self, seq: int, message: Message | None) -> list[Frame]:
        if isinstance(message, Hello):
            self._can_repeat = message.window > 0
        if self._expected is None:
            self._expected = 0 if seq < EARLY and self._may_repeat else seq
        frames = []
        rebooted = (
            isinstance(message, Hello)
            and self._hello is not None
            and is_reboot(self._hello, message)
        )
        gap = self._distance(seq)
        if self.repeats or ((rebooted or gap >= SEQ_MODULO // 2) and gap):
            # A sender that repeats never goes back to sending once. So this is a new sender.
            frames = self._start_again(seq)
            gap = 0
        self._grow_old(message)
        if gap and self._may_repeat and gap <= WINDOW_MAX:
            self._held[seq] = message
            return []
        frames += self._give_up_before(seq)
        return frames + self._hand_on(seq, message) + self._hand_on_held()

    def _grow_old(self, message: Message | None) -> None:
        """Count towards the end of the time in which a frame that was sent once may still be
        repeated."""
        if self._once > EARLY:
            return
        self._once += HELLO_FRAMES if isinstance(message, Hello) else 1
        if isinstance(message, Pages | EpochEnd | Status):
            self._since = message.ms if self._since is None else self._since
            if (message.ms - self._since) % (1 << 32) > EARLY_MS:
                self._once = EARLY + 1

    def _start_again(self, first: int) -> list[Frame]:
        """The sender was started again. `first` is its number now, so that many frames of it are
        lost."""
        frames = self.flush()
        self._session, self._lost, self._restarted, self.astray = None, first, True, False
        self._overheard = False
        self._expected, self._once, self._since, self._can_repeat = first, 0, None, None
        return frames

    def _begin(self, seq: int, begin: Begin) -> list[Frame]:
        self.received += 1
        self.astray = self._overheard = False
        if begin.session == self._session:
            return []
        ahead = _signed(self._distance(seq))
        frames = []
        if self.repeats or ahead < -WINDOW_MAX:
            frames = self._start_again(seq)
        elif self._expected is None:
            self._expected = seq
        elif ahead > 0:
            frames = self._give_up_before(seq)
        # Else the session begins with frames that were sent before. Some of them have come
        # already.
        self._session = begin.session
        self._held = {
            held: message for held, message in self._held.items() if self._is_ahead(held)
        }
        return frames + self._hand_on_held()

    def _is_ahead(self, seq: int) -> bool:
        return self._distance(seq) <= WINDOW_MAX

    def _take_repeated(self, seq: int, message: Message | None) -> list[Frame]:
        self.received += 1
        frames: list[Frame] = []
        if not self.repeats and len(self._held) >= OVERHEARD and seq not in self._held:
            # The target answers another host. Nobody says here where the session begins, and no
            # gap will be filled.
            frames, self._overheard = self.flush(), True
        ahead = self._distance(seq)
        in_order = self.repeats or self._overheard
        if in_order and ahead >= SEQ_MODULO // 2:
            self.duplicates += 1
        elif in_order and not ahead:
            frames += self._hand_on(seq, message) + self._hand_on_held()
        elif seq in self._held:
            self.duplicates += 1
        elif not self.repeats or (len(self._held) < WINDOW_MAX and ahead <= WINDOW_MAX):
            self._held[seq] = message
            self.astray = not self.repeats
        else:
            self.astray = True
        return frames

    def _hand_on_held(self) -> list[Frame]:
        frames = []
        while self._expected in self._held:
            seq = self._expected
            frames += self._hand_on(seq, self._held.pop(seq))
        return frames

    def _hand_on(self, seq: int, message: Message | None) -> list[Frame]:
        """Hand on the frame that was expected."""
        self._expected, self._any = (seq + 1) % SEQ_MODULO, True
        if message is None:
            return []
        if isinstance(message, Hello):
            self._hello = joined_hello(self._hello, message)
        lost, self._lost = self._lost, 0
        restarted, self._restarted = self._restarted, False
        return [Frame(seq, lost, message, restarted)]
