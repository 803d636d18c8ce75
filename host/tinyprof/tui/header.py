# SPDX-License-Identifier: MIT
"""The three lines on top: what is recorded, how it goes, and what is lost."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from tinyprof.live import Snapshot
from tinyprof.report import losses_text
from tinyprof.report.strip import CELLS
from tinyprof.shown import shown
from tinyprof.temperature import Temperature
from tinyprof.tui.palette import BAD, STYLES, sparkline

SPARK_WIDTH = 24


class StatusHeader(Widget):
    """Draws a snapshot's totals. `state` is one word for what goes on."""

    def __init__(self, title: str, state: str) -> None:
        super().__init__(id="status")
        self._title = title
        self._state = state
        self._snapshot = Snapshot()

    def show(self, snapshot: Snapshot, state: str) -> None:
        """Draw this from now on."""
        self._snapshot, self._state = snapshot, state
        self.refresh()

    def render_line(self, y: int) -> Strip:
        base = self.rich_style
        lines = (self._who, self._how, self._what)
        segments = lines[y](base) if y < len(lines) else []
        return Strip(segments).adjust_cell_length(self.size.width, base)

    def _who(self, base: Style) -> list[Segment]:
        hello = self._snapshot.hello
        words = [self._title]
        if hello:
            words.append(f"Linux {hello.kernel} {hello.arch}, agent {hello.agent}")
            words += [f"image {volume.fsid} {volume.name}" for volume in hello.volumes[:1]]
        else:
            words.append("no target heard yet" if self._state != "reading" else "")
        return [
            Segment(f" {self._state} ", base + Style(reverse=True)),
            Segment(" " + shown(" · ".join(filter(None, words))), base + Style(bold=True)),
        ]

    def _how(self, base: Style) -> list[Segment]:
        it = self._snapshot
        minutes, seconds = divmod(int(it.seconds), 60)
        runs = f" · {it.runs} boots" if it.runs > 1 else ""
        text = f" {minutes:3}:{seconds:02} · epoch {it.epoch}{runs} · {it.records:,} records"
        if not it.rates:
            return [Segment(text, base)]
        text += f" · {it.rates[-1]:,.0f}/s "
        return [
            Segment(text, base),
            Segment(sparkline(it.rates, SPARK_WIDTH), base + STYLES[Temperature.ONCE]),
        ]

    def _what(self, base: Style) -> list[Segment]:
        it = self._snapshot
        segments = [Segment(" ", base)]
        if it.unresolved:
            segments.append(Segment(f"{shown(it.unresolved)} · ", base + BAD))
        for temperature, count in zip(Temperature, it.counts, strict=True):
            segments.append(Segment(CELLS[temperature], base + STYLES[temperature]))
            segments.append(Segment(f" {count:,} {temperature.value} · ", base))
        if it.losses:
            segments.append(Segment(f"LOST {losses_text(it.losses)}", base + BAD))
        else:
            segments.append(Segment("lost: nothing", base))
        return segments
