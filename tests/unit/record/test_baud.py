# SPDX-License-Identifier: MIT
"""A simulated UART receives a line at a wrong rate, and the right rate is suggested."""

from __future__ import annotations

import random

import pytest

from support.uart import received
from tinyprof.record.baud import likely_rates
from tinyprof.wire.frames import encode_message
from tinyprof.wire.messages import Pages

SEED = 20261124


def frames() -> bytes:
    rng = random.Random(SEED)
    ids = [tuple(rng.randrange(1 << 20) + k for k in range(40)) for _ in range(6)]
    return b"".join(
        encode_message(Pages(0, 1, 5, pages, bytes(40)), seq) for seq, pages in enumerate(ids)
    )


def test_the_simulated_uart_receives_what_was_sent_at_its_own_rate() -> None:
    assert received(frames(), 115_200, 115_200) == frames()


@pytest.mark.parametrize(
    ("target", "baud"),
    [(57_600, 115_200), (115_200, 921_600), (230_400, 921_600), (9600, 115_200)],
)
def test_a_slower_target_is_told_by_its_few_edges(target: int, baud: int) -> None:
    print(f"seed {SEED}")
    assert target in likely_rates(received(frames(), target, baud), baud)[:3]


@pytest.mark.parametrize(
    ("target", "baud"),
    [(115_200, 9600), (115_200, 57_600), (921_600, 115_200), (1_500_000, 115_200)],
)
def test_a_faster_target_is_looked_for_among_the_usual_rates(target: int, baud: int) -> None:
    print(f"seed {SEED}")
    assert target in likely_rates(received(frames(), target, baud), baud)[:2]


def test_next_to_nothing_is_no_ground_to_judge_on() -> None:
    assert likely_rates(b"\xff", 115_200) == [921_600, 1_500_000, 57_600, 9600]
