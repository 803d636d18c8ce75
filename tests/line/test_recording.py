# SPDX-License-Identifier: MIT
"""The real agent over a pty: every queued record arrives, in order, and the epoch ends add up."""

from __future__ import annotations

import platform
import random
from functools import partial

from line.kernel import BOOT_ID, Record, Volume
from line.target import Line, Target, adds_up
from tinyprof.pages import Kind
from tinyprof.wire.messages import EpochEnd, Hello, Rearm, Status
from tinyprof.wire.sequence import Frame

SEED = 20261124
BURST = 65_536


def has_records(line: Line, count: int) -> bool:
    return len(line.records) >= count


def as_tuples(records: list[Record]) -> list[tuple[int, int, int, Kind]]:
    return [(r.volume, r.epoch, r.page_id, r.kind) for r in records]


def touches(rng: random.Random, count: int) -> list[tuple[int, Kind]]:
    return [(rng.randrange(1 << 27), Kind(rng.randrange(4))) for _ in range(count)]


def test_a_hello_comes_first_and_says_who_is_there(target: Target, line: Line) -> None:
    target.tracer.mount(0, Volume(0xE7D3B8E0, recording=True))
    target.tracer.appear()
    target.start(TINYPROF_EPOCH="250")
    line.until(lambda: bool(line.messages))
    (hello,) = line.of(Hello)
    assert line.messages[0] == hello
    assert (hello.protocol, hello.page_size, hello.epoch_ms, hello.tracer) == (1, 4096, 250, 1)
    assert (hello.kernel, hello.arch) == (platform.release()[:31], platform.machine())
    assert hello.boot_id == BOOT_ID
    (volume,) = hello.volumes
    assert (volume.index, volume.fsid.crc, volume.name, volume.recording) == (
        0,
        0xE7D3B8E0,
        "volume 0",
        True,
    )


def test_records_of_all_kinds_arrive_in_order(target: Target, line: Line) -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    target.tracer.mount(0, Volume(1, recording=True))
    target.tracer.appear()
    target.start()
    for count in (1, 15, 16, 17, 200, 1020, 1021, 5000):
        before = sum(target.tracer.volumes[0].counts)
        target.tracer.touch(0, *touches(rng, count))
        wanted = sum(target.tracer.volumes[0].counts)
        assert wanted > before
        line.until(partial(has_records, line, wanted))
    assert line.records == as_tuples(target.tracer.taken)


def test_a_burst_of_a_whole_volume_arrives_and_adds_up(target: Target, line: Line) -> None:
    print(f"seed {SEED}")
    pages = random.Random(SEED).sample(range(1 << 27), BURST)
    target.tracer.mount(0, Volume(1, recording=True))
    target.tracer.touch(0, *((page, Kind.EXEC) for page in pages))
    target.tracer.appear()
    target.start()
    line.say(Rearm())
    line.until(lambda: bool(line.of(EpochEnd)))
    assert line.records == [(0, 1, page, Kind.EXEC) for page in pages]
    assert line.of(EpochEnd)[0].records == (BURST, 0, 0, 0)


def test_many_epochs_add_up_while_pages_are_touched(target: Target, line: Line) -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    target.tracer.mount(0, Volume(1, recording=True))
    target.tracer.mount(1, Volume(2, recording=True))
    target.tracer.appear()
    target.start(TINYPROF_EPOCH="30")
    while len(line.of(EpochEnd)) < 20:
        target.tracer.touch(rng.randrange(2), *touches(rng, 300))
        line.take(1.0)
    target.tracer.until(lambda: not any(volume.queue for volume in target.tracer.volumes.values()))
    line.until(lambda: len(line.records) == len(target.tracer.taken))
    assert line.records == as_tuples(target.tracer.taken)
    assert adds_up(line)
    for volume in (0, 1):
        ends = [end.epoch for end in line.of(EpochEnd) if end.volume == volume]
        assert ends == list(range(1, len(ends) + 1))


def test_frames_are_numbered_without_a_gap(target: Target, line: Line) -> None:
    target.tracer.mount(0, Volume(1, recording=True))
    target.tracer.appear()
    target.start(TINYPROF_EPOCH="5")
    line.until(lambda: len(line.of(EpochEnd)) >= 100)
    assert [event.seq for event in line.events if isinstance(event, Frame)] == list(
        range(len(line.events))
    )


def test_status_counts_what_was_not_traced(target: Target, line: Line) -> None:
    target.tracer.mount(0, Volume(1, recording=True, untraced=3))
    target.tracer.mount(5, Volume(2, recording=True, untraced=4))
    target.tracer.appear()
    target.start()
    line.until(lambda: bool(line.of(Status)))
    status = line.of(Status)[0]
    assert (status.queued, status.untraced, status.write_errors) == (0, 7, 0)


def test_a_stalled_host_stretches_the_epoch_and_loses_nothing(target: Target, line: Line) -> None:
    print(f"seed {SEED}")
    pages = random.Random(SEED).sample(range(1 << 27), BURST)
    target.tracer.mount(0, Volume(1, recording=True))
    target.tracer.touch(0, *((page, Kind.READ) for page in pages))
    target.tracer.appear()
    target.start(TINYPROF_EPOCH="20")
    line.until_full()
    # The agent is stuck, and the kernel's queue takes what comes later.
    target.tracer.touch(0, *((page, Kind.EXEC) for page in pages[:10_000]))
    assert not target.tracer.ended
    line.until(lambda: bool(line.of(EpochEnd)))
    assert line.of(EpochEnd)[0].records == (10_000, BURST, 0, 0)
    assert adds_up(line)
    assert line.records == as_tuples(target.tracer.taken)
