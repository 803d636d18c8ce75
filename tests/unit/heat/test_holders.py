# SPDX-License-Identifier: MIT
"""Epochs and processes of mappings are counted from the messages of honest and of hostile
targets."""

from __future__ import annotations

from tinyprof.heat.boots import Boot, split_boots
from tinyprof.heat.holders import MAPPING_COUNTERS_MAX, MAPPINGS_MAX, OPEN_MAPPINGS_MAX
from tinyprof.heat.volume_pages import OPEN_EPOCHS_MAX
from tinyprof.wire.messages import EpochEnd, HeldMapping, Mappings, Mark, Message
from tinyprof.wire.sequence import Frame

NONE = (0, 0, 0, 0)


def boot_of(messages: list[Message]) -> Boot:
    (boot,) = split_boots(Frame(seq, 0, message) for seq, message in enumerate(messages))
    return boot


def held(epoch: int, *mappings: tuple[int, int, int]) -> Mappings:
    return Mappings(0, epoch, tuple(HeldMapping(*mapping) for mapping in mappings))


def ended(epoch: int) -> EpochEnd:
    return EpochEnd(0, epoch, 0, NONE)


def test_epochs_and_processes_of_a_mapping_add_up_by_phase() -> None:
    volume = boot_of(
        [
            held(1, (7, 4, 2), (20, 1, 1)),
            ended(1),
            Mark(1, 5, "steady"),
            held(2, (7, 4, 1)),
            ended(2),
            held(3, (7, 4, 3)),
            ended(3),
        ]
    ).volumes[0]
    assert {place: it.phases for place, it in volume.mappings.items()} == {
        (7, 4): {0: (2, 3), 1: (1, 3)},
        (20, 1): {0: (1, 1)},
    }
    assert volume.mappings[7, 4].most == 3


def test_a_mapping_of_other_pages_is_another_one() -> None:
    volume = boot_of([held(1, (7, 4, 1), (7, 5, 2)), ended(1)]).volumes[0]
    assert sorted(volume.mappings) == [(7, 4), (7, 5)]


def test_a_mapping_that_comes_twice_in_an_epoch_counts_once() -> None:
    volume = boot_of([held(1, (7, 4, 1)), held(1, (7, 4, 2)), ended(1)]).volumes[0]
    assert volume.mappings[7, 4].phases == {0: (1, 2)}


def test_what_comes_after_its_epochs_end_is_not_counted() -> None:
    volume = boot_of([ended(3), held(3, (7, 4, 1)), held(2, (7, 4, 1)), ended(4)]).volumes[0]
    assert not volume.mappings


def test_mappings_beyond_the_limits_are_counted_as_dropped() -> None:
    many = [(page_id, 1, 1) for page_id in range(MAPPINGS_MAX)]
    boot = boot_of([held(1, *many), held(1, (MAPPINGS_MAX, 1, 1)), ended(1)])
    assert len(boot.volumes[0].mappings) == MAPPINGS_MAX
    assert boot.losses.beyond_limits == 1
    further = boot_of([held(1, *many), ended(1), held(2, (MAPPINGS_MAX, 1, 1)), ended(2)])
    assert further.losses.beyond_limits == 1


def test_mappings_of_too_many_open_epochs_are_counted_as_dropped() -> None:
    boot = boot_of([held(epoch, (7, 4, 1)) for epoch in range(1, OPEN_EPOCHS_MAX + 3)])
    assert boot.losses.beyond_limits == 2


def test_the_counters_of_all_volumes_and_phases_have_one_limit() -> None:
    pages = range(MAPPINGS_MAX)
    volumes, phases = 3, 6
    messages: list[Message] = []
    for epoch in range(1, phases + 1):
        # The next epoch begins a phase.
        messages.append(Mark(epoch, epoch, f"phase {epoch}"))
        for volume in range(volumes):
            mappings = tuple(HeldMapping(page_id, 1, 1) for page_id in pages)
            messages += [Mappings(volume, epoch, mappings), EpochEnd(volume, epoch, 0, NONE)]
    boot = boot_of(messages)
    counters = sum(
        len(it.phases) for volume in boot.volumes.values() for it in volume.mappings.values()
    )
    assert counters == MAPPING_COUNTERS_MAX
    assert boot.losses.beyond_limits == volumes * phases * MAPPINGS_MAX - MAPPING_COUNTERS_MAX


def test_the_open_epochs_of_all_volumes_have_one_limit() -> None:
    mappings = tuple(HeldMapping(page_id, 1, 1) for page_id in range(MAPPINGS_MAX))
    volumes = OPEN_EPOCHS_MAX + 2
    boot = boot_of([Mappings(volume, 1, mappings) for volume in range(volumes)])
    assert boot.losses.beyond_limits == volumes * MAPPINGS_MAX - OPEN_MAPPINGS_MAX
