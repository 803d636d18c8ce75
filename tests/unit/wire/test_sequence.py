# SPDX-License-Identifier: MIT
"""The order of frames: each once, in the order of their sending, and what is missing known."""

from __future__ import annotations

import random

from tinyprof.wire.messages import NO_BOOT, Ack, Begin, Hello, Message, Status
from tinyprof.wire.sequence import EARLY, OVERHEARD, Frame, FrameOrder

SEED = 20261124
HELLO = Hello(1, "0.1.0", "6.1.192", "armv7l", 4096, NO_BOOT, 1000, 1, (), window=32)


def said(n: int) -> Message:
    return Status(n, 0, 0, 0)


def numbers(frames: list[Frame]) -> list[int]:
    return [frame.seq for frame in frames]


def begun(at: int = 0) -> FrameOrder:
    order = FrameOrder()
    assert order.take(at, Begin(7), repeated=False) == []
    return order


def test_repeated_frames_wait_for_the_one_that_is_missing() -> None:
    order = begun()
    assert numbers(order.take(0, said(0), repeated=True)) == [0]
    assert order.take(2, said(2), repeated=True) == []
    assert order.take(3, said(3), repeated=True) == []
    assert order.ack() == Ack(7, 1, 0b11)
    frames = order.take(1, said(1), repeated=True)
    assert numbers(frames) == [1, 2, 3]
    assert [frame.lost for frame in frames] == [0, 0, 0]
    assert order.ack() == Ack(7, 4, 0)


def test_a_frame_that_comes_again_counts_once() -> None:
    order = begun()
    order.take(0, said(0), repeated=True)
    order.take(2, said(2), repeated=True)
    assert order.take(0, said(0), repeated=True) == []
    assert order.take(2, said(2), repeated=True) == []
    assert (order.duplicates, order.heard) == (2, 5)


def test_numbers_go_on_beyond_their_end() -> None:
    order = begun(65_534)
    frames: list[Frame] = []
    for seq in (65_535, 1, 65_534, 0):
        frames += order.take(seq, said(seq), repeated=True)
    assert numbers(frames) == [65_534, 65_535, 0, 1]
    assert not any(frame.lost for frame in frames)


def test_repeated_frames_without_their_beginning_are_kept_and_asked_for() -> None:
    order = FrameOrder()
    assert order.take(40, said(40), repeated=True) == []
    assert order.astray
    assert order.ack() is None
    assert order.take(39, Begin(7), repeated=False) == []
    assert not order.astray
    assert numbers(order.take(39, said(39), repeated=True)) == [39, 40]


def test_who_overhears_repeated_frames_gets_each_once_and_knows_what_is_missing() -> None:
    order, got = FrameOrder(), list[Frame]()
    missing = {100, 101, 350}
    for seq in range(30, 1000):
        got += order.take(seq, said(seq), repeated=True) if seq not in missing else []
        # As a sender does that has heard no acknowledgement for a while.
        got += order.take(seq - 20, said(seq - 20), repeated=True) if seq % 90 == 89 else []
    got += order.flush()
    assert numbers(got) == [seq for seq in range(30, 1000) if seq not in missing]
    assert [(frame.seq, frame.lost) for frame in got if frame.lost] == [(102, 2), (351, 1)]
    assert (order.astray, order.ack()) == (True, None)


def test_what_was_sent_once_is_not_lost_if_repetition_begins_with_it() -> None:
    order = FrameOrder()
    frames = order.take(0, HELLO, repeated=False)
    assert order.take(2, said(2), repeated=False) == []
    order.take(0, Begin(7), repeated=False)
    frames += order.take(0, HELLO, repeated=True)
    frames += order.take(1, said(1), repeated=True)
    assert numbers(frames) == [0, 1, 2]
    assert not any(frame.lost for frame in frames)


def test_what_a_target_never_repeats_is_a_loss_at_last() -> None:
    order = FrameOrder()
    frames = order.take(0, HELLO, repeated=False)
    for seq in range(2, EARLY + 3):
        frames += order.take(seq, said(seq), repeated=False)
    assert numbers(frames) == [0, *range(2, EARLY + 3)]
    assert sum(frame.lost for frame in frames) == 1


def test_another_session_is_a_sender_that_was_started_anew() -> None:
    order = begun()
    order.take(0, said(0), repeated=True)
    order.take(2, said(2), repeated=True)
    # What was held is no longer waited for.
    frames = order.take(1, Begin(8), repeated=False)
    assert [(frame.seq, frame.lost) for frame in frames] == [(2, 1)]
    (again,) = order.take(1, said(1), repeated=True)
    assert (again.lost, again.restarted) == (1, True)


def test_a_frame_that_is_sent_once_ends_a_session() -> None:
    order = begun(500)
    order.take(500, said(0), repeated=True)
    (hello,) = order.take(0, HELLO, repeated=False)
    assert hello.restarted
    assert not order.repeats


def test_nothing_makes_it_hold_more_than_a_window() -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    order = FrameOrder()
    for _ in range(50_000):
        message = rng.choice([said(0), HELLO, None, Begin(rng.randrange(3))])
        order.take(rng.randrange(65_536), message, repeated=rng.random() < 0.8)
        assert order.waiting <= OVERHEARD
        ack = order.ack()
        assert ack is None or ack.beyond < 1 << 32
    order.flush()
    assert order.waiting == 0


def test_whatever_the_line_does_each_frame_comes_once_and_in_order() -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    order, sent = begun(), 0
    unacknowledged: dict[int, Message] = {}
    got: list[int] = []
    while len(got) < 100_000:
        while len(unacknowledged) < 32:
            unacknowledged[sent % 65_536] = said(sent)
            sent += 1
        for seq, message in list(unacknowledged.items()):
            if rng.random() < 0.7:
                frames = order.take(seq, message, repeated=True)
                got += [frame.message.ms for frame in frames if isinstance(frame.message, Status)]
        ack = order.ack()
        assert ack
        for seq in list(unacknowledged):
            ahead = (seq - ack.next) % 65_536
            if ahead >= 32_768 or (ahead and ack.beyond >> ahead - 1 & 1):
                del unacknowledged[seq]
    assert got == list(range(len(got)))
