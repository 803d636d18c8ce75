# SPDX-License-Identifier: MIT
"""Epochs, boots and losses are counted from the events of honest and of hostile targets."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyprof.heat.boots import Boot, split_boots
from tinyprof.heat.losses import Losses
from tinyprof.heat.page_heat import ANY, MAPPED, Sightings
from tinyprof.heat.volume_heat import WINDOW
from tinyprof.heat.volume_pages import OPEN_EPOCHS_MAX
from tinyprof.pages import Kind
from tinyprof.wire.frames import Event, FrameDecoder, HostMark, encode_message
from tinyprof.wire.messages import EpochEnd, Hello, Mark, Message, Pages, Status
from tinyprof.wire.sequence import Frame

KEYS = (*Kind, MAPPED, ANY)
KINDS_OF_KEYS = ({0}, {1}, {2}, {3}, {0, 1}, {0, 1, 2, 3})


def run_of(messages: list[Message]) -> Boot:
    (boot,) = runs_of(messages)
    return boot


def runs_of(messages: list[Message], start: int = 0) -> list[Boot]:
    return list(
        split_boots(Frame(start + seq, 0, message) for seq, message in enumerate(messages))
    )


def touches(epoch: int, ids: list[int], kind: Kind = Kind.EXEC, volume: int = 0) -> Pages:
    return Pages(volume, epoch, 0, tuple(ids), bytes([kind]) * len(ids))


def test_the_most_processes_of_a_file_are_kept_where_they_are_counted() -> None:
    none = (0, 0, 0, 0)
    counted = [
        EpochEnd(0, 1, 0, none, 0, ((7, 2), (9, 3))),
        EpochEnd(0, 2, 0, none, 0, ((7, 5), (9, 2))),
    ]
    assert run_of([*counted]).volumes[0].processes == {7: 5, 9: 3}
    assert run_of([EpochEnd(0, 1, 0, none, 0, ())]).volumes[0].processes == {}
    assert run_of([EpochEnd(0, 1, 0, none, 0)]).volumes[0].processes is None


def test_a_page_counts_once_an_epoch_and_by_kind() -> None:
    boot = run_of(
        [
            touches(2, [7]),
            touches(2, [7], Kind.READ),
            touches(2, [7]),
            EpochEnd(0, 2, 0, (1, 1, 0, 0)),
            touches(3, [7]),
            EpochEnd(0, 3, 0, (1, 0, 0, 0)),
        ]
    )
    exec_, read, write, file, mapped, anything = map(boot.volumes[0].pages[7].seen_as, KEYS)
    assert exec_
    assert read
    assert mapped
    assert anything
    assert (exec_.epochs, read.epochs, mapped.epochs, anything.epochs) == (2, 1, 2, 2)
    assert (exec_.first, exec_.last, read.last, write, file) == (2, 3, 2, None, None)
    assert boot.losses == Losses()


def epochs_of(*pages_of_epoch: list[int]) -> list[Message]:
    """A boot whose n-th epoch executes these pages."""
    messages: list[Message] = []
    for epoch, ids in enumerate(pages_of_epoch, 1):
        messages += [touches(epoch, ids), EpochEnd(0, epoch, 0, (len(ids), 0, 0, 0))]
    return messages


def seen(boot: Boot, page: int) -> Sightings:
    found = boot.volumes[0].pages[page].seen_as(ANY)
    assert found
    return found


def test_epochs_that_follow_each_other_are_one_stretch() -> None:
    boot = run_of(epochs_of([1, 2], [1], [1, 2], [2], [], [1, 2]))
    one, two = seen(boot, 1), seen(boot, 2)
    assert (one.epochs, one.stretches, one.longest) == (4, 2, 3)
    assert (two.epochs, two.stretches, two.longest) == (4, 3, 2)


def test_a_mark_begins_a_phase_with_the_next_epoch() -> None:
    first, end, second, second_end = epochs_of([1, 2], [2, 3])
    boot = run_of([first, Mark(1, 0, "steady"), end, second, second_end])
    phases = [
        (phase.name, phase.first, phase.epochs, phase.fresh) for phase in boot.volumes[0].phases
    ]
    assert phases == [("", 1, 1, 2), ("steady", 2, 1, 1)]
    assert [seen(boot, page).phases for page in (1, 2, 3)] == [[1], [1, 1], [0, 1]]


def test_the_recorders_own_mark_begins_a_phase_as_well() -> None:
    boot = Boot()
    frames = [Frame(n, 0, message) for n, message in enumerate(epochs_of([1], [1]))]
    events: list[Event] = [HostMark("steady"), *frames]
    for event in events:
        boot.take(event)
    assert [(phase.name, phase.epochs) for phase in boot.volumes[0].phases] == [
        ("", 1),
        ("steady", 1),
    ]


def test_the_steady_state_begins_after_two_epochs_of_hardly_any_new_pages() -> None:
    everything = list(range(100))
    boot = run_of(
        epochs_of(everything[:50], [], everything, everything, everything, [*everything, 200])
    )
    phases = [(phase.steady, phase.first, phase.epochs) for phase in boot.volumes[0].phases]
    assert phases == [(False, 1, 5), (True, 6, 1)]


def test_an_epoch_without_end_counts_as_seen() -> None:
    boot = run_of([touches(1, [1]), EpochEnd(0, 1, 0, (1, 0, 0, 0)), touches(2, [1])])
    assert (
        boot.volumes[0].ended,
        boot.volumes[0].unfinished,
        boot.volumes[0].pages[1].epochs,
    ) == (
        1,
        1,
        2,
    )


def test_what_an_epoch_had_and_did_not_arrive_is_missing() -> None:
    assert run_of([touches(1, [1, 2]), EpochEnd(0, 1, 0, (5, 0, 0, 0))]).losses == Losses(
        records=3
    )


def test_an_end_that_comes_twice_counts_once() -> None:
    end = EpochEnd(0, 1, 0, (1, 0, 0, 0))
    boot = run_of([touches(1, [1]), end, end])
    assert (boot.volumes[0].ended, boot.losses) == (1, Losses())


def test_what_the_target_could_not_trace_or_write_is_a_loss() -> None:
    assert run_of([Status(0, 9, 2, 3)]).losses == Losses(untraced=2, write_errors=3)


def test_another_boot_is_another_run(hello: Hello) -> None:
    again = replace(hello, boot_id=b"2nd boot")
    first, second = runs_of([hello, touches(1, [1]), again, touches(1, [2])])
    assert (set(first.volumes[0].pages), set(second.volumes[0].pages)) == ({1}, {2})


@pytest.mark.parametrize("old", [3, 40_000])
def test_a_reboot_is_no_loss_whatever_the_number_before_it(hello: Hello, old: int) -> None:
    again = replace(hello, boot_id=b"2nd boot")
    line = (
        encode_message(hello, old) + encode_message(again, 0) + encode_message(touches(1, [1]), 1)
    )
    boots = list(split_boots(FrameDecoder().feed(line)))
    assert [boot.losses for boot in boots] == [Losses(), Losses()]


def test_a_reboot_whose_hello_was_lost_is_another_run_too(hello: Hello) -> None:
    again = replace(hello, boot_id=b"2nd boot")
    line = encode_message(hello, 50) + encode_message(touches(9, [1]), 51)
    line += encode_message(touches(1, [2]), 1) + encode_message(again, 2)
    first, second = split_boots(FrameDecoder().feed(line))
    assert (set(first.volumes[0].pages), set(second.volumes[0].pages)) == ({1}, {2})
    assert (first.hello, second.hello) == (hello, again)
    assert second.losses == Losses(frames=1)


def test_epochs_that_never_end_are_closed_before_they_pile_up() -> None:
    boot = Boot()
    tracemalloc.start()
    try:
        for epoch in range(1, 20_000):
            boot.take(Frame(0, 0, touches(epoch, [5])))
            boot.take(Frame(0, 0, touches(1, [5], volume=epoch)))
        assert tracemalloc.get_traced_memory()[0] < 100_000
    finally:
        tracemalloc.stop()
    assert boot.volumes[0].unfinished == 19_999 - OPEN_EPOCHS_MAX
    assert boot.losses.beyond_limits == 19_999 - 7


def test_pages_beyond_all_limits_are_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinyprof.heat.volume_pages.PAGES_MAX", 3)
    boot = run_of(epochs_of([1, 2], [2, 3, 4], [4, 1]))
    (dropped,) = {3, 4} - boot.volumes[0].page_ids
    assert set(boot.volumes[0].pages) == {1, 2, 7 - dropped}
    assert boot.losses == Losses(beyond_limits=1 if dropped == 3 else 2)


def test_counters_beyond_the_limit_are_not_begun_and_their_records_count_as_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tinyprof.heat.volume_heat.COUNTERS_MAX", 4)
    boot = run_of([touches(1, [5, 6]), touches(1, [5, 6], Kind.READ), touches(2, [5, 6])])
    both, exec_only = sorted(
        (heat.by_key for heat in boot.volumes[0].pages.values()), key=len, reverse=True
    )
    # For exec, for read, and for either.
    assert (len(both), list(exec_only), exec_only[Kind.EXEC].epochs) == (3, [Kind.EXEC], 2)
    assert boot.losses.beyond_limits == 1


def test_released_pages_are_forgotten_and_no_others() -> None:
    boot = run_of(epochs_of([1, 2], [2, 3]))
    boot.volumes[0].release([2, 9])
    assert set(boot.volumes[0].pages) == {1, 3}


@given(st.data())
def test_counts_are_what_the_epochs_say_one_by_one(data: st.DataObject) -> None:
    """Of one page, seen as any kinds in any epochs, with marks between them, and looked at now and
    then."""
    kinds_of_epochs = data.draw(st.lists(st.sets(st.sampled_from(Kind)), max_size=30))
    boot, epoch, phase, history = Boot(), 0, 0, []
    for kinds in kinds_of_epochs:
        epoch += data.draw(st.sampled_from((1, 1, 1, 1, 2, 3, WINDOW - 1, WINDOW)))
        for kind in kinds:
            boot.take(Frame(0, 0, touches(epoch, [7], kind)))
        marked = data.draw(st.sampled_from((False, False, False, True)))
        if marked:
            boot.take(HostMark("steady"))
        boot.take(Frame(0, 0, EpochEnd(0, epoch, 0, (0, 0, 0, 0))))
        history.append((epoch, phase, kinds))
        phase = len(boot.volumes[0].phases) - 1
        if data.draw(st.booleans()):
            assert set(boot.volumes[0].pages) <= {7}
    heat = boot.volumes[0].pages.get(7) if history else None
    for key, of_key in zip(KEYS, KINDS_OF_KEYS, strict=True):
        expected = plain([(epoch, phase) for epoch, phase, kinds in history if kinds & of_key])
        assert facts(heat.seen_as(key) if heat else None) == expected


def plain(epochs: list[tuple[int, int]]) -> tuple[object, ...] | None:
    if not epochs:
        return None
    numbers = [epoch for epoch, _ in epochs]
    stretches: list[list[int]] = []
    for number in numbers:
        if stretches and stretches[-1][-1] == number - 1:
            stretches[-1].append(number)
        else:
            stretches.append([number])
    phases = [sum(phase == which for _, phase in epochs) for which in range(epochs[-1][1] + 1)]
    return len(epochs), numbers[0], numbers[-1], len(stretches), max(map(len, stretches)), phases


def facts(seen: Sightings | None) -> tuple[object, ...] | None:
    if seen is None:
        return None
    return seen.epochs, seen.first, seen.last, seen.stretches, seen.longest, seen.phases


@pytest.mark.parametrize(("first_seq", "missing"), [(0, 30), (20, 30), (5000, 20)])
def test_an_epoch_whose_very_end_is_lost_counts_by_the_total(first_seq: int, missing: int) -> None:
    """Epochs 1 to 4 had 10 records each. Of 1 and 3 no end came, of 3 no record either."""
    said: list[Message] = [
        Pages(0, 1, 0, (), b""),
        Pages(0, 2, 0, tuple(range(10)), bytes(10)),
        EpochEnd(0, 2, 0, (10, 0, 0, 0), 20),
        EpochEnd(0, 4, 0, (10, 0, 0, 0), 40),
    ]
    boot = Boot()
    for number, message in enumerate(said):
        boot.take(Frame(first_seq + number, 0, message))
    boot.finish()
    # A target that ran for long before has told its totals to nobody: the first one counts from
    # there.
    assert boot.losses.records == missing
