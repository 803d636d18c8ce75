# SPDX-License-Identifier: MIT
"""`tinyprof order` for 65,000 pages and 200,000 symbols: seconds by the clock and of the
processor, and MiB of memory.

The bars are 3 s and 300 MiB. Twenty programs of 3,250 pages have 10,000 functions each. A fifth of
their pages is used.
"""

from __future__ import annotations

import hashlib
import json
import random
import resource
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TINYPROF = Path(sys.executable).with_name("tinyprof")
PROGRAMS, PAGES, FUNCTIONS, PAGE = 20, 3250, 10_000, 4096


def program(rng: random.Random, prefix: str) -> bytes:
    """A 64-bit program of one executable section with functions from end to end."""
    text = rng.randbytes(PAGE) * (PAGES - 1)
    step = len(text) // FUNCTIONS
    names, symbols = bytearray(b"\0"), bytearray(24)
    for number in range(FUNCTIONS):
        at = PAGE + number * step
        symbols += struct.pack("<I2BH2Q", len(names), 2, 0, 1, at, step - 3)
        names += f"{prefix}_function_{number}\0".encode()
    shnames = b"\0.text\0.symtab\0.strtab\0"
    body = bytearray(PAGE) + text
    places = []
    for table in (symbols, names, shnames):
        places.append((len(body), len(table)))
        body += table + bytes(-len(table) % 8)
    sections = [
        (0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
        (1, 1, 6, PAGE, PAGE, len(text), 0, 0, 16, 0),
        (7, 2, 0, 0, *places[0], 3, 1, 8, 24),
        (15, 3, 0, 0, *places[1], 0, 0, 1, 0),
        (15, 3, 0, 0, *places[2], 0, 0, 1, 0),
    ]
    shoff = len(body)
    body += b"".join(struct.pack("<2I4Q2I2Q", *section) for section in sections)
    head = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    head += struct.pack("<2HI3QI6H", 3, 62, 1, 0, 64, shoff, 0, 64, 56, 1, 64, 5, 4)
    head += struct.pack("<2I6Q", 1, 5, 0, 0, 0, PAGE + len(text), PAGE + len(text), PAGE)
    body[: len(head)] = head
    return bytes(body)


def main() -> None:
    rng = random.Random(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "rootfs/lib").mkdir(parents=True)
        files = []
        row = [10, 9, 1, 10, 1, 10, 1]
        for number in range(PROGRAMS):
            data = program(rng, f"p{number}")
            (folder / f"rootfs/lib/p{number}").write_bytes(data)
            pages = sorted(rng.sample(range(1, PAGES), PAGES // 5))
            files.append(
                {
                    "path": f"/lib/p{number}",
                    "size": len(data),
                    "sha256": hashlib.sha256(data).hexdigest(),
                    "images": ["0000000a/1/2/3"],
                    "pages": [[page, "", {"x": row}] for page in pages],
                }
            )
        losses = ("frames", "corrupt", "records", "untraced", "write_errors", "beyond_limits")
        boot = {"image": "0000000a/1/2/3", "kernel": "6.1", "epochs": 10, "weight": 1}
        boot |= {"lost": dict.fromkeys(losses, 0), "phases": [["", 1, 10, 1, True]]}
        whole = {"format": 2, "unknown_pages": 0, "runs": [boot], "files": files}
        (folder / "it.tprof").write_text(json.dumps(whole))
        words = [str(TINYPROF), "order", f"{folder}/it.tprof", "--rootfs", f"{folder}/rootfs"]
        start = time.monotonic()
        subprocess.run(
            [*words, "-o", f"{folder}/order", "--format", "gold"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        took = time.monotonic() - start
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"order {took:.2f} s")
    print(f"order-processor {usage.ru_utime + usage.ru_stime:.2f} s")
    print(f"order-memory {usage.ru_maxrss // 1024} MiB")


if __name__ == "__main__":
    main()
