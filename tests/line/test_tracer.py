# SPDX-License-Identifier: MIT
"""The real agent and a tracer that is missing, of another version, or has many volumes that come
and go."""

from __future__ import annotations

import pytest

from line.kernel import INDICES, Volume
from line.target import Line, Target, adds_up
from tinyprof.pages import Kind
from tinyprof.wire.messages import EpochEnd, Hello, HelloPlease, Mark, Pages, Rearm, Status, Trace


def named(line: Line) -> dict[int, int]:
    """Which volume has which checksum, by all hellos so far."""
    return {volume.index: volume.fsid.crc for hello in line.of(Hello) for volume in hello.volumes}


def test_a_missing_tracer_is_told_and_looked_for_again(target: Target, line: Line) -> None:
    target.tracer.mount(0, Volume(7))
    target.start(TINYPROF_EPOCH="50")
    line.until(lambda: len(line.of(Hello)) >= 2)
    assert all((hello.tracer, hello.volumes) == (0, ()) for hello in line.of(Hello))
    assert len(line.messages) == len(line.of(Hello))
    target.tracer.appear()
    line.until(lambda: named(line) == {0: 7})
    target.tracer.touch(0, (5, Kind.EXEC))
    line.until(lambda: bool(line.records))
    line.until(lambda: (1, 0, 0, 0) in [end.records for end in line.of(EpochEnd)])


def test_a_tracer_that_goes_away_is_looked_for_again(target: Target, line: Line) -> None:
    target.tracer.mount(0, Volume(7, recording=True))
    target.tracer.appear()
    target.start()
    line.until(lambda: named(line) == {0: 7})
    target.tracer.disappear()
    line.until(lambda: line.of(Hello)[-1].tracer == 0)
    target.tracer.appear()
    line.until(lambda: line.of(Hello)[-1].tracer == 1)
    target.tracer.touch(0, (5, Kind.EXEC))
    line.until(lambda: bool(line.records))


def test_a_tracer_of_another_version_is_told_and_left_alone(target: Target, line: Line) -> None:
    target.tracer.abi = 2
    target.tracer.mount(0, Volume(7))
    target.tracer.appear()
    target.start()
    line.until(lambda: len(line.of(Hello)) >= 2)
    assert [(hello.tracer, hello.volumes) for hello in line.of(Hello)] == [(2, ())] * 2
    assert not target.tracer.started


def test_no_volume_is_one_hello_without_any(target: Target, line: Line) -> None:
    target.tracer.appear()
    target.start()
    line.until(lambda: bool(line.of(Status)))
    assert [(hello.tracer, hello.volumes) for hello in line.of(Hello)] == [(1, ())]


def test_processes_are_told_once_and_after_each_hello(target: Target, line: Line) -> None:
    most = [((1 << 27) - 1 - n % 2 * n, 65_535 - n) for n in range(20)]
    target.tracer.mount(0, Volume(7, processes=most))
    target.tracer.mount(1, Volume(8))
    target.tracer.appear()
    target.start(TINYPROF_EPOCH="50")
    line.until(lambda: all(len(ends_of(line, volume)) >= 2 for volume in (0, 1)))
    first, second, *_ = ends_of(line, 0)
    assert (first.processes, second.processes) == (tuple(most[:16]), tuple(most[16:]))
    line.until(lambda: ends_of(line, 0)[-1].processes == ())
    line.say(HelloPlease())
    line.until(lambda: [end.processes for end in ends_of(line, 0)].count(tuple(most[16:])) == 2)
    assert {end.processes for end in ends_of(line, 1)} == {None}


def test_processes_are_told_of_all_files_though_hellos_come_between(
    target: Target, line: Line
) -> None:
    most = [(100 + n, 2 + n) for n in range(40)]
    target.tracer.mount(0, Volume(7, processes=most))
    target.tracer.appear()
    target.start(TINYPROF_EPOCH="0")
    line.until(lambda: bool(line.of(Hello)))
    told = [end_behind_a_hello(line).processes for _ in range(4)]
    assert told == [tuple(most[:16]), tuple(most[16:32]), tuple(most[32:]), tuple(most[:16])]


def end_behind_a_hello(line: Line) -> EpochEnd:
    """As where epochs are longer than the time between two hellos."""
    hellos, ends = len(line.of(Hello)), len(ends_of(line, 0))
    line.say(HelloPlease())
    line.until(lambda: len(line.of(Hello)) > hellos)
    line.say(Rearm())
    line.until(lambda: len(ends_of(line, 0)) > ends)
    return ends_of(line, 0)[-1]


def ends_of(line: Line, volume: int) -> list[EpochEnd]:
    return [end for end in line.of(EpochEnd) if end.volume == volume]


@pytest.mark.parametrize("count", range(1, INDICES + 1))
def test_every_volume_is_started_named_once_and_re_armed(
    target: Target, line: Line, count: int
) -> None:
    indices = range(INDICES - count, INDICES)
    for index in indices:
        target.tracer.mount(index, Volume(100 + index))
    target.tracer.appear()
    target.start()
    line.until(lambda: len(named(line)) == count)
    assert target.tracer.started == list(indices)
    hellos = line.of(Hello)
    assert [len(hello.volumes) for hello in hellos] == [2] * (count // 2) + [1] * (count % 2)
    assert [volume.index for hello in hellos for volume in hello.volumes] == list(indices)
    assert all(volume.recording for hello in hellos for volume in hello.volumes)
    for index in indices:
        target.tracer.touch(index, *((page, Kind.READ) for page in range(index * 50)))
    line.say(Rearm())
    line.until(lambda: len(line.of(EpochEnd)) == count)
    assert [(end.volume, end.records[Kind.READ]) for end in line.of(EpochEnd)] == [
        (index, index * 50) for index in indices
    ]
    assert adds_up(line)


def test_a_volume_mounted_later_is_started_and_named(target: Target, line: Line) -> None:
    target.tracer.mount(0, Volume(7, recording=True))
    target.tracer.appear()
    target.start()
    line.until(lambda: named(line) == {0: 7})
    target.tracer.mount(1, Volume(8))
    line.until(lambda: named(line) == {0: 7, 1: 8})
    assert line.of(Hello)[-1].volumes[-1].recording
    target.tracer.mount(0, Volume(9))
    line.until(lambda: named(line) == {0: 9, 1: 8})
    assert target.tracer.started == [1, 0]


def test_volumes_that_record_already_are_not_started_again(target: Target, line: Line) -> None:
    target.tracer.mount(0, Volume(7, recording=True))
    target.tracer.touch(0, (5, Kind.EXEC))
    target.tracer.appear()
    target.start()
    line.say(HelloPlease(), Rearm())
    line.until(lambda: bool(line.of(EpochEnd)))
    assert line.records == [(0, 1, 5, Kind.EXEC)]
    assert not target.tracer.started


def test_a_volume_that_cannot_be_started_has_no_epochs(target: Target, line: Line) -> None:
    target.tracer.mount(0, Volume(7, startable=False))
    target.tracer.mount(1, Volume(8))
    target.tracer.appear()
    target.start()
    line.say(Rearm())
    line.until(lambda: bool(line.of(EpochEnd)))
    assert [volume.recording for volume in line.of(Hello)[0].volumes] == [False, True]
    assert [end.volume for end in line.of(EpochEnd)] == [1]
    line.until(lambda: bool(line.of(Status)))
    assert len(line.events) == len(line.messages)


def test_a_mark_is_passed_on_and_ends_the_epoch(target: Target, line: Line) -> None:
    target.tracer.mount(0, Volume(7))
    target.tracer.appear()
    target.start(TINYPROF_EPOCH="0")
    line.until(lambda: bool(line.of(Hello)))
    target.tracer.touch(0, (5, Kind.EXEC))
    line.until(lambda: bool(line.records))
    target.tracer.mark(b"boot done")
    line.until(lambda: bool(line.of(EpochEnd)))
    assert line.of(Mark) == [Mark(1, 7, "boot done")]
    order = [
        type(message) for message in line.messages if isinstance(message, Pages | Mark | EpochEnd)
    ]
    assert order == [Pages, Mark, EpochEnd]


def test_a_host_stops_the_recording_and_starts_it_again(target: Target, line: Line) -> None:
    def recording() -> list[bool]:
        return [volume.recording for hello in line.of(Hello) for volume in hello.volumes]

    target.tracer.mount(0, Volume(7, recording=True))
    target.tracer.appear()
    target.start(TINYPROF_EPOCH="0")
    line.until(lambda: recording() == [True])
    target.tracer.touch(0, (5, Kind.EXEC), (6, Kind.READ))
    line.say(Trace(False), Trace(False))
    line.until(lambda: recording() == [True, False] and len(line.of(EpochEnd)) == 1)
    target.tracer.touch(0, (7, Kind.EXEC))
    # Nor do epochs end meanwhile, or the pages would seem to be used in fewer of them.
    line.say(Rearm(), HelloPlease())
    line.until(lambda: recording() == [True, False, False])
    line.say(Trace(True))
    line.until(lambda: recording()[-1])
    target.tracer.touch(0, (8, Kind.EXEC))
    line.say(Rearm())
    line.until(lambda: len(line.of(EpochEnd)) == 2)
    assert [page_id for _, _, page_id, _ in line.records] == [5, 6, 8]
    assert target.tracer.stopped == [0]
    assert [sum(end.records) for end in line.of(EpochEnd)] == [2, 1]
    assert adds_up(line)


def test_a_volume_mounted_while_stopped_waits_for_the_start(target: Target, line: Line) -> None:
    target.tracer.appear()
    target.start()
    line.until(lambda: bool(line.of(Hello)))
    line.say(Trace(False))
    target.tracer.mount(0, Volume(7, recording=True))
    line.until(lambda: named(line) == {0: 7})
    assert not line.of(Hello)[-1].volumes[0].recording
    line.say(Trace(True))
    line.until(lambda: line.of(Hello)[-1].volumes[0].recording)


def test_what_such_a_volume_had_before_it_was_stopped_comes_with_the_end_of_its_epoch(
    target: Target, line: Line
) -> None:
    target.tracer.mount(1, Volume(8))
    target.tracer.appear()
    target.start()
    line.until(lambda: bool(line.of(Hello)))
    line.say(Trace(False))
    line.until(lambda: len(ends_of(line, 1)) == 1)
    target.tracer.mount(0, Volume(7, recording=True), (5, Kind.EXEC))
    line.until(lambda: [end.records for end in ends_of(line, 0)] == [(1, 0, 0, 0)])
    assert adds_up(line)


def test_a_start_that_is_said_again_and_again_holds_up_no_epoch(
    target: Target, line: Line
) -> None:
    target.tracer.mount(0, Volume(7, startable=False))
    target.tracer.mount(1, Volume(8))
    target.tracer.appear()
    target.start(TINYPROF_EPOCH="500")
    line.until(lambda: bool(line.of(Hello)))

    said = 0
    while not line.of(EpochEnd):
        assert said < 200
        line.say(Trace(True))
        line.take(0.05)
        said += 1
