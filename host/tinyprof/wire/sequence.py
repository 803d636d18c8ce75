# SPDX-License-Identifier: MIT
"""The order of a target's frames: what is missing, what came twice, where the target started
again.

Numbered messages come in as the line brought them; frames go out in the order in which they were
sent, each once. Frames that are repeated wait here for the one that is missing before them, at
most OVERHEARD, and so do the first of a target that can repeat. What is sent once is handed on at
once, and a gap before it is a loss. The bytes of a line alone decide all of it, so a capture is
put into the same order as the line was.
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
"""Frames that are held back; a target keeps 32 for repetition."""

ACK_BITS = 32

EARLY = 64
EARLY_MS = 2000
"""So many frames, and for so long by its clock, a target may send before it hears the host, and
still repeat them. A hello, which tells no time, counts as HELLO_FRAMES."""

HELLO_FRAMES = 16

OVERHEARD = EARLY + WINDOW_MAX
"""More frames than a target can have sent that has begun to repeat and not been answered since."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One good frame; `lost` frames of the sender are missing immediately before it.

    `restarted`: the sender has begun to number its frames again, as it does when the target
    reboots.
    """

    seq: int
    lost: int
    message: Message
    restarted: bool = False


def _signed(distance: int) -> int:
    """The shorter way from one number to another: below 0 where that leads back."""
    half = SEQ_MODULO // 2
    return (distance + half) % SEQ_MODULO - half


class FrameSequence:
    """The numbers of one line.

    `received` counts the repeated frames that came, each time, and `duplicates` those that were
    here already. `astray`: repeated frames came, and the frame that says from where on they count
    did not.
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
        """Whether the sender repeats what is not acknowledged."""
        return self._session is not None

    @property
    def may_repeat(self) -> bool:
        """Whether the sender does so, or says that it can and will as soon as it hears the
        host."""
        return self.repeats or (self._can_repeat is True and self._may_repeat)

    @property
    def _may_repeat(self) -> bool:
        return self._can_repeat is not False and self._once <= EARLY

    @property
    def waiting(self) -> int:
        """Frames that are held back because one before them is missing."""
        return len(self._held)

    def whereabouts(self) -> tuple[Hello | None, Begin | None, int]:
        """What one who reads on from here must know: the target, its session, and the next frame's
        number."""
        begin = None if self._session is None else Begin(self._session)
        return self._hello, begin, self._expected or 0

    def ack(self) -> Ack | None:
        """What has come, for the sender to know; None while it does not repeat."""
        if self._session is None or self._expected is None:
            return None
        ahead = ((seq - self._expected) % SEQ_MODULO - 1 for seq in self._held)
        return Ack(self._session, self._expected, sum(1 << bit for bit in ahead if bit < ACK_BITS))

    def take(self, seq: int, message: Message | None, *, repeated: bool) -> list[Frame]:
        """A frame came, whose message is None if it makes no sense: the frames that are now in
        order."""
        if (
            seq == self._expected
            and not self._held
            and repeated == self.repeats
            and not isinstance(message, Begin | Hello)
        ):
            # Nearly every frame: nothing is missing, nothing waits, nothing changes.
            if repeated:
                self.received += 1
            else:
                self._grow_old(message)
            return self._hand_on(seq, message)
        if isinstance(message, Begin):
            return self._begin(seq, message)
        return self._take_repeated(seq, message) if repeated else self._take_once(seq, message)

    def same_again(self) -> None:
        """The frame that came last came once more."""
        self.duplicates += 1
        self.received += 1

    def flush(self) -> list[Frame]:
        """Nothing more will come: the frames that were held back, with what is missing before
        each."""
        if self._expected is None and self._held:
            one = next(iter(self._held))
            self._expected = min(self._held, key=lambda seq: _signed(seq - one))
        return self._give_up_before(None)

    def _give_up_before(self, end: int | None) -> list[Frame]:
        """Hand on what is held, of the frames before `end` if that is given: what is missing stays
        so."""
        frames = []
        limit = SEQ_MODULO if end is None else self._distance(end)
        for seq in sorted(self._held, key=self._distance):
            ahead = self._distance(seq)
            if ahead >= limit:
                break
            # What was sent before the first frame that came is not missing here.
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
            # A sender that repeats does so for as long as it runs.
            frames = self._start_again(seq)
            gap = 0
        self._grow_old(message)
        if gap and self._may_repeat and gap <= WINDOW_MAX:
            self._held[seq] = message
            return []
        frames += self._give_up_before(seq)
        return frames + self._hand_on(seq, message) + self._hand_on_held()

    def _grow_old(self, message: Message | None) -> None:
        """Count towards the end of the time in which what was sent once may still be repeated."""
        if self._once > EARLY:
            return
        self._once += HELLO_FRAMES if isinstance(message, Hello) else 1
        if isinstance(message, Pages | EpochEnd | Status):
            self._since = message.ms if self._since is None else self._since
            if (message.ms - self._since) % (1 << 32) > EARLY_MS:
                self._once = EARLY + 1

    def _start_again(self, first: int) -> list[Frame]:
        """The sender was started anew, and has sent so many frames as its number says."""
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
        # Else it begins with frames that were sent before, of which some have come.
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
            # Another host is answered: nobody says here from where on they count, nor repeats what
            # lacks.
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
        """The frame that was expected."""
        self._expected, self._any = (seq + 1) % SEQ_MODULO, True
        if message is None:
            return []
        if isinstance(message, Hello):
            self._hello = joined_hello(self._hello, message)
        lost, self._lost = self._lost, 0
        restarted, self._restarted = self._restarted, False
        return [Frame(seq, lost, message, restarted)]
