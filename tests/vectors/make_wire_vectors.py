# SPDX-License-Identifier: MIT
"""Writes wire.json, the frames that hold every implementation of docs/wire-format.md to the same
bytes.

Nothing comes in; the JSON goes to standard output. It uses msgpack, cobs and zlib and no line of
tinyprof, so that a mistake of ours cannot agree with itself. The same program gives the same
bytes.
"""

from __future__ import annotations

import json
import random
import zlib
from bisect import bisect_right
from functools import partial
from typing import Any

import msgpack
from cobs import cobs

SEED = 20_240_817
BODY_MAX = 250
U32 = 0xFFFFFFFF
LAST_ID = (1 << 27) - 1

Elements = list[Any]
MARKERS: list[Elements] = [[], [None], [False], [True]]


def packed(elements: Elements) -> bytes:
    body: bytes = msgpack.packb(elements)
    return body


def framed(body: bytes) -> str:
    """The whole frame, both zeros included, in hexadecimal."""
    coded: bytes = cobs.encode(body + zlib.crc32(body).to_bytes(4, "little"))
    return (b"\0" + coded + b"\0").hex()


def hello(name: str, seq: int, volumes: list[Elements], **changed: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "protocol": 1,
        "agent": "0.1.0",
        "kernel": "6.1.0",
        "arch": "armv7l",
        "page_size": 4096,
        "boot_id": "0102030405060708",
        "epoch_ms": 1000,
        "tracer": 1,
        "volumes": volumes,
        "window": 32,
    } | changed
    values = [bytes.fromhex(v) if k == "boot_id" else v for k, v in fields.items()]
    return message(name, 1, seq, fields, values)


def message(
    name: str,
    kind: int,
    seq: int,
    fields: dict[str, Any],
    values: Elements,
    *,
    repeated: bool = False,
) -> dict[str, Any]:
    frame = framed(packed([kind + 32 * repeated, seq, *values]))
    return {"name": name, "type": kind, "repeated": repeated, "seq": seq, **fields, "frame": frame}


def hellos() -> list[dict[str, Any]]:
    root = [0, 0xE7D3B8E0, 1, 6449, 412, 12_988_416, "Compressed", 1]
    full = [U32, U32, U32, U32, U32, U32, "sixteen bytes ok", 1]
    long = {
        "agent": "a" * 31,
        "kernel": "k" * 31,
        "arch": "m" * 31,
        "epoch_ms": U32,
        "tracer": U32,
    }
    return [
        hello("hello of one volume", 0, [root]),
        hello("hello without a tracer", 1, [], tracer=0),
        hello(
            "hello whose epochs never end by time",
            127,
            [root],
            epoch_ms=0,
            boot_id="0000000000000000",
        ),
        hello("hello as long as it can be", 0xFFFF, [full, full], **long),
    ]


def told_hellos() -> list[dict[str, Any]]:
    """Hellos that tell what saw the touches, and a file volume."""
    root = [0, 0xE7D3B8E0, 1, 6449, 412, 12_988_416, "Compressed", 1]
    files = [1, 0, 0, 0, 0, 0, "", 3]
    stopped = [U32, 0, 0, 0, 0, 0, "sixteen bytes ok", 2]
    full = [U32, U32, U32, U32, U32, U32, "sixteen bytes ok", 1]
    long = {"agent": "a" * 31, "kernel": "k" * 31, "arch": "m" * 31, "epoch_ms": U32}
    return [
        hello("the kernel's own part, by its name", 0, [root], source=[0, 1, 12, 15, 0]),
        hello("page faults of a file volume", 1, [files], source=[1, 1, 12, 7, 0]),
        hello(
            "page faults of both, windows of 64 KiB", 2, [root, files], source=[1, 2, 16, 15, 1]
        ),
        hello("residency, all one epoch", 3, [stopped], source=[2, 0, 0, 3, 1]),
        hello("mappings, looked at again", 5, [root], source=[3, 3, 12, 3, 0]),
        hello(
            "as long as it can be, with a source",
            4,
            [full, full],
            **long,
            source=[1, 2, 31, 15, 1],
        ),
    ]


def told_losses() -> list[dict[str, Any]]:
    """Statuses of an agent that takes events."""
    names = ("ms", "queued", "untraced", "write_errors", "repeats", "waited", "lost_events")
    numbers = ([1, 0, 0, 0, 0, 0, 0], [70_000, 5, 0, 1, 2, 3, 300], [U32] * 7)
    return [
        message(
            f"status with {counts[-1]} lost events",
            4,
            seq,
            dict(zip(names, counts, strict=True)),
            counts,
        )
        for seq, counts in enumerate(numbers, start=400)
    ]


def told_files() -> list[dict[str, Any]]:
    """Files of a file volume, each with all frames that its path takes, as full as they can be."""
    long = bytes(32 + n % 90 for n in range(4095))
    cases: list[tuple[str, int, list[int], bytes]] = [
        ("a file", 500, [1, 0, 147, 598_252, 179 << 20, 1234], b"/bin/busybox"),
        ("a file that is gone", 501, [1, 147, 1, 1, 8 << 20 | 1, 77], b"/tmp/x (deleted)"),
        ("a path of a byte", 502, [0, LAST_ID, 1, 4096, 0, 0], b"/"),
        ("a name that is no text", 503, [1, 148, 2, 5000, 8 << 20 | 1, 78], b"/odd\xff\x1b[2J\n"),
        ("a path that just fits", 504, [1, 200, 3, 9000, 8 << 20 | 1, 79], long[:227]),
        ("a path that just does not", 505, [1, 200, 3, 9000, 8 << 20 | 1, 79], long[:228]),
        ("the longest path", 0xFFF0, [U32, 1 << 20, 1 << 20, U32, U32, U32], long),
    ]
    return [told_file(*case) for case in cases]


def told_file(name: str, seq: int, numbers: list[int], path: bytes) -> dict[str, Any]:
    frames: list[str] = []
    at = 0
    while at < len(path):
        head = [6, (seq + len(frames)) % 65_536, *numbers, len(path), at]
        n = next(
            n
            for n in range(len(path) - at, 0, -1)
            if len(packed([*head, path[at : at + n]])) <= BODY_MAX
        )
        frames.append(framed(packed([*head, path[at : at + n]])))
        at += n
    names = ("volume", "page_id", "pages", "size", "device", "inode")
    fields = dict(zip(names, numbers, strict=True))
    return {"name": name, "seq": seq, **fields, "path": path.hex(), "frames": frames}


def told_mappings() -> list[dict[str, Any]]:
    """Mappings of an epoch, each with all frames that they take, as full as they can be."""
    cases: list[tuple[str, int, tuple[int, int], list[tuple[int, int, int]]]] = [
        ("a mapping", 600, (0, 1), [(19, 147, 1)]),
        ("mappings in any order", 601, (1, 300), [(9000, 1, 3), (19, 128, 255), (9000, 200, 1)]),
        ("the largest numbers", 602, (U32, U32), [(LAST_ID, 1, 65_535), (0, LAST_ID, 65_535)]),
        ("as many as fit a frame", 603, (0, 7), [(20 + 9 * n, 8, 1) for n in range(80)]),
        ("one more than fits", 604, (0, 7), [(20 + 9 * n, 8, 1) for n in range(81)]),
        (
            "far apart",
            0xFFFF,
            (0, U32),
            [(LAST_ID // 2 * (n % 2), 65_536, 65_535 - n) for n in range(60)],
        ),
    ]
    return [mappings(*case) for case in cases]


def mappings(
    name: str, seq: int, place: tuple[int, int], held: list[tuple[int, int, int]]
) -> dict[str, Any]:
    frames: list[str] = []
    at = 0
    while at < len(held):
        head = [7, (seq + len(frames)) % 65_536, *place]
        n = max(
            n
            for n in range(1, len(held) - at + 1)
            if len(packed([*head, distances(held[at : at + n])])) <= BODY_MAX
        )
        frames.append(framed(packed([*head, distances(held[at : at + n])])))
        at += n
    volume, epoch = place
    fields = {"volume": volume, "epoch": epoch, "held": [list(mapping) for mapping in held]}
    return {"name": name, "seq": seq, **fields, "frames": frames}


def distances(held: list[tuple[int, int, int]]) -> Elements:
    told: Elements = []
    before = 0
    for page_id, pages, processes in held:
        told += [page_id - before, pages, processes]
        before = page_id
    return told


def counters() -> list[dict[str, Any]]:
    found = []
    for seq, n in enumerate([0, 1, 127, 128, 255, 256, 65_535, 65_536, U32], start=120):
        end = {
            "volume": n % 2,
            "epoch": max(n, 1),
            "ms": n,
            "records": [n, n // 2, 0, n],
            "total": n,
        }
        said = {
            "ms": n,
            "queued": n // 2,
            "untraced": n // 3,
            "write_errors": n,
            "repeats": n // 5,
            "waited": n,
        }
        for repeated in (False, True):
            again = ", repeated" if repeated else ""
            found += [
                message(
                    f"epoch end of {n} records{again}",
                    3,
                    seq,
                    end,
                    [*end.values()],
                    repeated=repeated,
                ),
                message(
                    f"status with {n}{again}", 4, seq, said, [*said.values()], repeated=repeated
                ),
            ]
        found.append(message(f"session {n} begins", 5, seq, {"session": n}, [n]))
    return found


def counted() -> list[dict[str, Any]]:
    """Epoch ends of a kernel that counts processes: pairs of a file's page id and how many map
    it."""
    found = []
    sets: dict[str, list[tuple[int, int]]] = {
        "nothing new of processes": [],
        "a file that two processes map": [(7232, 2)],
        "files in any order": [
            (180_874, 5),
            (7232, 128),
            (3_461_278, 65_535),
            (LAST_ID, 2),
            (0, 3),
        ],
        "as many files as one tells of": [(LAST_ID * (n % 2), 65_535 - n) for n in range(16)],
    }
    for seq, (name, files) in enumerate(sets.items(), start=300):
        told: Elements = []
        before = 0
        for page_id, processes in files:
            told += [page_id - before, processes]
            before = page_id
        end = {"volume": 0, "epoch": U32, "ms": U32, "records": [U32] * 4, "total": U32}
        fields = {**end, "processes": [list(file) for file in files]}
        found.append(message(f"epoch end with {name}", 3, seq, fields, [*end.values(), told]))
    return found


def touches(words: list[int]) -> list[tuple[int, int]]:
    """The kernel's record words as (page id, kind); a word with several kind bits is one for
    each."""
    return [(word & LAST_ID, kind) for word in words for kind in range(4) if word >> 28 + kind & 1]


def values(pairs: list[tuple[int, int]]) -> list[Any]:
    """The elements of a frame: each record from the first place if that is near, else from the
    nearest."""
    told: list[Any] = []
    places = [0, 0, 0, 0]
    for page, kind in pairs:
        distances = [abs(page - place) for place in places]
        chosen = 0 if -128 <= page - places[0] <= 255 else distances.index(min(distances))
        distance = page - places.pop(chosen)
        told += [*MARKERS[chosen], [kind, distance] if kind else distance]
        left = [] if -128 <= distance <= 255 else [page - distance]
        places = [page, *left, *places][:4]
    return told


def size_of(head: Elements, pairs: list[tuple[int, int]], n: int) -> int:
    return len(packed([*head, values(pairs[:n])]))


def batch(
    name: str, seq: int, words: list[int], head: tuple[int, int, int] = (0, 1, 5)
) -> dict[str, Any]:
    """All frames of one batch, each as full as it can be, found by trying lengths."""
    left, frames, at = touches(words), [], seq
    while left:
        sizes = partial(size_of, [2, at, *head], left)
        n = bisect_right(range(len(left) + 1), BODY_MAX, key=sizes) - 1
        frames.append(framed(packed([2, at, *head, values(left[:n])])))
        left, at = left[n:], (at + 1) % 65_536
    volume, epoch, ms = head
    return {
        "name": name,
        "seq": seq,
        "volume": volume,
        "epoch": epoch,
        "ms": ms,
        "words": words,
        "frames": frames,
    }


def batches() -> list[dict[str, Any]]:
    rng = random.Random(SEED)
    exec_, read, all_kinds = 1 << 28, 2 << 28, 15 << 28
    scattered = [rng.randrange(1 << 27) | rng.randrange(1, 16) << 28 for _ in range(252)]
    local = [5000 + rng.randrange(300) | rng.randrange(1, 16) << 28 for _ in range(252)]
    edges = [
        base + step
        for step in (31, 32, 33, 127, 128, 129, 255, 256, 32_767, 32_768, 32_769, 65_535, 65_536)
        for base in (100_000, 100_000 - 2 * step)
    ]
    five_files = [10_000_000 * (n % 5) + 20 * n for n in range(60)]
    returns = [
        1_000_000 * place + step
        for step, place in enumerate((1, 2, 3, 4, 4, 3, 2, 1, 3, 1, 5, 2, 4))
    ]
    return [
        batch("one record", 0, [19 | exec_]),
        batch("every kind of one page", 1, [19 | all_kinds]),
        batch("the first and the last page id", 2, [0 | exec_, LAST_ID | all_kinds, 0 | read]),
        batch("places left and come back to", 8, [page | exec_ for page in returns]),
        batch(
            "five files in turn, one more than there are places",
            9,
            [page | exec_ for page in five_files],
        ),
        batch("distances where msgpack changes its form", 3, [page | exec_ for page in edges]),
        batch("fifteen records, the last short array", 4, [100 + n | exec_ for n in range(15)]),
        batch("sixteen records, the first long array", 5, [100 + n | exec_ for n in range(16)]),
        batch("a run of neighbours over two frames", 6, [1000 + n | exec_ for n in range(252)]),
        batch(
            "a batch whose second frame ends between two kinds",
            7,
            [9000 - 3 * n | all_kinds for n in range(120)],
        ),
        batch("local touches of all kinds", 0xFFFE, local, (1, 300, 70_000)),
        batch(
            "a mark, spelled as records",
            210,
            [c | exec_ for c in b"boot done \xc3\xbc"],
            (U32, 1, 5),
        ),
        batch("scattered touches of all kinds", 200, scattered, (1, U32, U32)),
    ]


def commands() -> list[dict[str, Any]]:
    """What a target obeys. More elements than version 1 names are for a later one, and do not
    matter."""
    known: list[tuple[str, Elements]] = [
        ("hello, please", [16, 0]),
        ("hello, please, from a later version", [16, 1, "more", [1, 2]]),
        ("epochs that never end by time", [17, 2, 0]),
        ("epochs of 128 ms", [17, 128, 128]),
        ("epochs of 1 s", [17, 3, 1000]),
        ("epochs as long as can be said", [17, 0xFFFF, U32]),
        ("re-arm now", [18, 4]),
        ("nothing has come of a session", [19, 5, 1, 0, 0]),
        ("all but some has come of a session", [19, 256, U32, 0xFFFF, 0x7FFFFFFF]),
        ("an acknowledgement of a later version", [19, 6, 70_000, 300, 5, 1, 2]),
        ("repeat, please", [20, 127]),
        ("record no more", [21, 7, 0]),
        ("record again", [21, 8, 1]),
    ]
    taken = {16: 0, 17: 1, 18: 0, 19: 3, 20: 0, 21: 1}
    return [
        {
            "name": name,
            "type": elements[0],
            "arguments": elements[2 : 2 + taken[elements[0]]],
            "frame": framed(packed(elements)),
        }
        for name, elements in known
    ]


def ignored() -> list[dict[str, str]]:
    """What a target passes over."""
    good = bytes.fromhex(framed(packed([16, 0])))
    bodies = [
        ("a type only targets send", packed([1, 0])),
        ("an unknown type", packed([21, 0])),
        ("an acknowledgement without the last element", packed([19, 0, 1, 2])),
        ("an acknowledgement with a negative number", packed([19, 0, 1, -2, 3])),
        ("no seq", packed([16])),
        ("seq above 65,535", packed([16, 65_536])),
        ("seq as a string", packed([16, "0"])),
        ("a negative seq", packed([16, -1])),
        ("an epoch length left out", packed([17, 0])),
        ("an epoch length of 33 bits", packed([17, 0, U32 + 1])),
        ("an epoch length as a float", packed([17, 0, 1.5])),
        ("a map", packed([{}, 0])),
        ("an empty array", packed([])),
        ("bytes after the array", packed([18, 0]) + b"\0"),
        ("an array cut short", b"\x92\x10"),
        ("an integer cut short", b"\x93\x11\x00\xce\x00\x00"),
        ("an integer not in its shortest form", b"\x92\xcc\x10\x00"),
        ("an array not in its shortest form", b"\xdc\x00\x02\x10\x00"),
        ("no body", b""),
    ]
    damaged = [
        ("a checksum that is not right", (good[:2] + bytes([good[2] ^ 0x01]) + good[3:]).hex()),
        ("a code byte beyond the end", (b"\0\xfe" + good[2:]).hex()),
        ("console text", (b"\0root@target:~# reboot\r\n\0").hex()),
        ("a run too long for a frame", (b"\0" + b"\xff" * 300 + b"\0").hex()),
    ]
    return [{"name": n, "frame": framed(b)} for n, b in bodies] + [
        {"name": n, "frame": f} for n, f in damaged
    ]


def vectors() -> dict[str, Any]:
    return {
        "format": "docs/wire-format.md, version 1; written by make_wire_vectors.py",
        "messages": hellos() + counters() + counted(),
        "batches": batches(),
        "sources": told_hellos(),
        "lost_events": told_losses(),
        "files": told_files(),
        "mappings": told_mappings(),
        "commands": commands(),
        "ignored_by_target": ignored(),
    }


def text() -> str:
    """wire.json: one line per vector, so that a change shows as what it is."""
    parts = []
    for key, value in vectors().items():
        if isinstance(value, list):
            rows = ",\n".join("  " + json.dumps(row) for row in value)
            parts.append(f" {json.dumps(key)}: [\n{rows}\n ]")
        else:
            parts.append(f" {json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    print(text(), end="")
