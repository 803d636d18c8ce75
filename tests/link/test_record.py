# SPDX-License-Identifier: MIT
"""The real agent on one end of a null-modem cable, `tinyprof record` on the other."""

from __future__ import annotations

import os
import random
import select
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from link.kernel import Volume
from link.target import Line, Target
from tinyprof.capture import CaptureReader
from tinyprof.records import Kind
from tinyprof.wire import EpochEnd, Frame, Hello, Pages

SEED = 20261124
RECORD = [sys.executable, "-c", "from tinyprof.cli import main; main()", "record"]


class NullModem:
    """Two ptys, each end's output the other's input: what socat would do."""

    def __init__(self) -> None:
        self.ends = (Line(), Line())
        self._stop, self._stopped = os.pipe()
        self._thread = threading.Thread(target=self._pump, daemon=True)
        self._thread.start()

    def _pump(self) -> None:
        one, other = (end.host for end in self.ends)
        across = {one: other, other: one}
        on_the_way = {one: b"", other: b""}
        while True:
            empty = [end for end in across if not on_the_way[end]]
            full = [across[end] for end in across if on_the_way[end]]
            readable, writable, _ = select.select([*empty, self._stop], full, [])
            if self._stop in readable:
                return
            for end in readable:
                on_the_way[end] = os.read(end, 1024)
            for end in writable:
                sent = os.write(end, on_the_way[across[end]])
                on_the_way[across[end]] = on_the_way[across[end]][sent:]

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


def test_record_captures_what_the_kernel_queued(target: Target, cable: NullModem, tmp_path: Path) -> None:
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
        target.tracer.touch(volume, *((rng.randrange(1 << 27), Kind(rng.randrange(4))) for _ in range(3000)))
    done = subprocess.run(
        [*RECORD, hosts_end.path, "-o", tmp_path / "got.tpcap", "--epochs", "6", "--no-tui"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with (tmp_path / "got.tpcap").open("rb") as file:
        messages = [event.message for event in CaptureReader(file).events() if isinstance(event, Frame)]
    assert {v.index for m in messages if isinstance(m, Hello) for v in m.volumes} == {0, 1}
    for volume in (0, 1):
        pages = [m for m in messages if isinstance(m, Pages) and (m.volume, m.epoch) == (volume, 1)]
        got = [(page, Kind(k)) for m in pages for page, k in zip(m.page_ids, m.kinds, strict=True)]
        assert got == target.tracer.taken_of(volume, 1)
        ends = [m for m in messages if isinstance(m, EpochEnd) and m.volume == volume]
        assert sum(ends[0].records) == len(got) > 2900
