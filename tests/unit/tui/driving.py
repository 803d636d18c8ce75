# SPDX-License-Identifier: MIT
"""Drives the live view as a user does, without a terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from textual.pilot import Pilot

from tinyprof.tui.app import LiveApp

Act = Callable[[Pilot[None]], Awaitable[None]]


async def settled(pilot: Pilot[None]) -> None:
    """Wait until nothing is left to do. What a worker found may start another one."""
    await pilot.pause()
    while not all(worker.is_finished for worker in pilot.app.workers):
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()


def drive(app: LiveApp, act: Act, size: tuple[int, int] = (100, 40)) -> None:
    async def run() -> None:
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await act(pilot)

    asyncio.run(run())


def press(app: LiveApp, *keys: str) -> None:
    async def act(pilot: Pilot[None]) -> None:
        await pilot.press(*keys)
        await pilot.pause()

    drive(app, act)
