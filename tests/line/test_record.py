# SPDX-License-Identifier: MIT
"""The real agent on one end of a null-modem cable, `tinyprof record` on the other."""

from __future__ import annotations

import json
import os
import random
import select
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import pytest

from line.kernel import PATIENCE, Record, Volume
from line.target import Line, Target
from support.commands import PYTHON
from tinyprof.capture.reader import CaptureReader
from tinyprof.pages import Kind
from tinyprof.wire.messages import EpochEnd, Hello, Message, Pages
from tinyprof.wire.sequence import Frame

SEED = 20261124
STALLED_REPEATS = int(os.environ.get("TINYPROF_STALL", "3")) * 2
"""The agent repeats its oldest frame every half second that nobody answers: TINYPROF_STALL is in
seconds."""

STALLED_BURSTS = 5
"""Of 10,000 records, some 4 bytes each: more than the agent, the line and both ptys could hold
together."""

RECORD = [*PYTHON, "record"]


class NullModem:
    """Two ptys, each end's output the other's input: what socat would do."""

    def __init__(self) -> None:
        self.ends = (Line(), Line())
        self._repeated = 0
        self._moved = threading.Condition()
        self._stop, self._stopped = os.pipe()
        self._thread = threading.Thread(target=self._pump, daemon=True)
        self._thread.start()

    def _pump(self) -> None:
        one, other = (end.host for end in self.ends)
        across = {one: other, other: one}
        on_the_way = {one: b"", other: b""}
        last = dict(on_the_way)
        while True:
            empty = [end for end in across if not on_the_way[end]]
            full = [across[end] for end in across if on_the_way[end]]
            readable, writable, _ = select.select([*empty, self._stop], full, [])
            if self._stop in readable:
                return
            for end in readable:
                before, on_the_way[end] = last[end], os.read(end, 1024)
                last[end] = on_the_way[end]
                with self._moved:
                    self._repeated += end == one and last[end] == before
                    self._moved.notify_all()
            for end in writable:
                sent = os.write(end, on_the_way[across[end]])
                on_the_way[across[end]] = on_the_way[across[end]][sent:]

    def until_repeated(self, times: int) -> None:
        """Wait until the agent has sent the same and nothing else so many times."""
        with self._moved:
            wanted = self._repeated + times
            patience = PATIENCE + times
            assert self._moved.wait_for(lambda: self._repeated >= wanted, patience), (
                "it repeats nothing"
            )

    def cut(self) -> None:
        os.close(self._stopped)
        self._thread.join()
        os.close(self._stop)
        for end in self.ends:
            end.hang_up()


@pytest.fixture
def cable() -> Iterator[NullModem]:
    cable = NullModem()
    yield cable
    cable.cut()


def messages_of(capture: Path) -> list[Message]:
    with capture.open("rb") as file:
        return [
            event.message for event in CaptureReader(file).events() if isinstance(event, Frame)
        ]


def records_of(messages: list[Message]) -> list[Record]:
    return [
        Record(pages.volume, pages.epoch, page_id, Kind(kind))
        for pages in messages
        if isinstance(pages, Pages)
        for page_id, kind in zip(pages.page_ids, pages.kinds, strict=True)
    ]


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = monotonic() + PATIENCE
    while not happened():
        assert monotonic() < deadline, "it never happened"
        os.sched_yield()


def test_record_captures_what_the_kernel_queued(
    target: Target, cable: NullModem, tmp_path: Path
) -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    agents_end, hosts_end = cable.ends
    target.plug_in(agents_end.path)
    target.tracer.mount(0, Volume(7))
    target.tracer.mount(1, Volume(8))
    target.tracer.appear()
    target.start(TINYPROF_EPOCH="100")
    target.tracer.until(lambda: len(target.tracer.started) == 2)
    for volume in (0, 1):
        target.tracer.touch(
            volume, *((rng.randrange(1 << 27), Kind(rng.randrange(4))) for _ in range(3000))
        )
    done = subprocess.run(
        [*RECORD, hosts_end.path, "-o", tmp_path / "got.tpcap", "--epochs", "6", "--no-tui"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    messages = messages_of(tmp_path / "got.tpcap")
    assert {v.index for m in messages if isinstance(m, Hello) for v in m.volumes} == {0, 1}
    for volume in (0, 1):
        pages = [
            m for m in messages if isinstance(m, Pages) and (m.volume, m.epoch) == (volume, 1)
        ]
        got = [(page, Kind(k)) for m in pages for page, k in zip(m.page_ids, m.kinds, strict=True)]
        assert got == target.tracer.taken_of(volume, 1)
        ends = [m for m in messages if isinstance(m, EpochEnd) and m.volume == volume]
        assert sum(ends[0].records) == len(got) > 2900


def test_a_recorder_that_stands_still_loses_nothing(
    target: Target, cable: NullModem, tmp_path: Path
) -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    capture = tmp_path / "got.tpcap"
    agents_end, hosts_end = cable.ends
    target.plug_in(agents_end.path)
    target.tracer.mount(0, Volume(7, recording=True))
    target.tracer.appear()
    target.start(TINYPROF_EPOCH="50")
    words = [*RECORD, hosts_end.path, "-o", str(capture), "--json"]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as recorder:
        wait_until(lambda: repeats(capture))
        os.kill(recorder.pid, signal.SIGSTOP)
        for _ in range(STALLED_BURSTS):
            burst = [(rng.randrange(1 << 27), Kind(rng.randrange(4))) for _ in range(10_000)]
            target.tracer.touch(0, *burst)
        cable.until_repeated(STALLED_REPEATS)
        held_back = len(target.tracer.volumes[0].queue)
        os.kill(recorder.pid, signal.SIGCONT)
        target.tracer.until(lambda: not target.tracer.volumes[0].queue)
        wait_until(lambda: records_of(messages_of(capture)) == target.tracer.taken)
        recorder.send_signal(signal.SIGINT)
        out, said = recorder.communicate(timeout=60)
    summary = json.loads(out)
    print(f"{held_back} records held back; {summary['causes']}")
    assert held_back > STALLED_BURSTS * 10_000 / 2
    assert (summary["lossless"], summary["repeats"]) == (True, True), said
    assert summary["causes"]["waited_ms"] > 500 * STALLED_REPEATS


def test_a_listener_that_never_answers_is_told_why_it_hears_so_little(
    target: Target, cable: NullModem, tmp_path: Path
) -> None:
    agents_end, hosts_end = cable.ends
    first, second, third = (tmp_path / f"{name}.tpcap" for name in ("first", "second", "third"))
    target.plug_in(agents_end.path)
    target.tracer.mount(0, Volume(7, recording=True))
    target.tracer.appear()
    target.start(TINYPROF_EPOCH="50")
    assert record(hosts_end, first, "--epochs", "2").returncode == 0
    # Far more frames than are kept.
    target.tracer.touch(0, *((page * 300, Kind.EXEC) for page in range(5000)))
    cable.until_repeated(1)
    listener = record(hosts_end, second, "--one-way", "--duration", "4s")
    said = [line for line in listener.stderr.split("\n") if "waits for acknowledgements" in line]
    print("\n".join(said))
    assert (listener.returncode, len(said)) == (1, 2)
    assert all("record without --one-way" in line for line in said)
    assert "baud" not in listener.stderr
    # The target has kept everything, and what the listener heard was part of it.
    answered = record(hosts_end, third, "--epochs", "40")
    assert answered.returncode == 0, answered.stderr
    assert records_of(messages_of(third)) == target.tracer.taken
    assert set(records_of(messages_of(second))) < set(target.tracer.taken)


def record(end: Line, capture: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [*RECORD, end.path, "-o", str(capture), "--json", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def repeats(capture: Path) -> bool:
    """Whether a recording has heard the target begin to repeat its frames."""
    if not capture.exists() or not capture.stat().st_size:
        return False
    with capture.open("rb") as file:
        reader = CaptureReader(file)
        for _ in reader.events():
            pass
        return reader.decoder.sequence.repeats
