# SPDX-License-Identifier: MIT
"""The host asks a target for repetition until it has begun, and again when the line was away."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tinyprof.record.return_path import ReturnPath
from tinyprof.wire.frames import FrameDecoder, encode_message
from tinyprof.wire.messages import (
    Begin,
    EpochLength,
    Hello,
    HelloPlease,
    Message,
    Pages,
    RepeatPlease,
    Status,
    Trace,
)
from tinyprof.wire.sequence import Frame


class Host:
    """A return path and what it reads; `hears` gives the messages that it says then."""

    def __init__(self, epoch_ms: int | None = None) -> None:
        self.path, self._decoder = ReturnPath(epoch_ms), FrameDecoder()

    def hears(self, now: float, *frames: bytes) -> list[type[Message]]:
        events = self._decoder.feed(b"".join(frames))
        said = FrameDecoder().feed(self.path.due(now, events, self._decoder.sequence))
        return [type(event.message) for event in said if isinstance(event, Frame)]


@pytest.fixture
def able(hello: Hello) -> Hello:
    """A hello of a target that can repeat."""
    return replace(hello, window=32)


def pages(seq: int, *, repeated: bool) -> bytes:
    return encode_message(Pages(0, 1, 0, (1,), bytes(1)), seq, repeated=repeated)


def test_a_target_that_begins_while_the_line_still_carries_the_old_is_asked_once(
    able: Hello,
) -> None:
    host = Host()
    assert RepeatPlease in host.hears(0.0, encode_message(able, 0))
    # Sent before the target heard the host, and reason enough to ask again in a second.
    assert host.hears(0.5, pages(1, repeated=False)) == []
    host.hears(0.9, encode_message(Begin(7), 2), pages(2, repeated=True))
    assert RepeatPlease not in host.hears(1.5, pages(3, repeated=True))


def test_a_target_that_repeats_is_asked_for_its_epochs_alone(able: Hello) -> None:
    host = Host(epoch_ms=250)
    host.hears(0.0, encode_message(able, 0))
    host.hears(0.1, encode_message(Begin(7), 1))
    assert host.hears(1.5) == [EpochLength, HelloPlease]


def test_a_target_that_goes_on_sending_once_is_asked_again_a_moment_later(able: Hello) -> None:
    host = Host()
    host.hears(0.0, encode_message(able, 0))
    assert RepeatPlease not in host.hears(1.9, pages(1, repeated=False))
    assert RepeatPlease in host.hears(2.0, pages(2, repeated=False))


def test_a_target_whose_answer_takes_long_is_asked_ever_more_seldom(able: Hello) -> None:
    host = Host()
    host.hears(0.0, encode_message(able, 0))
    asked = [
        tick / 4
        for tick in range(1, 80)
        if RepeatPlease in host.hears(tick / 4, pages(tick, repeated=False))
    ]
    assert asked == [2.0, 6.0, 10.0, 14.0, 18.0]


def test_a_line_that_was_away_is_asked_at_once_though_the_target_repeats(able: Hello) -> None:
    host = Host()
    host.hears(0.0, encode_message(able, 0), encode_message(Begin(7), 1))
    host.path.reopened()
    assert RepeatPlease in host.hears(0.1)
    assert RepeatPlease not in host.hears(1.5, pages(1, repeated=True))


def of_volumes(hello: Hello, *recording: tuple[int, bool]) -> Hello:
    """A hello that names these volumes, each recording or not."""
    (volume,) = hello.volumes
    return replace(
        hello, volumes=tuple(replace(volume, index=i, recording=on) for i, on in recording)
    )


def test_a_target_is_told_to_stop_whichever_of_its_hellos_names_what_it_records(
    able: Hello,
) -> None:
    first, last = of_volumes(able, (0, True), (1, True)), of_volumes(able, (2, False))
    host = Host()
    host.hears(0.0, encode_message(first, 0), encode_message(last, 1), encode_message(Begin(7), 2))
    host.path.wants(Trace(False))
    assert Trace in host.hears(0.1)


def test_a_volume_that_is_gone_need_not_stop(able: Hello) -> None:
    both, one = of_volumes(able, (0, False), (1, True)), of_volumes(able, (0, False))
    host = Host()
    host.hears(0.0, encode_message(both, 0), encode_message(one, 1), encode_message(Begin(7), 2))
    host.path.wants(Trace(False))
    assert Trace not in host.hears(0.1)


def recording(hello: Hello, on: bool) -> Hello:
    return replace(hello, volumes=tuple(replace(volume, recording=on) for volume in hello.volumes))


def test_a_target_that_an_earlier_recording_stopped_is_started(able: Hello) -> None:
    host = Host()
    assert Trace not in host.hears(0.0)
    assert Trace in host.hears(1.5, encode_message(recording(able, on=False), 0))
    assert Trace not in host.hears(9.0, encode_message(recording(able, on=True), 1))


def test_a_target_that_boots_again_and_again_is_stopped_each_time(able: Hello) -> None:
    host = Host()
    host.path.wants(Trace(on=False))
    for boot in range(30):
        assert Trace in host.hears(20.0 * boot, encode_message(recording(able, on=True), 2 * boot))
        assert not host.path.disobeyed
        host.hears(20.0 * boot + 10, encode_message(recording(able, on=False), 2 * boot + 1))


def said_once(target: Host, reads: list[tuple[float, list[int]]], first: int = 1) -> bool:
    """Whether a target that sends these (at what time of the host, its own milliseconds) is taken
    for one that does not hear."""
    seq = first
    for now, times in reads:
        frames = []
        for ms in times:
            frames.append(encode_message(Status(ms, 0, 0, 0), seq))
            seq += 1
        target.hears(now, *frames)
    return target.path.cannot_hear


def test_a_busy_host_does_not_take_a_target_for_one_that_does_not_hear(able: Hello) -> None:
    host = Host()
    host.hears(0.0, encode_message(able, 0))
    # Twenty seconds in which the host fetched nothing, and all of what was sent meanwhile.
    assert not said_once(host, [(20.0, list(range(0, 20_000, 1000)))])
    host.hears(20.1, encode_message(Begin(7), 21))
    assert not host.path.cannot_hear


def test_a_target_that_sends_once_for_seconds_of_its_own_clock_does_not_hear(able: Hello) -> None:
    host = Host()
    host.hears(0.0, encode_message(able, 0))
    seconds = range(1, 20)
    assert said_once(host, [(float(second), [1000 * second]) for second in seconds])


def test_a_slow_host_counts_the_targets_seconds_and_not_its_own(able: Hello) -> None:
    host = Host()
    host.hears(0.0, encode_message(able, 0))
    assert not said_once(host, [(10.0 * turn, [100 * turn]) for turn in range(1, 20)])
