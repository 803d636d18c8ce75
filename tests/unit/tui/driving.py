# SPDX-License-Identifier: MIT
"""Drives the live view as a user does, without a terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from textual.pilot import Pilot

from tinyprof.tui.app import LiveApp

Act = Callable[[Pilot[None]], Awaitable[None]]


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
