# SPDX-License-Identifier: MIT
"""Measures a slow line. Prints one line a figure, `name value unit`.

`goodput`: what the reference board's UART carries at 115,200 baud while the target has more to say
than that, as a share of the line's rate: bytes of all frames that are new, and of those alone that
carry records.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from tinyprof.capture.reader import CaptureReader
from tinyprof.wire.frames import encode_message
from tinyprof.wire.messages import Pages, Status
from tinyprof.wire.sequence import Frame

ROOT = Path(__file__).resolve().parents[2]
BOARD = ROOT / "firmware/board/board"
TINYPROF = Path(sys.executable).with_name("tinyprof")
BAUD = 115_200
ROUNDS = 20


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
        subprocess.run(
            [TINYPROF, "record", port, "-o", capture, "--epoch", "10ms", "--no-tui"], check=True
        )
    seconds, new, records = busy_time(capture)
    print(f"uart-busy {seconds:.1f} s")
    print(f"uart-goodput {100 * new / (seconds * BAUD / 10):.1f} percent")
    print(f"uart-goodput-records {100 * records / (seconds * BAUD / 10):.1f} percent")


def busy_time(capture: Path) -> tuple[float, int, int]:
    """Seconds in which the line was what the target waited for, and the bytes of frames that
    arrived then.

    A status a second tells how long the target has waited for acknowledgements with its window
    full: a second in which that grew counts, from one status to the next. The bytes are those of
    all frames, each counted once, and of those among them that carry records.
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
                began, waited, new_since, records_since = (
                    reader.seconds,
                    event.message.waited_ms,
                    0,
                    0,
                )
            size = len(encode_message(event.message, event.seq))
            new_since += size
            records_since += size if isinstance(event.message, Pages) else 0
    return seconds, new, records


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image", type=Path, help="boot this on the board")
    image = parser.parse_args().image
    goodput(image, image.parent)


if __name__ == "__main__":
    main()
