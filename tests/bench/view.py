# SPDX-License-Identifier: MIT
"""How long `tinyprof view` takes to open a large capture: prints one line a figure, `name value
unit`.

From the command to the screen, on a real pty, that has all of 10 million records: of a target with
20,000 pages in 2,000 files of which each epoch executes half, and of the reference boot again and
again. `cpu` is the processor time of all of its threads.
"""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.line import Line, boot, packed_epoch
from bench.tui import SEED, drawn, epoch, hello, make_index, show
from tinyprof.capture.format import Ending
from tinyprof.capture.writer import CaptureWriter
from tinyprof.wire.messages import Pages

RECORDS = 10_000_000
VARIETY = 50


def large() -> Line:
    index = make_index()
    rng = random.Random(SEED)
    epochs = []
    for _ in range(VARIETY):
        parts = [message for message in epoch(1, rng) if isinstance(message, Pages)]
        page_ids = tuple(page_id for part in parts for page_id in part.page_ids)
        epochs.append(packed_epoch(page_ids, bytes(len(page_ids))))
    return Line("large", hello(index), tuple(epochs), index)


def view(line: Line, path: Path) -> None:
    epochs = line.epochs_of(RECORDS)
    with path.open("xb", buffering=0) as file:
        writer = CaptureWriter(file, index=line.index)
        for piece in line.pieces(epochs):
            writer.line(piece)
        writer.end(Ending.LINE_ENDED)
    wall, cpu = drawn(path, rf" capture (?s:.*) epoch {epochs}\b.* [\d,]{{9,}} records")
    show(f"view-{line.name}", round(wall, 1), "s")
    show(f"view-{line.name}-cpu", round(cpu, 1), "cpu-s")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for line in (large(), boot()):
            view(line, Path(folder, f"{line.name}.tpcap"))


if __name__ == "__main__":
    main()
