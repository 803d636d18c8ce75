# SPDX-License-Identifier: MIT
"""The agent's UART as pipes."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

from qemu_board.uart import CHUNK, Uart

SINGLE_BYTES = 20_000
"""A recording's worth. A unix socket takes some 280 of them."""


def opened_by_qemu(uart: Uart, end: str) -> int:
    return os.open(f"{uart.path}.{end}", os.O_RDWR | os.O_NONBLOCK)


def test_a_guest_never_waits_for_a_reader_that_comes_late(tmp_path: Path) -> None:
    with closing(Uart(tmp_path)) as uart:
        said = opened_by_qemu(uart, "out")
        for number in range(SINGLE_BYTES):
            assert os.write(said, bytes([number % 256])) == 1
        os.close(said)
        assert uart.rest() == bytes(number % 256 for number in range(SINGLE_BYTES))
        assert uart.rest() == b""


def test_what_is_typed_waits_for_a_guest_that_does_not_listen(tmp_path: Path) -> None:
    with closing(Uart(tmp_path)) as uart:
        typed = bytearray(2 * CHUNK)
        uart.type(typed)
        left = len(typed)
        uart.type(typed)
        assert 0 < left < 2 * CHUNK
        assert len(typed) == left
        guest = opened_by_qemu(uart, "in")
        assert len(os.read(guest, 2 * CHUNK)) == 2 * CHUNK - left
        uart.type(typed)
        assert not typed
        os.close(guest)
