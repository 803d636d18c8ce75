# SPDX-License-Identifier: MIT
"""A recording is stored first, counted exactly, and ended for a known reason."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from time import monotonic

import pytest

from tinyprof.capture.format import CHUNK_HEAD, CaptureError, Ending
from tinyprof.capture.index import ImageIndex, WrongImageError
from tinyprof.capture.reader import CaptureReader
from tinyprof.capture.writer import CaptureWriter
from tinyprof.errors import TinyprofError
from tinyprof.heat.losses import Losses
from tinyprof.heat.totals import Totals, loss_counts
from tinyprof.record.diagnosis import LineWatch, NoTracerError
from tinyprof.record.observing import Keystrokes, Typing, Wish
from tinyprof.record.recorder import (
    HURRIED_SECONDS,
    REBOOTS_SAID,
    SETTLE_SECONDS,
    Recording,
    StopAfter,
    record,
)
from tinyprof.wire.frames import (
    ConsoleText,
    FrameDecoder,
    HostMark,
    encode_frame,
    encode_message,
)
from tinyprof.wire.messages import (
    NO_BOOT,
    Begin,
    EpochLength,
    Hello,
    HelloPlease,
    Message,
    Pages,
    Rearm,
    RepeatPlease,
    Trace,
)
from tinyprof.wire.ports.link import LinkError
from tinyprof.wire.sequence import Frame


class Script:
    """A link that reads as written down, then ends or fails; it keeps what is sent to it."""

    writable = True
    gaps = 0
    away = False
    overruns = 0

    def __init__(self, reads: list[bytes], then: TinyprofError | None = None) -> None:
        self._reads = reads
        self._then = then
        self.sent = b""

    def read(self, timeout: float) -> bytes | None:
        if self._reads:
            return self._reads.pop(0)
        if self._then:
            raise self._then
        return None

    def write(self, data: bytes) -> None:
        self.sent += data

    def close(self) -> None:
        pass


class Notes:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.text = b""
        self.warnings: list[str] = []

    def progress(self, totals: Callable[[], Totals]) -> None:
        totals()

    def console(self, text: bytes) -> None:
        self.text += text

    def warning(self, warning: TinyprofError) -> None:
        self.warnings.append(str(warning))


class Recorded:
    def __init__(
        self,
        reads: list[bytes],
        limits: StopAfter | None = None,
        index: ImageIndex | None = None,
        then: TinyprofError | None = None,
        epoch_ms: int | None = None,
        commands: tuple[Wish, ...] = (),
        keep: bool = True,
        clock: Callable[[], float] = monotonic,
        one_way: bool = False,
    ) -> None:
        left = list(commands)
        self.link, self.notes, file = Script(reads, then), Notes(), io.BytesIO()
        watch = LineWatch("port", 115_200, index)
        writer = CaptureWriter(file, index=index)
        self.recording: Recording = record(
            self.link,
            writer,
            watch,
            self.notes,
            limits or StopAfter(),
            epoch_ms=epoch_ms,
            commands=lambda: [left.pop(0)] if left else [],
            clock=clock,
            one_way=one_way,
        )
        self.totals = self.recording.totals
        file.seek(0)
        self.capture = CaptureReader(file)
        self.events = list(self.capture.events()) if keep else []


def line_of(messages: list[Message]) -> list[bytes]:
    return [encode_message(message, seq) for seq, message in enumerate(messages)]


def test_a_recording_holds_what_was_sent_and_counts_it(story: list[Message], hello: Hello) -> None:
    line = line_of(story)
    it = Recorded(list(line))
    assert [event.message for event in it.events if isinstance(event, Frame)] == story
    assert (it.recording.ending, it.capture.ending, it.recording.fault) == (
        Ending.LINE_ENDED,
        Ending.LINE_ENDED,
        None,
    )
    totals = it.totals
    assert (totals.hello, totals.records, totals.pages, totals.epochs, totals.boots) == (
        hello,
        4,
        3,
        1,
        1,
    )
    assert totals.bytes == sum(map(len, line))
    assert not totals.losses


def test_a_line_that_comes_byte_by_byte_costs_a_chunk_a_frame(story: list[Message]) -> None:
    line = b"".join(line_of(story))
    slow = Recorded([bytes([byte]) for byte in line], then=LinkError("gone"))
    fast = Recorded([line], then=LinkError("gone"))
    assert slow.events == fast.events
    # The closing zero of the one and the opening zero of the next are frame ends both.
    assert slow.capture.whole_size - fast.capture.whole_size < 2 * len(story) * CHUNK_HEAD.size


def test_what_no_frame_ends_is_kept_when_the_line_is_silent(story: list[Message]) -> None:
    text = b"half a line of console text"
    it = Recorded([*line_of(story), text, b""], then=LinkError("gone"))
    assert it.capture.line_bytes == sum(map(len, line_of(story))) + len(text)


def test_the_target_is_asked_for_a_hello_and_for_epochs(story: list[Message]) -> None:
    asked = FrameDecoder().feed(Recorded(line_of(story), epoch_ms=250).link.sent)
    assert [event.message for event in asked if isinstance(event, Frame)] == [
        EpochLength(250),
        RepeatPlease(),
        HelloPlease(),
    ]


def test_a_mark_is_kept_at_its_place_and_ends_the_targets_epoch(story: list[Message]) -> None:
    it = Recorded(line_of(story), commands=(HostMark("start"), HostMark("steady")))
    kinds = [type(event).__name__ for event in it.events]
    assert kinds == ["HostMark", "Frame", "HostMark", "Frame", "Frame"]
    assert [event.text for event in it.events if isinstance(event, HostMark)] == [
        "start",
        "steady",
    ]
    asked = [
        event.message for event in FrameDecoder().feed(it.link.sent) if isinstance(event, Frame)
    ]
    assert asked.count(Rearm()) == 2


def test_the_target_is_told_once_what_it_does_at_once(story: list[Message], hello: Hello) -> None:
    stopped = replace(hello, epoch_ms=250, volumes=(replace(hello.volumes[0], recording=False),))
    line = line_of([*story, stopped, Rearm()])
    it = Recorded(line, commands=(EpochLength(250), Trace(False), Rearm()))
    asked = [
        event.message for event in FrameDecoder().feed(it.link.sent) if isinstance(event, Frame)
    ]
    assert EpochLength(250) in asked
    assert asked.count(Trace(False)) == 1
    assert asked.count(Rearm()) == 1


def test_a_target_that_does_not_stop_when_told_is_named(story: list[Message]) -> None:
    seconds = count()
    line = [*line_of(story), *[b"\0"] * 30]
    it = Recorded(line, commands=(Trace(False),), clock=lambda: float(next(seconds)))
    asked = [
        event.message for event in FrameDecoder().feed(it.link.sent) if isinstance(event, Frame)
    ]
    assert asked.count(Trace(False)) <= 10
    (warning,) = (warning for warning in it.notes.warnings if "does not start or stop" in warning)
    assert "older" in warning


def test_a_line_of_one_way_says_that_it_carries_no_order(story: list[Message]) -> None:
    it = Recorded(line_of(story), commands=(Trace(False), HostMark("steady")), one_way=True)
    assert not it.link.sent
    (warning,) = (warning for warning in it.notes.warnings if "carries nothing" in warning)
    assert "--one-way" in warning
    assert HostMark("steady") in it.events


def test_a_lost_frame_is_counted_in_frames_and_in_records(story: list[Message]) -> None:
    hello, _, end = line_of(story)
    assert Recorded([hello, end]).totals.losses == Losses(frames=1, records=4)


def test_a_frame_sent_twice_is_no_loss(story: list[Message]) -> None:
    hello, pages, end = line_of(story)
    assert not Recorded([hello, pages, pages, end, end]).totals.losses


def test_console_text_is_told_and_kept(story: list[Message]) -> None:
    hello, *rest = line_of(story)
    it = Recorded([hello, b"log", b"in: ", *rest])
    assert it.notes.text == b"login: "
    assert it.totals.console_bytes == 7
    assert not it.totals.losses


def test_a_message_of_an_unknown_type_is_kept_and_counted(story: list[Message]) -> None:
    unknown = encode_frame(b"\x93\x63\x03\xa5later")
    it = Recorded([*line_of(story), unknown])
    assert it.totals.unknown_messages == 1
    assert not it.totals.losses
    file = it.capture._file
    file.seek(0)
    assert b"later" in file.read()


def test_a_reboot_is_said_and_counts_another_run(story: list[Message], hello: Hello) -> None:
    again = [replace(hello, boot_id=b"2nd boot"), *story[1:]]
    it = Recorded(line_of(story) + line_of(list(again)))
    assert (it.totals.boots, it.totals.epochs, it.totals.records, it.totals.pages) == (2, 2, 8, 3)
    assert not it.totals.losses
    assert any("rebooted" in warning for warning in it.notes.warnings)


def test_a_target_that_reboots_for_ever_costs_no_memory(
    story: list[Message], hello: Hello
) -> None:
    def boot(number: int) -> bytes:
        pages = Pages(number, 1, 0, (number,), b"\0")
        again = replace(hello, boot_id=(number + 1).to_bytes(8, "big"))
        return encode_message(again, 0) + encode_message(pages, 1)

    tracemalloc.start()
    try:
        it = Recorded(
            [b"".join(map(boot, range(at, at + 50))) for at in range(0, 5_000, 50)], keep=False
        )
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert it.totals.boots == 5_000
    assert len(it.notes.warnings) == REBOOTS_SAID
    assert peak < 3_000_000


def test_it_stops_after_so_many_epochs_in_the_middle_of_a_frame(story: list[Message]) -> None:
    line = line_of(story)
    it = Recorded([b"".join(line) + line[1][:9], b"never read"], StopAfter(epochs=1))
    assert it.recording.ending is it.capture.ending is Ending.EPOCHS
    assert it.link._reads == [b"never read"]
    assert not it.totals.losses


def test_it_stops_when_it_is_told_to(story: list[Message]) -> None:
    answers = iter([False, False, True])
    it = Recorded([*line_of(story)[:2], b"never read"], StopAfter(stop=lambda: next(answers)))
    assert it.recording.ending is it.capture.ending is Ending.INTERRUPTED
    assert it.totals.records == 4


@pytest.mark.parametrize("signalled_after", [0.0, 1.0, None])
def test_a_signal_shortens_the_wait_for_frames_that_are_repeated(
    story: list[Message], signalled_after: float | None
) -> None:
    now = 0.0

    class Silent(Script):
        def read(self, timeout: float) -> bytes | None:
            nonlocal now
            now += 0 if self._reads else 0.1
            return self._reads.pop(0) if self._reads else b""

    def is_signalled() -> bool:
        return signalled_after is not None and now >= 0.5 + signalled_after

    begin = encode_message(Begin(1), 0, repeated=True)
    late = encode_message(story[1], 2, repeated=True)
    recording = record(
        Silent([begin + late]),
        CaptureWriter(io.BytesIO()),
        LineWatch("port", 1),
        Notes(),
        StopAfter(seconds=0.5, stop=is_signalled),
        clock=lambda: now,
    )
    assert recording.totals.records == 4
    settled = {0.0: HURRIED_SECONDS, 1.0: 1.0, None: SETTLE_SECONDS}[signalled_after]
    assert now == pytest.approx(0.5 + settled, abs=0.11)


def test_it_stops_in_time() -> None:
    assert Recorded([b""] * 10, StopAfter(seconds=0)).recording.ending is Ending.DURATION


def without_tracer(hello: Hello, abi: int = 0, boot_id: bytes = NO_BOOT) -> Hello:
    return replace(hello, tracer=abi, volumes=(), boot_id=boot_id)


@pytest.mark.parametrize("abi", [0, 2])
def test_a_kernel_that_stays_without_tracer_ends_it(
    hello: Hello, index: ImageIndex, abi: int
) -> None:
    said = [encode_message(without_tracer(hello, abi), seq) for seq in range(9)]
    it = Recorded(list(said), index=index, clock=count().__next__)
    assert isinstance(it.recording.fault, NoTracerError)
    assert it.capture.ending is Ending.NO_TRACER
    assert it.link._reads
    assert len(it.notes.warnings) == 1
    assert "tracer" in it.notes.warnings[0]


def test_a_line_that_ends_before_there_is_a_tracer_is_a_fault(hello: Hello) -> None:
    it = Recorded([encode_message(without_tracer(hello), 0)])
    assert isinstance(it.recording.fault, NoTracerError)
    assert it.capture.ending is Ending.LINE_ENDED


def test_a_tracer_that_appears_late_is_one_run_and_no_fault(
    story: list[Message], hello: Hello, index: ImageIndex
) -> None:
    it = Recorded(line_of([without_tracer(hello), *story]), index=index)
    assert (it.recording.fault, it.totals.boots, it.totals.records) == (None, 1, 4)
    assert it.totals.hello == hello
    assert not it.totals.losses


def test_hellos_that_each_name_some_volumes_add_up(
    story: list[Message], hello: Hello, index: ImageIndex
) -> None:
    (ours,) = hello.volumes
    others = [replace(ours, index=n, fsid=replace(ours.fsid, crc=n)) for n in range(1, 4)]
    hellos = [replace(hello, volumes=tuple(others[:2])), replace(hello, volumes=(ours, others[2]))]
    it = Recorded(line_of([*hellos, *story[1:]]), index=index)
    assert (it.recording.fault, it.notes.warnings, it.totals.boots) == (None, [], 1)
    assert it.totals.hello is not None
    assert it.totals.hello.volumes == (ours, *others)


@pytest.mark.parametrize("echo", [encode_message(HelloPlease(), 0), b"^@^D\x92\x10^Zm4^B^@\r\n"])
def test_the_echo_of_what_the_host_says_is_no_loss(story: list[Message], echo: bytes) -> None:
    it = Recorded([echo, *line_of(story)])
    assert not it.totals.losses
    assert (it.totals.boots, it.totals.records, it.totals.joined_late) == (1, 4, False)


def test_another_image_is_a_fault_and_the_recording_is_whole(
    story: list[Message], index: ImageIndex
) -> None:
    other = replace(index, fsid=replace(index.fsid, edition=7))
    it = Recorded(line_of(story), index=other)
    assert isinstance(it.recording.fault, WrongImageError)
    assert len(it.notes.warnings) == 1
    assert it.totals.records == 4
    assert it.capture.ending is Ending.LINE_ENDED


def test_a_link_that_fails_leaves_what_came_before(story: list[Message]) -> None:
    it = Recorded(line_of(story), then=LinkError("unplugged"))
    assert isinstance(it.recording.fault, LinkError)
    assert (it.recording.ending, it.totals.records, len(it.events)) == (None, 4, 3)


def test_a_link_that_fails_in_the_middle_of_console_text_keeps_it(story: list[Message]) -> None:
    it = Recorded([*line_of(story), b"Kernel panic"], then=LinkError("unplugged"))
    assert isinstance(it.recording.fault, LinkError)
    assert it.events[-1] == ConsoleText(b"Kernel panic")
    assert it.notes.text == b"Kernel panic"


def test_a_link_that_fails_before_a_repetition_tells_of_the_loss(
    story: list[Message], hello: Hello
) -> None:
    first, _, end = line_of([replace(hello, window=32), *story[1:]])
    it = Recorded([first, end], then=LinkError("unplugged"))
    assert it.totals.losses == Losses(frames=1, records=4)
    assert it.capture.losses == loss_counts(it.totals)


def test_a_disk_that_fills_up_leaves_what_came_before(story: list[Message]) -> None:
    hello, *rest = line_of(story)

    class Full(CaptureWriter):
        def line(self, data: bytes, seconds: float = 0.0) -> None:
            if data != hello:
                raise CaptureError("the capture cannot be written on: No space left on device")
            super().line(data, seconds)

    file = io.BytesIO()
    recording = record(Script([hello, *rest]), Full(file), LineWatch("port", 1), Notes())
    assert isinstance(recording.fault, CaptureError)
    file.seek(0)
    assert len(list(CaptureReader(file).events())) == 1


@pytest.mark.parametrize("volume", [0, 9])
def test_pages_alone_need_no_hello(volume: int) -> None:
    it = Recorded([encode_message(Pages(volume, 1, 0, (5,), b"\0"), 7)])
    assert (it.totals.hello, it.totals.records) == (None, 1)


def test_text_is_told_before_any_frame_and_before_a_zero() -> None:
    it = Recorded([b"U-Boot 2026.01\r\n", b"login: ", b""])
    assert it.notes.text == b"U-Boot 2026.01\r\nlogin: "


class Watched(Script):
    """A link that notes what had been sent to it by each read."""

    def __init__(self, reads: list[bytes]) -> None:
        super().__init__(reads)
        self.sent_by: list[bytes] = []

    def read(self, timeout: float) -> bytes | None:
        self.sent_by.append(self.sent)
        return super().read(timeout)


def test_while_somebody_types_the_target_gets_keys_and_no_frame() -> None:
    wishes: list[Wish] = [Typing(True), Keystrokes(b"ro\0ot\r"), Rearm(), Typing(False)]
    link = Watched([b"x\n", b"x\n", b"x\n", b"x\n", b"x\n"])
    now = count()

    def next_wish() -> list[Wish]:
        return [wishes.pop(0)] if wishes else []

    record(
        link,
        CaptureWriter(io.BytesIO()),
        LineWatch("port", 115_200),
        Notes(),
        commands=next_wish,
        clock=lambda: float(next(now)),
    )
    first = link.sent_by[0]
    assert first, "the host asks a target that it finds"
    assert link.sent_by[1] == first + b"root\r"
    assert link.sent_by[2] == link.sent_by[1]
    assert link.sent_by[-1].startswith(link.sent_by[1] + b"\0")


def test_keys_go_out_on_a_one_way_line_too() -> None:
    it = Recorded([b"x\n", b"x\n"], commands=(Keystrokes(b"root\r"),), one_way=True)
    assert it.link.sent == b"root\r"
