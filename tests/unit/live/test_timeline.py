# SPDX-License-Identifier: MIT
"""The timeline has a column for each epoch, with classes, new pages, losses and phases, and does
not grow for ever."""

from __future__ import annotations

from dataclasses import replace

from tinyprof.capture.index import ImageIndex
from tinyprof.heat.boots import Boot
from tinyprof.live.timeline import COLUMNS_MAX, TimedBoot, TimelineBuilder, TimeMark
from tinyprof.wire.messages import EpochEnd, Hello, Mark, Message, Pages
from tinyprof.wire.sequence import Frame


def take(boot: Boot, messages: list[Message]) -> None:
    for seq, message in enumerate(messages):
        boot.take(Frame(seq, 0, message, False))


def epoch(number: int, pages: tuple[int, ...], missing: int = 0) -> list[Message]:
    return [
        Pages(0, number, number * 1000, pages, bytes(len(pages))),
        EpochEnd(0, number, number * 1000, (len(pages) + missing, 0, 0, 0)),
    ]


def test_each_epoch_has_its_pages_by_class_and_its_losses(hello: Hello) -> None:
    line = TimelineBuilder()
    boot = TimedBoot(line)
    take(boot, [hello])
    take(boot, epoch(1, (1, 2, 3, 9)))
    for number in range(2, 9):
        take(boot, epoch(number, (1, 2, 3) if number % 3 else (1, 2, 3, 4), number == 5))
    found = line.timeline()
    assert [it.until for it in found.columns] == list(range(1, 9))
    assert [it.used for it in found.columns] == [4, 3, 4, 3, 3, 4, 3, 3]
    assert [it.fresh for it in found.columns] == [4, 0, 1, 0, 0, 0, 0, 0]
    assert [it.once for it in found.columns] == [1, 0, 0, 0, 0, 0, 0, 0]
    assert [it.lost for it in found.columns] == [0, 0, 0, 0, 1, 0, 0, 0]
    assert found.columns[7].hot == 3


def test_marks_and_the_steady_state_stand_where_they_begin(hello: Hello) -> None:
    line = TimelineBuilder()
    boot = TimedBoot(line)
    take(boot, [hello, *epoch(1, (1, 2)), *epoch(2, (1, 2)), *epoch(3, (1, 2))])
    assert line.timeline().marks == (TimeMark(3, "steady state"),)
    take(boot, [Mark(0, 3500, "video"), *epoch(4, (1, 2)), *epoch(5, (1, 2))])
    assert line.timeline().marks[-1] == TimeMark(4, "video")


def test_another_boot_goes_on_with_the_count(hello: Hello) -> None:
    line = TimelineBuilder()
    first = TimedBoot(line)
    take(first, [hello, *epoch(1, (1, 2)), *epoch(2, (1, 2))])
    first.finish()
    line.end_boot()
    take(TimedBoot(line), [replace(hello, boot_id=b"2nd boot"), *epoch(1, (7,))])
    found = line.timeline()
    assert [(it.until, it.boot, it.used) for it in found.columns] == [
        (1, 1, 2),
        (2, 1, 2),
        (3, 2, 1),
    ]
    assert TimeMark(2, "boot 2") in found.marks


def two_volumes(hello: Hello) -> Hello:
    (image,) = hello.volumes
    other = replace(image, index=1, fsid=replace(image.fsid, crc=image.fsid.crc ^ 1))
    return replace(hello, volumes=(image, other))


def of_volume(number: int, messages: list[Message]) -> list[Message]:
    return [
        replace(it, volume=number) if isinstance(it, Pages | EpochEnd) else it for it in messages
    ]


def test_of_several_volumes_it_follows_the_one_whose_files_are_shown(
    hello: Hello, index: ImageIndex
) -> None:
    line = TimelineBuilder()
    boot = TimedBoot(line, index)
    take(boot, [two_volumes(hello), *of_volume(1, epoch(1, (1, 2, 3)))])
    assert line.timeline().columns == ()
    take(boot, [*epoch(1, (7, 8)), *of_volume(1, epoch(2, (1, 2, 3)))])
    assert [it.used for it in line.timeline().columns] == [2]


def test_a_hello_that_comes_late_replaces_the_epochs_of_the_other_volume(
    hello: Hello, index: ImageIndex
) -> None:
    line = TimelineBuilder()
    boot = TimedBoot(line, index)
    take(boot, of_volume(1, [*epoch(1, (1, 2, 3)), *epoch(2, (1, 2, 3))]))
    assert [it.used for it in line.timeline().columns] == [3, 3]
    take(boot, [two_volumes(hello), *epoch(2, (7, 8))])
    found = line.timeline()
    assert [it.used for it in found.columns] == [2]
    assert found.columns[-1].until == 1


def test_without_an_image_it_follows_the_first_volume_that_ends_an_epoch(hello: Hello) -> None:
    line = TimelineBuilder()
    take(
        TimedBoot(line),
        [two_volumes(hello), *of_volume(1, epoch(1, (1, 2, 3))), *epoch(1, (7,))],
    )
    assert [it.used for it in line.timeline().columns] == [3]


def test_neighbours_share_a_column_rather_than_memory_growing(hello: Hello) -> None:
    line = TimelineBuilder()
    boot = TimedBoot(line)
    take(boot, [hello])
    epochs = 3 * COLUMNS_MAX + 5
    for number in range(1, epochs + 1):
        take(boot, epoch(number, (1, number)))
    found = line.timeline()
    assert COLUMNS_MAX / 2 <= len(found.columns) <= COLUMNS_MAX
    assert (found.per_column, found.columns[-1].until) == (4, epochs)
    assert sum(it.fresh for it in found.columns) == epochs + 0
    steps = [
        after.until - before.until
        for before, after in zip(found.columns, found.columns[1:], strict=False)
    ]
    assert set(steps[:-1]) == {4}
