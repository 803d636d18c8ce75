# SPDX-License-Identifier: MIT
"""Feeds mutated device tables and packs of the block cache to their readers: failures out.

1. A case is made from its number alone, so any of them can be made again.
2. The checksums of two of three packs are made right again.
3. A table must be refused by TreeError or give a tree. A pack must never change the content of an
   image; it may only replace a block by another one of the same page.
4. Calls are counted for every STEPS_EVERY-th case, and the memory of the process is limited.
"""

from __future__ import annotations

import random
import re
import shutil
import struct
import tempfile
import time
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

from support.cost import steps
from support.cramfs_cases import Case, File
from support.image_fuzz import (
    SECONDS_MAX,
    STEPS_EVERY,
    Failure,
    limit_memory,
    memory_limit,
)
from tinyprof.cramfs.format import TreeError
from tinyprof.cramfs.reading.reader import read_image
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.cache import ENTRY_SIZE, TAIL, DiskCache
from tinyprof.cramfs.writing.device_table import ENTRIES_MAX, apply_device_table
from tinyprof.cramfs.writing.writer import WriteOptions, write_image
from tinyprof.pages import PAGE_SIZE

TABLES = (
    "# devices\n/dev d 755 0 0 - - - - -\n/dev/null c 666 root root 1 3 0 0 -\n",
    "/dev d 755 0 0\n/dev/hda b 640 root disk 3 1 1 1 15\n/su f -1 10 10\n",
    "/ d 700 0 0\n/pipe p 622 - -\n/dev d 755 0 0\n/dev/tty c 666 0 5 4 0 0 1 64\n",
)
WORDS = ("-", "-1", "0", "1", "255", "256", "65536", "9" * 5000, "root", "/", "c", "d", "\0", "é")
STEPS_OF_TABLE = 60 * ENTRIES_MAX
"""Calls. A table may spell out ENTRIES_MAX entries, whatever its size."""

STEPS_OF_PACK = 40_000


def run_tables(numbers: range) -> tuple[int, list[Failure]]:
    """Try these tables. Gives their number, and the failures."""
    failures: list[Failure] = []
    base = _tree()
    limit_memory(memory_limit(10_000))
    for number in numbers:
        table = _table(random.Random(number))
        what = _timed(partial(_try_table, base, table))
        if number % STEPS_EVERY == 0 and not what:
            count = steps(partial(_try_table, base, table))
            what = f"took {count} calls" if count > STEPS_OF_TABLE else ""
        if what:
            failures.append(Failure(number, what))
    return len(numbers), failures


def _tree() -> Tree:
    etc = {"/etc/passwd": File(b"root:x:0:0::/:\n"), "/etc/group": File(b"root:x:0:\ndisk:x:6:\n")}
    return Case(0, files={**etc, "/su": File(b"su")}, directories=["/etc"]).tree()


def _table(rng: random.Random) -> str:
    """One to five words or characters of a table changed."""
    parts = re.split(r"(\s+)", rng.choice(TABLES))
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(parts))
        match rng.randrange(4):
            case 0:
                parts[at] = rng.choice(WORDS)
            case 1:
                parts[at] = str(rng.randrange(1 << rng.randrange(1, 40)))
            case 2:
                parts.insert(at, rng.choice(("\n", " ", "\t", "\r\n", *parts)))
            case _:
                parts[at] += chr(rng.randrange(1, 0x250))
    return "".join(parts)


def _try_table(base: Tree, table: str) -> str:
    try:
        made = apply_device_table(base, table)
        write_image(made, {}, WriteOptions(threads=1))
    except TreeError as error:
        return "" if str(error) else "an error without a message"
    except (Exception, MemoryError) as error:
        return repr(error)
    return ""


def _timed(action: Callable[[], str]) -> str:
    began = time.process_time()
    what = action()
    took = time.process_time() - began
    return what or (f"took {took:.1f} s" if took > SECONDS_MAX else "")


CONTENT = b"".join(b"%d pages " % number for number in range(4_000))


def run_packs(numbers: range) -> tuple[int, list[Failure]]:
    """Try these packs. Gives their number, and the failures."""
    failures: list[Failure] = []
    tree = Case(0, files={"/file": File(CONTENT)}).tree()
    options = WriteOptions(threads=1)
    right = write_image(tree, {}, options).image
    in_memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=in_memory) as scratch:
        top = Path(scratch)
        good = _pack(top / "good", tree, options)
        limit_memory(memory_limit(2 * len(good)))
        for number in numbers:
            place = top / "case/blocks/level/0.pack"
            place.parent.mkdir(parents=True)
            place.write_bytes(_mutated(good, random.Random(number), seal=bool(number % 3)))
            what = _timed(lambda: _try_pack(top / "case", tree, options, right))
            if number % STEPS_EVERY == 0 and not what:
                count = steps(lambda: _try_pack(top / "case", tree, options, right))
                what = f"took {count} calls" if count > STEPS_OF_PACK else ""
            if what:
                failures.append(Failure(number, what))
            shutil.rmtree(top / "case")
    return len(numbers), failures


def _pack(folder: Path, tree: Tree, options: WriteOptions) -> bytes:
    cache = DiskCache(folder, "level")
    write_image(tree, {}, options, cache=cache)
    cache.save()
    (pack,) = folder.rglob("*.pack")
    return pack.read_bytes()


def _mutated(pack: bytes, rng: random.Random, *, seal: bool) -> bytes:
    broken = bytearray(pack)
    for _ in range(rng.randrange(1, 6)):
        limit = rng.choice((TAIL.size, TAIL.size + 10 * ENTRY_SIZE, len(broken)))
        at = len(broken) - 1 - rng.randrange(min(limit, len(broken)))
        match rng.randrange(4):
            case 0:
                broken[at] ^= 1 << rng.randrange(8)
            case 1:
                broken[at : at + 4] = struct.pack("<I", rng.choice((0, 1, PAGE_SIZE, 0xFFFFFFFF)))
            case 2:
                other = rng.randrange(len(broken))
                broken[at : at + 32] = broken[other : other + 32]
            case _:
                if rng.random() < 0.1:
                    del broken[at:]
        if len(broken) < TAIL.size:
            return bytes(broken)
    return _sealed(broken) if seal else bytes(broken)


def _sealed(pack: bytearray) -> bytes:
    """The pack with every checksum made right, as far as its tail makes sense."""
    count, _, magic = TAIL.unpack(pack[-TAIL.size :])
    begin = len(pack) - TAIL.size - count * ENTRY_SIZE
    if begin < 0:
        return bytes(pack)
    columns = begin + count * 32
    for number in range(count):
        start, size = (
            struct.unpack_from("<I", pack, columns + 4 * (number + count * column))[0]
            for column in (0, 1)
        )
        block = bytes(pack[start : start + size])
        struct.pack_into("<I", pack, columns + 4 * (number + 2 * count), zlib.crc32(block))
    index = bytes(pack[begin : -TAIL.size])
    return bytes(pack[: -TAIL.size]) + TAIL.pack(count, zlib.crc32(index), magic)


def _try_pack(folder: Path, tree: Tree, options: WriteOptions, right: bytes) -> str:
    try:
        cache = DiskCache(folder, "level")
        image = write_image(tree, {}, options, cache=cache).image
        cache.save()
    except (Exception, MemoryError) as error:
        return repr(error)
    if image == right:
        return ""
    parsed = read_image(image)
    return "" if parsed.read(parsed.entries[1]) == CONTENT else "another content"
