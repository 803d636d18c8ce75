# SPDX-License-Identifier: MIT
"""What the line carries and the host bears: prints one line a figure, `name value unit`.

`goodput`: what the reference board's UART carries at 115,200 baud while the target has more to say than that,
as a share of the line's rate: bytes of all frames that are new, and of those alone that carry records. `pty`:
a recording from a pty, against a line of 3 Mbaud. `replay`: records of one capture after another through
decoder and counts, and what memory they took.
"""

from __future__ import annotations

import argparse
import io
import os
import resource
import subprocess
import sys
import tempfile
import threading
import tty
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.decoder import EPOCH_RECORDS, EPOCHS, Silent, messages
from tinyprof.capture import CaptureReader, CaptureWriter
from tinyprof.link import DescriptorLink
from tinyprof.recorder import record
from tinyprof.tally import Tally
from tinyprof.watch import LineWatch
from tinyprof.wire import Frame, Pages, Status, encode_message

ROOT = Path(__file__).resolve().parents[2]
BOARD = ROOT / "firmware/qemu/board"
TINYPROF = Path(sys.executable).with_name("tinyprof")
BAUD = 115_200
ROUNDS = 20
FAST_LINE = 3_000_000 / 10


def line() -> bytes:
    return b"".join(encode_message(message, seq) for seq, message in enumerate(messages()))


def goodput(image: Path, folder: Path) -> None:
    """Epochs of 10 ms give the target something to say at any time."""
    capture = folder / "busy.tpcap"
    capture.unlink(missing_ok=True)
    words = [
        "--serial",
        "pty",
        "--baud",
        str(BAUD),
        "--append",
        f"init=/sbin/tinyprof-agent cramfs.tinyprof=1 WORKLOAD_ROUNDS={ROUNDS}",
    ]
    with subprocess.Popen(
        [BOARD, "run", image, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as board:
        assert board.stderr
        port = next(said.split()[-1] for said in board.stderr if "line is" in said)
        subprocess.run([TINYPROF, "record", port, "-o", capture, "--epoch", "10ms", "--no-tui"], check=True)
    seconds, new, records = busy_time(capture)
    print(f"uart-busy {seconds:.1f} s")
    print(f"uart-goodput {100 * new / (seconds * BAUD / 10):.1f} percent")
    print(f"uart-goodput-records {100 * records / (seconds * BAUD / 10):.1f} percent")


def busy_time(capture: Path) -> tuple[float, int, int]:
    """Seconds in which the line was what the target waited for, and the bytes of frames that arrived then.

    A status a second tells how long the target has waited for acknowledgements with its window full: a second
    in which that grew counts, from one status to the next. The bytes are those of all frames, each counted
    once, and of those among them that carry records.
    """
    seconds, new, records = 0.0, 0, 0
    began, waited, new_since, records_since = 0.0, -1, 0, 0
    with capture.open("rb") as file:
        reader = CaptureReader(file)
        for event in reader.events():
            if not isinstance(event, Frame):
                continue
            if isinstance(event.message, Status):
                if 0 <= waited < event.message.waited_ms:
                    seconds += reader.seconds - began
                    new, records = new + new_since, records + records_since
                began, waited, new_since, records_since = reader.seconds, event.message.waited_ms, 0, 0
            size = len(encode_message(event.message, event.seq))
            new_since += size
            records_since += size if isinstance(event.message, Pages) else 0
    return seconds, new, records


def pty(data: bytes) -> None:
    """A writer that is always ahead of the recorder."""
    master, slave = os.openpty()
    tty.setraw(slave)

    def write() -> None:
        left = memoryview(data)
        while left:
            left = left[os.write(master, left[: 1 << 16]) :]
        os.close(master)

    threading.Thread(target=write, daemon=True).start()
    link = DescriptorLink(slave, "pty", writable=False)
    began = perf_counter()
    with tempfile.TemporaryFile(buffering=0) as file:
        recording = record(link, CaptureWriter(file), LineWatch("pty", BAUD), Silent())
    took = perf_counter() - began
    link.close()
    print(f"pty {recording.totals.bytes / took / FAST_LINE:.1f} times a line of 3 Mbaud")


def replay(data: bytes, millions: int) -> None:
    """The same line again and again, as a capture that never ends."""
    file = io.BytesIO()
    writer = CaptureWriter(file)
    writer.line(data)
    records = EPOCHS * EPOCH_RECORDS
    began, before = perf_counter(), peak()
    rounds = -(-millions * 1_000_000 // records)
    for _ in range(rounds):
        file.seek(0)
        tally = Tally()
        for event in CaptureReader(file).events():
            tally.take(event)
    took = perf_counter() - began
    print(f"replay {rounds * records / took:.0f} records/s over {rounds * records} records")
    print(f"replay-memory {(peak() - before) / 1024:.1f} MiB more at its peak")


def peak() -> int:
    """KiB that this process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image", type=Path, nargs="?", help="boot this on the board, too")
    parser.add_argument("--millions", type=int, default=100, help="records to replay (100)")
    words = parser.parse_args()
    data = line()
    pty(data)
    replay(data, words.millions)
    if words.image:
        goodput(words.image, words.image.parent)


if __name__ == "__main__":
    main()
