# SPDX-License-Identifier: MIT
"""Measures the live view. Prints one line a figure, `name value unit`.

A synthetic target: 20,000 pages in 2,000 files, 10,000 records a second in epochs of a second,
drawn without a terminal at 120 x 40 and at 300 x 100. `core` is the process's time over wall time
while that arrives; `key` is a key press to the end of its redraw meanwhile; `frame` is from the
command to the first line on a real pty. Arguments choose parts: live, view, memory.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import pty
import random
import re
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic, process_time, sleep

from rich.console import RenderableType
from textual import events
from textual.screen import Screen

from tinyprof.capture.format import Ending
from tinyprof.capture.index import ImageIndex, IndexedFile
from tinyprof.capture.writer import CaptureWriter
from tinyprof.live.news import Feed
from tinyprof.live.recording import LiveRecording
from tinyprof.live.snapshot import LiveHeat
from tinyprof.pages import Fsid
from tinyprof.record.diagnosis import LineWatch
from tinyprof.record.observing import Observer, Recording, StopAfter, Wish
from tinyprof.record.recorder import record
from tinyprof.tui.app import LiveApp
from tinyprof.wire.frames import Event, encode_message
from tinyprof.wire.messages import EpochEnd, Hello, Pages, Volume
from tinyprof.wire.sequence import Frame

SEED = 20261124
FILES, FILE_PAGES = 2000, 10
EPOCH_RECORDS = 10_000
FRAME_RECORDS = 80
SECONDS = 15
WARM_UP = 3
VIEW_EPOCHS = 20
HOUR_EPOCHS, EPOCH_VARIETY = 3600, 4
SIZES = {"tui": (120, 40), "tui-300x100": (300, 100)}
KEYS = ("down", "down", "up", "pagedown", "s", "pageup")
TINYPROF = Path(sys.executable).with_name("tinyprof")


def show(name: str, value: float | str, unit: str) -> None:
    print(f"{name} {value} {unit}", flush=True)


def make_index() -> ImageIndex:
    rng = random.Random(SEED)
    files = []
    for number in range(FILES):
        ino = 4096 + number * FILE_PAGES * 4
        stored = tuple(rng.randrange(400, 4000) for _ in range(FILE_PAGES))
        path = f"/usr/lib/part{number % 40}/lib{number}.so"
        files.append(
            IndexedFile(
                path, ino, FILE_PAGES * 4096, f"{number:064x}", stored, bytes([2]) * FILE_PAGES
            )
        )
    files.sort(key=lambda file: file.path)
    return ImageIndex(
        "little", 40_000_000, Fsid(1, 2, FILES * FILE_PAGES, FILES), "bench", tuple(files)
    )


def hello(index: ImageIndex) -> Hello:
    volume = Volume(0, index.fsid, index.size, index.name, True)
    return Hello(1, "0.1.0", "6.1.192", "armv7l", 4096, b"1st boot", 1000, 1, (volume,))


def epoch(number: int, rng: random.Random) -> Iterator[Pages | EpochEnd]:
    """Runs of neighbours, as programs touch them."""
    first, last = 1024, 1024 + FILES * FILE_PAGES - 20
    ids: set[int] = set()
    while len(ids) < EPOCH_RECORDS:
        start = rng.randrange(first, last)
        ids.update(range(start, start + 20))
    listed = sorted(ids)[:EPOCH_RECORDS]
    for at in range(0, len(listed), FRAME_RECORDS):
        part = tuple(listed[at : at + FRAME_RECORDS])
        yield Pages(0, number, number * 1000, part, bytes(len(part)))
    yield EpochEnd(0, number, number * 1000, (len(listed), 0, 0, 0))


class PacedLink:
    """A line that brings each epoch's frames over its second."""

    writable = False
    away = False
    gaps = 0
    overruns = 0

    def __init__(self, index: ImageIndex) -> None:
        rng = random.Random(SEED)
        self._frames = [encode_message(hello(index), 0)]
        messages = (message for number in range(1, SECONDS + 5) for message in epoch(number, rng))
        self._frames += [
            encode_message(message, seq % 65536) for seq, message in enumerate(messages, 1)
        ]
        self._a_second = len(self._frames) / (SECONDS + 4)
        self._began = monotonic()
        self._said = 0

    def read(self, timeout: float) -> bytes | None:
        due = int((monotonic() - self._began) * self._a_second) + 1
        if due == self._said:
            # The pace of the line is what is measured against.
            sleep(0.01)
            return b""
        data, self._said = b"".join(self._frames[self._said : due]), due
        return data

    def write(self, data: bytes) -> None:
        raise AssertionError

    def close(self) -> None:
        pass


class WatchedApp(LiveApp):
    """Says when it has drawn."""

    CSS_PATH = str(Path(inspect.getfile(LiveApp)).with_name("live.tcss"))

    def __init__(self, feed: Feed) -> None:
        super().__init__(feed, lambda path, data: None)
        self.drawn = asyncio.Event()

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        super()._display(screen, renderable)
        self.drawn.set()


async def live(index: ImageIndex, size: tuple[int, int], name: str) -> None:
    link = PacedLink(index)

    def begin(
        observer: Observer,
        on_events: Callable[[Sequence[Event]], None],
        commands: Callable[[], Iterable[Wish]],
        stop: Callable[[], bool],
    ) -> Recording:
        with tempfile.TemporaryFile(buffering=0) as file:
            writer = CaptureWriter(file, index=index)
            watch = LineWatch("bench", 115_200, index)
            return record(
                link,
                writer,
                watch,
                observer,
                StopAfter(stop=stop),
                commands=commands,
                on_events=on_events,
            )

    feed = LiveRecording("bench", Path("bench.tpcap"), index, begin)
    app = WatchedApp(feed)
    waits = []
    async with app.run_test(size=size) as pilot:
        link._began = monotonic()
        await asyncio.sleep(WARM_UP)
        wall, used = monotonic(), process_time()
        await asyncio.sleep(SECONDS / 2)
        show(
            f"{name}-core", round((process_time() - used) / (monotonic() - wall), 3), "of-one-core"
        )
        while monotonic() - wall < SECONDS - WARM_UP:
            for key in KEYS:
                app.drawn.clear()
                began = monotonic()
                app.post_message(events.Key(key, None))
                await app.drawn.wait()
                waits.append(monotonic() - began)
                await pilot.pause()
        records = app._snapshot.records
        feed.stop()
    assert records > EPOCH_RECORDS * SECONDS / 3, "the line did not come as fast as it should"
    waits.sort()
    show(f"{name}-key-median", round(1000 * waits[len(waits) // 2], 1), "ms")
    show(f"{name}-key-p99", round(1000 * waits[len(waits) * 99 // 100], 1), "ms")


def memory(index: ImageIndex) -> None:
    """The memory that an hour of epochs of a second adds to that of the first minutes.

    Each epoch brings EPOCH_RECORDS records, and the view looks at all pages once a minute.
    """
    rng = random.Random(SEED)
    heat = LiveHeat(index)
    heat.take([Frame(0, 0, hello(index), False)])
    variety = [list(epoch(1, rng)) for _ in range(EPOCH_VARIETY)]
    tracemalloc.start()
    sizes: list[int] = []
    for number in range(1, HOUR_EPOCHS + 1):
        messages = [
            replace(message, epoch=number, ms=number * 1000)
            for message in variety[number % EPOCH_VARIETY]
        ]
        heat.take([Frame(seq, 0, message, False) for seq, message in enumerate(messages)])
        if number % 60 == 0:
            heat.snapshot(float(number), whole=True)
            sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    show("tui-memory", round(sizes[-1] / (1 << 20), 1), "MiB")
    # The pages of the last of the variety have come by then.
    show("tui-memory-growth", round((sizes[-1] - sizes[4]) / 1024), "KiB/hour")
    show(
        "tui-memory-growth-of-the-last-half",
        round((sizes[-1] - sizes[len(sizes) // 2]) / 1024),
        "KiB",
    )


def view(index: ImageIndex) -> None:
    rng = random.Random(SEED)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.tpcap"
        with path.open("xb", buffering=0) as file:
            writer = CaptureWriter(file, index=index)
            seq = 0
            writer.line(encode_message(hello(index), 0))
            for number in range(1, VIEW_EPOCHS + 1):
                frames = []
                for message in epoch(number, rng):
                    seq += 1
                    frames.append(encode_message(message, seq % 65536))
                writer.line(b"".join(frames))
            writer.end(Ending.LINE_ENDED)
        first_frame(path)


def first_frame(capture: Path) -> None:
    """From the command to the first line that is drawn, on a terminal of its own; the best of
    three."""
    frames = [drawn(capture, " reading | capture ") for _ in range(3)]
    show("tui-frame", round(1000 * min(wall for wall, _ in frames)), "ms")
    show("tui-frame-cpu", round(1000 * min(cpu for _, cpu in frames)), "ms")
    helps = []
    for _ in range(5):
        began = monotonic()
        subprocess.run([TINYPROF, "--help"], check=True, stdout=subprocess.DEVNULL)
        helps.append(monotonic() - began)
    show("help", round(1000 * min(helps)), "ms")


def drawn(capture: Path, what: str) -> tuple[float, float]:
    """Seconds of wall and of processor time from the command until a match of `what` is drawn."""
    began = monotonic()
    child, terminal = pty.fork()
    if child == 0:
        os.execv(TINYPROF, [str(TINYPROF), "view", str(capture)])
    seen = b""
    while not re.search(what.encode(), seen):
        seen = seen[-65536:] + os.read(terminal, 65536)
    took = monotonic() - began
    os.kill(child, 9)
    _, _, usage = os.wait4(child, 0)
    os.close(terminal)
    return took, usage.ru_utime + usage.ru_stime


def main() -> None:
    index = make_index()
    wanted = set(sys.argv[1:]) or {"live", "view", "memory"}
    if "view" in wanted:
        view(index)
    if "memory" in wanted:
        memory(index)
    if "live" in wanted:
        for name, size in SIZES.items():
            asyncio.run(live(index, size, name))


if __name__ == "__main__":
    main()
