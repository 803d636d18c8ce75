# SPDX-License-Identifier: MIT
"""A recording of a small board, with a hostile file name and a hostile console, and the live view
on it."""

from __future__ import annotations

import os
import queue
import random
import tty
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from textual.notifications import Notification

from support.elf_cases import Shape, link
from tinyprof.capture.format import Ending, Meta
from tinyprof.capture.index import ImageIndex
from tinyprof.capture.writer import CaptureWriter
from tinyprof.cramfs.reading.reader import read_image
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.writer import WriteOptions, write_image
from tinyprof.live.news import Feed, News, Post
from tinyprof.live.playback import FinishedCapture, snapshot_at
from tinyprof.live.snapshot import Snapshot
from tinyprof.pages import Kind
from tinyprof.record.observing import Wish
from tinyprof.rootfs.contents import contents_of_tree
from tinyprof.rootfs.indexing import index_image
from tinyprof.tui.app import LiveApp
from tinyprof.wire.frames import encode_message
from tinyprof.wire.messages import EpochEnd, Hello, Message, Pages, Volume

PAGE = 4096
HOSTILE = "odd\x1b[2J\u202e😀\udcff"
CONSOLE = (
    b"\x1b]0;owned\x07\x1b[2Jlogin: \xe2\x80\xae\xf0\x9f\x98\x80\xff\n"
    + b"a line of a boot, as it ever was\n" * 9
)
"""Long enough to be taken for text with bytes in it that are none."""
EPOCHS = 8


@pytest.fixture(autouse=True)
def lasting_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A short message goes after seconds, and on a busy machine before anybody looks."""
    monkeypatch.setattr(Notification, "time_left", property(lambda it: 3600.0))


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    """Pages that compress to different sizes, so that one is worth more than another for its
    flash."""
    rng = random.Random(20261124)
    top = tmp_path / "root"
    for path, pages in (
        ("bin/busybox", 40),
        ("lib/libc.so", 90),
        ("usr/bin/once", 6),
        (HOSTILE, 3),
    ):
        file = top / path
        file.parent.mkdir(parents=True, exist_ok=True)
        chunks = [
            rng.randbytes(64 * rng.randrange(8, 60)).ljust(PAGE, b"\0") for _ in range(pages)
        ]
        file.write_bytes(b"".join(chunks))
    return top


@pytest.fixture
def line(hello: Hello, index: ImageIndex) -> bytes:
    """Eight epochs: the same pages in each, some in every other one, some only in the first."""
    ids = {file.path: file.page_ids for file in index.files}
    odd = next(path for path in ids if path.startswith("/odd"))
    messages: list[Message] = [hello]
    for epoch in range(1, EPOCHS + 1):
        touched = [*ids["/bin/busybox"][:20], *ids["/lib/libc.so"][10:70], *ids[odd][:2]]
        if epoch % 3 == 0:
            touched += ids["/bin/busybox"][30:36]
        if epoch == 1:
            touched += ids["/usr/bin/once"]
        for at in range(0, len(touched), 60):
            part = tuple(touched[at : at + 60])
            messages.append(Pages(0, epoch, epoch * 1000, part, bytes([Kind.EXEC]) * len(part)))
        messages.append(EpochEnd(0, epoch, epoch * 1000, (len(touched), 0, 0, 0)))
    return CONSOLE + b"".join(encode_message(message, seq) for seq, message in enumerate(messages))


@pytest.fixture
def capture(tmp_path: Path, line: bytes, index: ImageIndex) -> Path:
    path = tmp_path / "board.tpcap"
    with path.open("xb", buffering=0) as file:
        writer = CaptureWriter(file, Meta("0.1.0", "/dev/ttyACM0", 115_200), index)
        writer.line(line)
        writer.end(Ending.LINE_ENDED)
    return path


def all_news(feed: Feed) -> list[News]:
    """What a feed posts, to its end."""
    posted: queue.SimpleQueue[News] = queue.SimpleQueue()
    feed.start(posted.put)
    found = [posted.get(timeout=60)]
    while not found[-1].over:
        found.append(posted.get(timeout=60))
    return found


class Told:
    """A feed that posts what it was given, at once."""

    def __init__(self, news: list[News], capture: Path, *, live: bool = False) -> None:
        self.title, self.live, self.capture = "board.tpcap", live, capture
        self.commands: list[Wish] = []
        self.stopped = False
        self._news = news
        self.post: Post = lambda news: None

    def start(self, post: Post) -> None:
        self.post = post
        for news in self._news:
            post(news)

    def stop(self) -> None:
        self.stopped = True

    def command(self, command: Wish) -> None:
        self.commands.append(command)

    def at(self, epochs: int, wanted: Callable[[], bool]) -> Snapshot | None:
        return snapshot_at([self.capture], None, epochs, wanted)


@pytest.fixture
def news(capture: Path) -> News:
    return all_news(FinishedCapture([capture]))[-1]


def write(path: Path, data: bytes) -> None:
    """Where the program would replace a file in one step."""
    path.write_bytes(data)


@pytest.fixture
def app(news: News, capture: Path) -> LiveApp:
    """The live view on the whole capture."""
    return LiveApp(Told([news], capture), write)


@pytest.fixture
def live_feed(news: News, capture: Path) -> Told:
    """A recording that goes on."""
    return Told([replace(news, over=False)], capture, live=True)


@pytest.fixture
def live_app(live_feed: Told, rootfs: Path) -> LiveApp:
    """The live view of it, with its files at hand."""
    return LiveApp(live_feed, write, contents=contents_of_tree(rootfs))


HOT_PAGE = 3
"""Of the program, which has a page of headers, six of code, and two of data that is only read."""


@pytest.fixture
def capture_of_program(tmp_path: Path) -> Path:
    """A recording in which one page in the middle of a program's code is used; the program is
    beside it."""
    program = tmp_path / "programs/bin/it"
    program.parent.mkdir(parents=True)
    program.write_bytes(link(Shape(bits=32, kind="pie", pages=6)))
    image = read_image(
        write_image(Tree.from_directory(tmp_path / "programs"), {}, WriteOptions()).image
    )
    index = index_image(image)
    (file,) = index.files
    volume = Volume(0, image.superblock.fsid, image.superblock.size, "it", True)
    messages: list[Message] = [
        Hello(1, "0.1.0", "6.1.192", "armv7l", PAGE, b"1st boot", 1000, 1, (volume,))
    ]
    for epoch in range(1, EPOCHS + 1):
        messages.append(
            Pages(0, epoch, epoch * 1000, (file.page_ids[HOT_PAGE],), bytes([Kind.EXEC]))
        )
        messages.append(EpochEnd(0, epoch, epoch * 1000, (1, 0, 0, 0)))
    path = tmp_path / "program.tpcap"
    with path.open("xb", buffering=0) as out:
        writer = CaptureWriter(out, Meta("0.1.0", "/dev/ttyACM0", 115_200), index)
        writer.line(b"".join(encode_message(message, seq) for seq, message in enumerate(messages)))
        writer.end(Ending.LINE_ENDED)
    return path


@pytest.fixture
def target() -> Iterator[tuple[int, str]]:
    """A port: the target's end of it, and the name of the other."""
    master, slave = os.openpty()
    tty.setraw(slave)
    yield master, os.ttyname(slave)
    os.close(slave)
    os.close(master)
