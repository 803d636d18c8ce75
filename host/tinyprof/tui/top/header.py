# SPDX-License-Identifier: MIT
"""The lines on top: target and port, progress, pages by class, and losses."""

from __future__ import annotations

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from tinyprof.live.checklist import NO_TARGET
from tinyprof.live.snapshot import Snapshot
from tinyprof.profile.temperature import Temperature
from tinyprof.tables.columns import percent
from tinyprof.tables.ledger import losses_text, made_good
from tinyprof.tables.strip import CELLS
from tinyprof.tables.verdict import has_settled
from tinyprof.text import epoch_text, shown
from tinyprof.tui.palette import WARN, alarm, ending, sparkline, style_of
from tinyprof.wire.source import other_source

SPARK_WIDTH = 24
"""Cells of the bars that show records a second."""
ROOMY = 110
"""Columns from which cold pages have room beside a loss."""
TITLE_LEAST = 20
"""Cells of the title at least."""
WORRYING = ("gaps", "overruns")
"""Causes that cost nothing and still need attention."""
Segments = list[Segment]


class StatusHeader(Widget):
    """Draws the totals of a snapshot. `state`: a word or two for what goes on."""

    def __init__(self, title: str, state: str) -> None:
        super().__init__(id="status")
        self._title = title
        self._state = state
        self._alarm = ""
        self._snapshot = Snapshot()

    def show(self, snapshot: Snapshot, state: str, *, alarm_text: str = "") -> None:
        """Draw this from now on. `alarm_text`: what must not be overlooked, in a line of its
        own."""
        self._snapshot, self._state, self._alarm = snapshot, state, alarm_text
        self._fit()
        self.refresh()

    def on_resize(self) -> None:
        """Take one more line if pages and losses no longer fit side by side."""
        self._fit()

    def _fit(self) -> None:
        height = len(self._lines(Style()))
        # Setting the height lays the whole screen out anew.
        if self.styles.height is None or self.styles.height.value != height:
            self.styles.height = height

    def render_line(self, y: int) -> Strip:
        base = self.rich_style
        lines = self._lines(base)
        return Strip(lines[y] if y < len(lines) else []).adjust_cell_length(self.size.width, base)

    def _lines(self, base: Style) -> list[Segments]:
        pages, line = self._pages(base), self._line(base)
        top = [self._who(base), self._how(base)]
        if self._alarm:
            text = f" {self._alarm}".ljust(self.size.width)
            top.insert(1, [Segment(text, base + alarm())])
        together = [*pages, Segment(" ·", base), *line]
        if sum(cell_len(segment.text) for segment in together) <= self.size.width:
            return [*top, together]
        return [*top, pages, line]

    def _who(self, base: Style) -> Segments:
        state = base + alarm() if self._alarm else base + Style(reverse=True)
        room = self.size.width - cell_len(self._state) - 4
        return [
            Segment(f" {self._state} ", state),
            Segment(f" {self._words(room)}", base + Style(bold=True)),
        ]

    def _words(self, room: int) -> str:
        """Return port, target and image; if they do not fit, only the words that tell them from
        others."""
        hello = self._snapshot.hello
        if not hello:
            line = self._snapshot.line
            headline = line.headline if line else NO_TARGET
            no_target = "" if self._state == "reading" else f" · {headline}"
            return ending(self._title, max(TITLE_LEAST, room - len(no_target))) + no_target
        volume = next(iter(hello.volumes), None)
        long = [f"Linux {hello.kernel} {hello.arch}, agent {hello.agent}"]
        short = [f"Linux {hello.kernel} {hello.arch}"]
        if volume and volume.is_files:
            long.append(str(volume))
        elif volume:
            long.append(f"image {volume.fsid} {volume.name}")
            short.append(f"image {volume.fsid.crc:08x}")
        if source := other_source(hello.source):
            long.append(f"by {source.name}")
            short.append(f"by {source.name}")
        for words in (long, short):
            text = shown("".join(f" · {word}" for word in words))
            if cell_len(text) + min(cell_len(self._title), TITLE_LEAST) <= room:
                break
        return ending(self._title, max(TITLE_LEAST, room - cell_len(text))) + text

    def _how(self, base: Style) -> Segments:
        it = self._snapshot
        minutes, seconds = divmod(int(it.seconds), 60)
        words = [f"{minutes:3}:{seconds:02}", f"epoch {it.epoch}"]
        if it.unfinished:
            words[-1] += f" and {it.unfinished} unfinished"
        if it.hello:
            words.append(epoch_text(it.hello.epoch_ms))
        if it.boots > 1:
            words.append(f"{it.boots} boots")
        phase, is_final = self._phase()
        before = [
            Segment(" " + " · ".join(words) + " · ", base),
            Segment(phase, base + (Style(bold=True) if is_final else WARN)),
        ]
        rest = f" · {it.records:,} records"
        if not it.rates:
            return [*before, Segment(rest, base)]
        segments = [*before, Segment(f"{rest} · {it.rates[-1]:,.0f}/s ", base)]
        bars = sparkline(it.rates, SPARK_WIDTH)
        return [*segments, Segment(bars, base + style_of(Temperature.ONCE))]

    def _phase(self) -> tuple[str, bool]:
        """Return the running phase in words, and whether its figures may be final."""
        it = self._snapshot
        name = f"phase {shown(it.phase)}" if it.phase else ""
        if has_settled(it.profile):
            return name or "steady state", True
        if it.unresolved or it.hello is None:
            return name or "no phase yet", True
        if name:
            return f"{name}, still starting up: figures are not final", False
        return "still starting up: figures are not final", False

    def _pages(self, base: Style) -> Segments:
        it = self._snapshot
        segments = [Segment(" ", base)]
        if it.unresolved:
            return [*segments, Segment(shown(it.unresolved), base + alarm())]
        hot, warm, once, _ = it.counts
        used = hot + warm + once
        of = f" of {it.image_pages:,}" if it.image_pages else ""
        segments.append(Segment(f"used {used:,}{of}", base))
        for temperature, count in zip(Temperature, it.counts, strict=True):
            is_hot = temperature is Temperature.HOT
            if temperature is Temperature.COLD and self.size.width < ROOMY:
                continue
            segments.append(Segment(" · ", base))
            segments.append(Segment(CELLS[temperature], base + style_of(temperature)))
            share = f", {percent(count, used)} of them" if is_hot and used else ""
            segments.append(Segment(f" {count:,} {temperature.value}{share}", base))
        return segments

    def _line(self, base: Style) -> Segments:
        """Return what was lost, by cause, and what nearly was."""
        it = self._snapshot
        if it.losses:
            segments = [Segment(f" LOST {losses_text(it.losses)}", base + alarm())]
        else:
            segments = [Segment(" lost: nothing", base)]
        for name, words in made_good(it.counts_by_cause):
            segments.append(Segment(", ", base))
            segments.append(Segment(words, base + (WARN if name in WORRYING else Style(dim=True))))
        return segments
