# SPDX-License-Identifier: MIT
"""Keys become commands for the recorder and the target, and the header shows the state of the
line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from tinyprof.heat.losses import Losses
from tinyprof.live.news import News
from tinyprof.tables.ledger import losses_text
from tinyprof.tui.app import LiveApp
from tinyprof.tui.palette import size_text
from tinyprof.tui.panes.what_if import WhatIfPane
from tinyprof.tui.toasts import TOASTS_MAX
from tinyprof.tui.top.header import StatusHeader
from tinyprof.wire.messages import EpochLength, Rearm, Trace
from unit.tui.conftest import Told, write
from unit.tui.driving import drive, press


def header_of(app: LiveApp) -> str:
    header = app.query_one(StatusHeader)
    return "\n".join(header.render_line(y).text for y in range(header.size.height))


def test_keys_that_speak_to_the_target_become_orders(live_app: LiveApp, live_feed: Told) -> None:
    press(
        live_app, "S", "R", "E", *"250ms", "enter", "E", *"soon", "enter", "escape", "E", "escape"
    )
    assert live_feed.commands == [Trace(False), Rearm(), EpochLength(250)]


def test_the_target_says_that_it_has_stopped_and_the_key_starts_it_again(
    news: News, capture: Path
) -> None:
    hello = news.snapshot.hello
    assert hello
    quiet = replace(hello, epoch_ms=250, volumes=(replace(hello.volumes[0], recording=False),))
    feed = Told([News(replace(news.snapshot, hello=quiet))], capture, live=True)
    app = LiveApp(feed, write)

    async def act(pilot: Pilot[None]) -> None:
        assert "stopped" in header_of(app)
        assert "epochs of 250 ms" in header_of(app)
        await pilot.press("S")

    drive(app, act)
    assert feed.commands == [Trace(True)]


@pytest.mark.parametrize("key", ["m", "S", "R", "E"])
def test_a_capture_takes_no_orders(news: News, capture: Path, key: str) -> None:
    feed = Told([news], capture)
    app = LiveApp(feed, write)

    async def act(pilot: Pilot[None]) -> None:
        await pilot.press(key)
        assert len(app.screen_stack) == 1

    drive(app, act)
    assert not feed.commands


def test_letters_of_a_filter_are_no_orders(live_app: LiveApp, live_feed: Told) -> None:
    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("slash", "S", "R", "E", "m")
        assert live_app.query_one("#filter", Input).value == "SREm"

    drive(live_app, act)
    assert not live_feed.commands


def test_a_port_that_is_away_is_told_in_the_header_until_it_is_back(
    news: News, capture: Path
) -> None:
    away = replace(news.snapshot, away=True, counts_by_cause={"gaps": 1})
    feed = Told([News(away)], capture, live=True)
    app = LiveApp(feed, write)

    async def act(pilot: Pilot[None]) -> None:
        assert "waiting for the port" in header_of(app)
        feed.post(News(replace(away, away=False)))
        await pilot.pause()
        assert "waiting" not in header_of(app)
        assert "port gaps: 1" in header_of(app)

    drive(app, act)


def test_every_loss_and_what_was_made_good_has_room(news: News, capture: Path) -> None:
    lossy = replace(
        news.snapshot,
        losses=Losses(1, 2, 3, 4, 5, 6),
        counts_by_cause={"gaps": 2, "overruns": 9, "duplicates": 7},
        unfinished=1,
    )
    app = LiveApp(Told([News(lossy)], capture), write)

    async def act(pilot: Pilot[None]) -> None:
        text = header_of(app)
        assert "epoch 8 and 1 unfinished" in text
        for words in (
            losses_text(lossy.losses),
            "port gaps: 2",
            "overrun here: 9",
            "7 duplicate frames",
        ):
            assert words in text
        assert "82 hot" in text

    drive(app, act, (200, 40))


def test_a_warning_is_shown_wherever_one_looks(news: News, capture: Path) -> None:
    feed = Told(
        [replace(news, over=False, warnings=("the port [b]went away",))], capture, live=True
    )
    app = LiveApp(feed, write)

    async def act(pilot: Pilot[None]) -> None:
        await pilot.pause()
        assert [note.message for note in app._notifications] == ["the port [b]went away"]

    drive(app, act)


def test_the_palette_has_what_the_keys_do(live_app: LiveApp, live_feed: Told) -> None:
    async def act(pilot: Pilot[None]) -> None:
        commands = {
            command.title: command for command in live_app.get_system_commands(live_app.screen)
        }
        assert {
            "Mark",
            "Stop or start",
            "Epoch length",
            "Re-arm",
            "Kernel",
            "Theme",
        } <= commands.keys()
        await pilot.press("ctrl+p", *"re-arm", "enter", "enter")
        await pilot.pause()

    drive(live_app, act)
    assert live_feed.commands == [Rearm()]


@pytest.mark.parametrize(
    ("name", "settled", "words"),
    [
        ("", False, "still starting up: figures are not final"),
        ("boot", False, "phase boot, still starting up: figures are not final"),
        ("", True, "steady state"),
        ("video\x1b", True, r"phase video\x1b"),
    ],
)
def test_the_phase_is_always_named(
    news: News, capture: Path, name: str, settled: bool, words: str
) -> None:
    profile = news.snapshot.profile
    assert profile
    (boot,) = profile.boots
    phases = boot.phases if settled else (replace(boot.phases[0], steady=True),)
    starting = replace(profile, boots=(replace(boot, phases=phases),))
    snapshot = replace(news.snapshot, phase=name, profile=starting)
    app = LiveApp(Told([News(snapshot)], capture, live=True), write)

    async def act(pilot: Pilot[None]) -> None:
        assert f"· {words} ·" in header_of(app)

    drive(app, act)


def test_a_finished_recording_offers_nothing_that_needs_a_target(
    news: News, capture: Path
) -> None:
    app = LiveApp(Told([news], capture), write)

    async def act(pilot: Pilot[None]) -> None:
        offered = {
            binding.action for _, binding, enabled, _ in app.screen.active_bindings.values()
        }
        assert not offered & {"mark", "trace", "rearm", "epoch_length", "type", "hold"}
        assert "write_plan" in offered
        titles = {command.title for command in app.get_system_commands(app.screen)}
        assert not titles & {"Mark", "Stop or start", "Re-arm", "Type", "Hold"}
        assert "Write the plan" in titles

    drive(app, act)


def test_messages_do_not_pile_up(live_app: LiveApp) -> None:
    async def act(pilot: Pilot[None]) -> None:
        for _ in range(5):
            live_app.notify("the same")
        await pilot.pause()
        assert [note.message for note in live_app._notifications] == ["the same"]
        for number in range(10):
            live_app.notify(f"number {number}")
            await pilot.pause()
            assert len(live_app._notifications) <= TOASTS_MAX
        assert "number 9" in [note.message for note in live_app._notifications]

    drive(live_app, act)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("m", ("Now: no phase has a name yet", "Enter begins the phase", "Esc")),
        ("E", ("Now: epochs of 1 s", "Enter asks the target", "Esc")),
    ],
)
def test_a_question_shows_the_present_value_and_its_keys(
    live_app: LiveApp, key: str, words: tuple[str, ...]
) -> None:
    async def act(pilot: Pilot[None]) -> None:
        await pilot.press(key)
        await pilot.pause()
        text = " ".join(str(label.render()) for label in live_app.screen.query("Label"))
        assert all(word in text for word in words)

    drive(live_app, act)


def test_advice_that_is_longer_than_the_log_is_wrapped(news: News, capture: Path) -> None:
    advice = "      1.0 s  " + "check that transmit is connected, " * 6 + "or say --one-way"
    app = LiveApp(Told([replace(news, log=(advice,))], capture), write)

    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("4")
        await pilot.pause()
        pane = app.query_one("#log")
        text = [pane.render_line(y).text.rstrip() for y in range(4)]
        assert " ".join(" ".join(text).split()) == " ".join(advice.split())
        assert all(line.startswith(" " * 12) for line in text[1:] if line)

    drive(app, act)


@pytest.mark.parametrize("presses", [0, 50, 100])
def test_the_axis_can_be_read_under_the_marker(app: LiveApp, presses: int) -> None:
    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("2", "home", *["right"] * presses)
        await pilot.pause()
        pane = app.query_one("#whatif", WhatIfPane)
        marker, axis, keys = (pane.render_line(pane.size.height - n).text for n in (3, 2, 1))
        assert "▲" in marker
        assert size_text(pane.budget) in marker
        assert axis.split()[0] == "0"
        assert axis.strip().endswith("K")
        assert "▲" not in axis
        assert keys.rstrip() == " ←→ less, more flash   x kernel   w write the plan"

    drive(app, act)


def test_the_log_follows_its_newest_line_until_somebody_looks_back(
    news: News, capture: Path
) -> None:
    feed = Told([replace(news, over=False, log=_lines(0, 100))], capture, live=True)
    app = LiveApp(feed, write)

    async def act(pilot: Pilot[None]) -> None:
        pane = app.query_one("#log")

        def shown() -> str:
            return "".join(pane.render_line(y).text for y in range(pane.size.height))

        await pilot.press("4")
        await pilot.pause()
        assert "line 99 " in shown()
        await pilot.press("home")
        await pilot.pause()
        feed.post(replace(news, over=False, log=_lines(100, 110)))
        await pilot.pause()
        assert "line 0 " in shown()
        await pilot.press("end")
        await pilot.pause()
        assert "line 109 " in shown()

    drive(app, act)


def _lines(first: int, end: int) -> tuple[str, ...]:
    return tuple(f"     1.0 s  line {number} " for number in range(first, end))
