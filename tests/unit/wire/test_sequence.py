# SPDX-License-Identifier: MIT
"""Each frame comes out once and in its place, and every gap is known."""

from __future__ import annotations

import random

from tinyprof.wire.messages import NO_BOOT, Ack, Begin, Hello, Message, Status
from tinyprof.wire.sequence import EARLY, OVERHEARD, Frame, FrameSequence

SEED = 20261124
HELLO = Hello(1, "0.1.0", "6.1.192", "armv7l", 4096, NO_BOOT, 1000, 1, (), window=32)


def said(n: int) -> Message:
    return Status(n, 0, 0, 0)


def numbers(frames: list[Frame]) -> list[int]:
    return [frame.seq for frame in frames]


def begun(at: int = 0) -> FrameSequence:
    sequence = FrameSequence()
    assert sequence.take(at, Begin(7), repeated=False) == []
    return sequence


def test_repeated_frames_wait_for_the_one_that_is_missing() -> None:
    sequence = begun()
    assert numbers(sequence.take(0, said(0), repeated=True)) == [0]
    assert sequence.take(2, said(2), repeated=True) == []
    assert sequence.take(3, said(3), repeated=True) == []
    assert sequence.ack() == Ack(7, 1, 0b11)
    frames = sequence.take(1, said(1), repeated=True)
    assert numbers(frames) == [1, 2, 3]
    assert [frame.lost for frame in frames] == [0, 0, 0]
    assert sequence.ack() == Ack(7, 4, 0)


def test_a_frame_that_comes_again_counts_once() -> None:
    sequence = begun()
    sequence.take(0, said(0), repeated=True)
    sequence.take(2, said(2), repeated=True)
    assert sequence.take(0, said(0), repeated=True) == []
    assert sequence.take(2, said(2), repeated=True) == []
    assert (sequence.duplicates, sequence.received) == (2, 5)


def test_numbers_go_on_beyond_their_end() -> None:
    sequence = begun(65_534)
    frames: list[Frame] = []
    for seq in (65_535, 1, 65_534, 0):
        frames += sequence.take(seq, said(seq), repeated=True)
    assert numbers(frames) == [65_534, 65_535, 0, 1]
    assert not any(frame.lost for frame in frames)


def test_repeated_frames_without_their_beginning_are_kept_and_asked_for() -> None:
    sequence = FrameSequence()
    assert sequence.take(40, said(40), repeated=True) == []
    assert sequence.astray
    assert sequence.ack() is None
    assert sequence.take(39, Begin(7), repeated=False) == []
    assert not sequence.astray
    assert numbers(sequence.take(39, said(39), repeated=True)) == [39, 40]


def test_who_overhears_repeated_frames_gets_each_once_and_knows_what_is_missing() -> None:
    sequence, got = FrameSequence(), list[Frame]()
    missing = {100, 101, 350}
    for seq in range(30, 1000):
        got += sequence.take(seq, said(seq), repeated=True) if seq not in missing else []
        # As a sender does that has heard no acknowledgement for a while.
        got += sequence.take(seq - 20, said(seq - 20), repeated=True) if seq % 90 == 89 else []
    got += sequence.flush()
    assert numbers(got) == [seq for seq in range(30, 1000) if seq not in missing]
    assert [(frame.seq, frame.lost) for frame in got if frame.lost] == [(102, 2), (351, 1)]
    assert (sequence.astray, sequence.ack()) == (True, None)


def test_what_was_sent_once_is_not_lost_if_repetition_begins_with_it() -> None:
    sequence = FrameSequence()
    frames = sequence.take(0, HELLO, repeated=False)
    assert sequence.take(2, said(2), repeated=False) == []
    sequence.take(0, Begin(7), repeated=False)
    frames += sequence.take(0, HELLO, repeated=True)
    frames += sequence.take(1, said(1), repeated=True)
    assert numbers(frames) == [0, 1, 2]
    assert not any(frame.lost for frame in frames)


def test_what_a_target_never_repeats_is_a_loss_at_last() -> None:
    sequence = FrameSequence()
    frames = sequence.take(0, HELLO, repeated=False)
    for seq in range(2, EARLY + 3):
        frames += sequence.take(seq, said(seq), repeated=False)
    assert numbers(frames) == [0, *range(2, EARLY + 3)]
    assert sum(frame.lost for frame in frames) == 1


def test_another_session_is_a_sender_that_was_started_anew() -> None:
    sequence = begun()
    sequence.take(0, said(0), repeated=True)
    sequence.take(2, said(2), repeated=True)
    # What was held is no longer waited for.
    frames = sequence.take(1, Begin(8), repeated=False)
    assert [(frame.seq, frame.lost) for frame in frames] == [(2, 1)]
    (again,) = sequence.take(1, said(1), repeated=True)
    assert (again.lost, again.restarted) == (1, True)


def test_a_frame_that_is_sent_once_ends_a_session() -> None:
    sequence = begun(500)
    sequence.take(500, said(0), repeated=True)
    (hello,) = sequence.take(0, HELLO, repeated=False)
    assert hello.restarted
    assert not sequence.repeats


def test_nothing_makes_it_hold_more_than_a_window() -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    sequence = FrameSequence()
    for _ in range(50_000):
        message = rng.choice([said(0), HELLO, None, Begin(rng.randrange(3))])
        sequence.take(rng.randrange(65_536), message, repeated=rng.random() < 0.8)
        assert sequence.waiting <= OVERHEARD
        ack = sequence.ack()
        assert ack is None or ack.beyond < 1 << 32
    sequence.flush()
    assert sequence.waiting == 0


def test_whatever_the_line_does_each_frame_comes_once_and_in_order() -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    sequence, sent = begun(), 0
    unacknowledged: dict[int, Message] = {}
    got: list[int] = []
    while len(got) < 100_000:
        while len(unacknowledged) < 32:
            unacknowledged[sent % 65_536] = said(sent)
            sent += 1
        for seq, message in list(unacknowledged.items()):
            if rng.random() < 0.7:
                frames = sequence.take(seq, message, repeated=True)
                got += [frame.message.ms for frame in frames if isinstance(frame.message, Status)]
        ack = sequence.ack()
        assert ack
        for seq in list(unacknowledged):
            ahead = (seq - ack.next) % 65_536
            if ahead >= 32_768 or (ahead and ack.beyond >> ahead - 1 & 1):
                del unacknowledged[seq]
    assert got == list(range(len(got)))
