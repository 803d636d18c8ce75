# SPDX-License-Identifier: MIT
"""Feeds mutated images to the reader, the checker and the extractor: seeds in, failures out.

1. A case is made from its number alone, so any of them can be made again.
2. Two of three cases have their CRC made right again, so that they get as far as they can.
3. No case may take more than SECONDS_MAX of processor time or memory_limit() of its size; every
   case runs in a process whose memory ends there. Every STEPS_EVERY-th case has its calls counted,
   too.
4. A check lists at most FINDINGS_MAX findings.

Run as a program it takes a number of cases and of cores: `python tests/support/image_fuzz.py
200000 2`.
"""

from __future__ import annotations

import contextlib
import os
import random
import resource
import shutil
import struct
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from support.cost import peak_memory, steps
from support.cramfs_cases import Case, make_case
from tinyprof.cramfs.format import ImageError
from tinyprof.cramfs.reading.checker import check_image
from tinyprof.cramfs.reading.directory import Entry
from tinyprof.cramfs.reading.extractor import extract_image
from tinyprof.cramfs.reading.findings import FINDINGS_MAX
from tinyprof.cramfs.reading.reader import Image, read_image
from tinyprof.cramfs.writing.writer import write_image

BASES = 24
EXTRACT_EVERY = 20
STEPS_EVERY = 97
BATCH = 2_000
SECONDS_MAX = 2.0
"""Seconds of processor time. No image of a few pages may take longer, however it is made."""

STEPS_A_BYTE = 40
"""Calls for each byte of an image, beyond STEPS_FREE of them."""

STEPS_FREE = 200_000
MEMORY_FREE = 64 << 20
"""Bytes. An image may take this and eight times its own size."""

WORDS = (
    0,
    1,
    3,
    4,
    76,
    0xFF,
    0xFFF,
    0x1000,
    0xFFFFFF,
    0x1000000,
    0x3FFFFFFF,
    0x40000000,
    0x80000000,
    0xFFFFFFFF,
)


@dataclass(frozen=True)
class Failure:
    """A case that misbehaved, and how."""

    number: int
    what: str


def bases() -> list[bytes]:
    """Small images of all kinds to start from."""
    images: list[bytes] = []
    seed = 0
    while len(images) < BASES:
        case = make_case(seed, kernels=("patched", "mainline", "nommu"), big_endian=True)
        seed += 1
        if sum(len(file.content) for file in case.files.values()) < 40_000:
            images.append(write_image(_small(case).tree(), case.plan, case.options).image)
    return images


def _small(case: Case) -> Case:
    """Without the directories that only make it slow."""
    deep = {path for path in case.directories if path.count("/") > 6}
    case.directories = [path for path in case.directories if path not in deep]
    for paths in (case.files, case.links):
        for path in [path for path in paths if path.rpartition("/")[0] in deep]:
            del paths[path]
    return case


def mutate(image: bytes, rng: random.Random) -> bytes:
    """One to six changes, most of them where the structure is."""
    broken = bytearray(image)
    for _ in range(rng.randrange(1, 7)):
        limit = rng.choice((76, 600, 2_500, len(broken)))
        at = rng.randrange(max(min(limit, len(broken) - 4), 1))
        match rng.randrange(6):
            case 0:
                broken[at] ^= 1 << rng.randrange(8)
            case 1:
                broken[at] = rng.randrange(256)
            case 2:
                struct.pack_into(rng.choice("<>") + "I", broken, at & ~3, rng.choice(WORDS))
            case 3:
                struct.pack_into(
                    rng.choice("<>") + "I", broken, at & ~3, rng.randrange(len(broken))
                )
            case 4:
                other = rng.randrange(len(broken))
                size = rng.choice((4, 12, 16, 64))
                broken[at : at + size] = broken[other : other + size]
            case _:
                if rng.random() < 0.1:
                    del broken[rng.randrange(len(broken)) :]
        if len(broken) < 8:
            break
    return bytes(broken)


def sealed(image: bytes) -> bytes:
    """The image with the CRC and the size that it now has, as far as it has a superblock."""
    for at in (0, 512):
        for order in "<>":
            if image[at : at + 4] == struct.pack(order + "I", 0x28CD3D45) and len(image) > at + 76:
                fixed = bytearray(image)
                struct.pack_into(order + "I", fixed, at + 4, len(image))
                fixed[at + 32 : at + 36] = bytes(4)
                struct.pack_into(order + "I", fixed, at + 32, zlib.crc32(fixed[at:]))
                return bytes(fixed)
    return image


def memory_limit(size: int) -> int:
    """The bytes of memory that an image of `size` bytes may take."""
    return MEMORY_FREE + 8 * size


def steps_limit(size: int) -> int:
    """The calls that an image of `size` bytes may take."""
    return STEPS_FREE + STEPS_A_BYTE * size


def try_image(image: bytes, target: Path | None) -> str:
    """A sentence about a fault in the way an image is treated; empty if there is none."""
    try:
        report = check_image(image)
        if len(report.findings) > FINDINGS_MAX:
            return f"{len(report.findings)} findings"
        with contextlib.suppress(ImageError):
            read_image(image)
        parsed = read_image(image, salvage=True)
        for entry in {(entry.ino, entry.size): entry for entry in parsed.entries}.values():
            _read(parsed, entry)
        if target is not None:
            extract_image(parsed, target)
    except ImageError:
        return ""
    except (Exception, MemoryError) as error:
        return repr(error)
    return ""


def _read(image: Image, entry: Entry) -> None:
    with contextlib.suppress(ImageError):
        image.read(entry)


def run(numbers: range) -> tuple[int, list[Failure]]:
    """Try these cases. Gives their number, and the failures."""
    images = bases()
    failures: list[Failure] = []
    limit_memory(memory_limit(2 * max(map(len, images))))
    in_memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=in_memory) as scratch:
        outside = _witness(Path(scratch))
        for number in numbers:
            image = make(number, images)
            target = Path(scratch) / "in" / "target" if number % EXTRACT_EVERY == 0 else None
            began = time.process_time()
            what = try_image(image, target)
            if time.process_time() - began > SECONDS_MAX:
                what = what or f"took {time.process_time() - began:.1f} s"
            if number % STEPS_EVERY == 0:
                count = steps(lambda image=image: try_image(image, None))  # type: ignore[misc]
                if count > steps_limit(len(image)):
                    what = what or f"took {count} calls for {len(image)} bytes"
            if target is not None:
                shutil.rmtree(target, ignore_errors=True)
                if _witness_of(Path(scratch)) != outside:
                    what = "wrote outside its directory"
            if what:
                failures.append(Failure(number, what))
    return len(numbers), failures


def make(number: int, images: list[bytes]) -> bytes:
    """The image of a case."""
    rng = random.Random(number)
    image = mutate(images[rng.randrange(len(images))], rng)
    return sealed(image) if number % 3 else image


def limit_memory(room: int) -> None:
    """Let this process have `room` bytes more than it has now. Going beyond is a MemoryError."""
    pages = int(Path("/proc/self/statm").read_text().split()[5])
    limit = pages * resource.getpagesize() + room
    resource.setrlimit(resource.RLIMIT_DATA, (limit, resource.RLIM_INFINITY))


def _witness(scratch: Path) -> object:
    (scratch / "in").mkdir()
    (scratch / "in" / "canary").write_bytes(b"alive")
    return _witness_of(scratch)


def _witness_of(scratch: Path) -> object:
    found = sorted(scratch.rglob("*"))
    return [
        (path, path.lstat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in found
    ]


def run_parallel(
    cases: int,
    first: int = 0,
    jobs: int = 0,
    *,
    run: Callable[[range], tuple[int, list[Failure]]] = run,
) -> tuple[int, list[Failure]]:
    """Try `cases` cases from `first` on, on all cores."""
    batches = [
        range(at, min(at + BATCH, first + cases)) for at in range(first, first + cases, BATCH)
    ]
    tried, failures = 0, list[Failure]()
    with ProcessPoolExecutor(jobs or os.cpu_count()) as pool:
        for count, found in pool.map(run, batches):
            tried += count
            failures += found
    return tried, failures


def memory_peak(image: bytes) -> int:
    """The most bytes that treating an image takes at once."""
    return peak_memory(lambda: try_image(image, None))


def corpus(folder: Path) -> list[Path]:
    """The images of past findings."""
    return sorted(folder.glob("*.cramfs"))


if __name__ == "__main__":
    began = time.monotonic()
    tried, failures = run_parallel(
        int(sys.argv[1]), jobs=int(sys.argv[2]) if len(sys.argv) > 2 else 0
    )
    for failure in failures:
        print(f"case {failure.number}: {failure.what}")
    print(f"{tried} cases in {time.monotonic() - began:.0f} s, {len(failures)} misbehaved")
    sys.exit(bool(failures))
