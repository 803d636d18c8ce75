# SPDX-License-Identifier: MIT
"""Random trees, plans and options, made from a seed: the same seed gives the same case everywhere.

A case has the properties with which images go wrong: sizes at the edges of pages, holes, noise,
equal files that differ in their mode only, deep and long names, links, devices, programs with
segments. `tree()` makes it in memory, `plant()` on disk for other builders. Devices, which only
root may make, are in a device table.
"""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from tinyprof.cramfs.format import EntryKind
from tinyprof.cramfs.kernel import KernelModel
from tinyprof.cramfs.tree import Node, Tree
from tinyprof.cramfs.writing.device_table import apply_device_table
from tinyprof.cramfs.writing.writer import WriteOptions
from tinyprof.pages import PAGE_SIZE, pages_in

ODD_NAMES = (
    "n" * 252,
    "with space",
    "ümlaut",
    os.fsdecode(b"\xff\xfe"),
    "-dash",
    "new\nline",
    "a\\b",
)
WORDS = [b"page", b"in", b"place", b"flash", b"kernel", b"\0\0\0\0", b"segment ", b"\n"]


@dataclass(frozen=True)
class File:
    """A regular file's content and permission bits."""

    content: bytes
    mode: int = 0o644


@dataclass
class Case:
    """One thing to build: `files` and `links` by path, `table` a device table, `plan` pages by
    path."""

    seed: int
    names: tuple[str, ...] = ODD_NAMES
    files: dict[str, File] = field(default_factory=dict)
    links: dict[str, bytes] = field(default_factory=dict)
    directories: list[str] = field(default_factory=list)
    table: str = ""
    plan: dict[str, list[int]] = field(default_factory=dict)
    options: WriteOptions = field(default_factory=WriteOptions)

    def tree(self) -> Tree:
        """The case as a tree that is on no disk."""
        nodes: dict[str, Node] = {"/": _directory("/")}
        for path in self.directories:
            nodes[path] = _directory(path)
        for path, file in self.files.items():
            mode = EntryKind.FILE.value | file.mode
            nodes[path] = Node(
                path, EntryKind.FILE, mode, 0, 0, len(file.content), link=file.content
            )
        for path, target in self.links.items():
            mode = EntryKind.SYMLINK.value | 0o777
            nodes[path] = Node(path, EntryKind.SYMLINK, mode, 0, 0, len(target), link=target)
        return apply_device_table(Tree(_assembled(nodes)), self.table)

    def plant(self, top: Path) -> Tree:
        """The case as a tree read from the directory `top`, which gets all but the devices."""
        for path in ("/", *self.directories):
            (top / path[1:]).mkdir(parents=True, exist_ok=True)
        for path, file in self.files.items():
            (top / path[1:]).write_bytes(file.content)
            (top / path[1:]).chmod(file.mode)
        for path, target in self.links.items():
            (top / path[1:]).symlink_to(os.fsdecode(target))
        return apply_device_table(Tree.from_directory(top), self.table)


def _directory(path: str) -> Node:
    return Node(path, EntryKind.DIRECTORY, EntryKind.DIRECTORY.value | 0o755, 0, 0, 0)


def _assembled(nodes: dict[str, Node]) -> Node:
    """The root, with every node below its parent. The deepest directories are made first."""
    below: dict[str, list[Node]] = {}
    for path in sorted(
        nodes, key=lambda path: path.count("/") if path != "/" else 0, reverse=True
    ):
        node = nodes[path]
        if node.kind is EntryKind.DIRECTORY:
            children = sorted(below.pop(path, []), key=lambda child: child.name)
            node = replace(node, children=tuple(children))
        if path == "/":
            return node
        below.setdefault(path.rpartition("/")[0] or "/", []).append(node)
    raise AssertionError("a tree has a root")


def make_case(
    seed: int,
    *,
    kernels: Iterable[KernelModel] = ("patched",),
    big_endian: bool = False,
    odd_names: bool = True,
) -> Case:
    """The case of a seed, for one of the kernels given; other readers may not bear odd names."""
    rng = random.Random(seed)
    case = Case(seed, names=ODD_NAMES if odd_names else ("n" * 252, "with space"))
    _make_directories(case, rng)
    for number in range(rng.randrange(1, 14)):
        case.files[_free_name(case, rng, number)] = File(
            _content(case, rng), rng.choice((0o644, 0o755, 0o4755))
        )
    for number in range(rng.randrange(4)):
        case.links[_free_name(case, rng, 100 + number)] = _target(case, rng)
    case.table = _table(case, rng)
    case.plan = _plan(case, rng)
    case.options = WriteOptions(
        name=rng.choice(("Compressed", "sixteen bytes!!!", "")),
        level=rng.choice((1, 6, 9, 12)),
        edition=rng.choice((0, 1, 0xFFFFFFFF)),
        byte_order="big" if big_endian and rng.random() < 0.5 else "little",
        kernel=rng.choice(list(kernels)),
        extended=rng.random() < 0.5,
        holes=rng.random() < 0.5,
        pad=rng.random() < 0.2,
        insert=rng.randbytes(rng.randrange(1, 5_000)) if rng.random() < 0.2 else b"",
        threads=rng.choice((1, 2, 3)),
    )
    return case


def _make_directories(case: Case, rng: random.Random) -> None:
    for number in range(rng.randrange(6)):
        parent = rng.choice(["", *case.directories])
        case.directories.append(f"{parent}/dir{number}")
    if rng.random() < 0.3:
        path = ""
        for _ in range(rng.randrange(20, 60)):
            path += "/deep"
            case.directories.append(path)


def _free_name(case: Case, rng: random.Random, number: int) -> str:
    parent = rng.choice(["", *case.directories])
    odd = f"{parent}/{rng.choice(case.names)}"
    if rng.random() < 0.2 and odd not in case.files and odd not in case.links:
        return odd
    return f"{parent}/file{number}"


def _content(case: Case, rng: random.Random) -> bytes:
    if case.files and rng.random() < 0.15:
        return rng.choice(list(case.files.values())).content
    size = rng.randrange(5) * PAGE_SIZE + rng.choice(
        (0, 0, 1, PAGE_SIZE - 1, rng.randrange(PAGE_SIZE))
    )
    pages = b"".join(_page(case, rng) for _ in range(pages_in(size)))[:size]
    return _program(pages, rng) if len(pages) > 2 * PAGE_SIZE and rng.random() < 0.3 else pages


def _page(case: Case, rng: random.Random) -> bytes:
    kind = rng.randrange(5)
    if kind == 0:
        return bytes(PAGE_SIZE)
    if kind == 1:
        return rng.randbytes(PAGE_SIZE)
    if kind == 2 and (
        donors := [file.content for file in case.files.values() if len(file.content) >= PAGE_SIZE]
    ):
        return rng.choice(donors)[:PAGE_SIZE]
    if kind == 3:
        return b"".join(rng.choices(WORDS, k=PAGE_SIZE))[:PAGE_SIZE]
    return (rng.randbytes(7) * PAGE_SIZE)[:PAGE_SIZE]


def _program(pages: bytes, rng: random.Random) -> bytes:
    """An ELF file (32 bit, little endian) whose pages are a text and a data segment."""
    count = len(pages) // PAGE_SIZE
    text = rng.randrange(1, count + 1) * PAGE_SIZE
    head = b"\x7fELF\x01\x01\x01".ljust(16, b"\0")
    head += struct.pack("<2H5I6H", 3, 40, 1, 0, 52, 0, 0, 52, 32, 2, 0, 0, 0)
    head += struct.pack("<8I", 1, 0, 0, 0, text, text, 5, PAGE_SIZE)
    head += struct.pack(
        "<8I", 1, text, text, text, len(pages) - text, len(pages) - text, 6, PAGE_SIZE
    )
    return head + pages[len(head) :]


def _target(case: Case, rng: random.Random) -> bytes:
    if case.files and rng.random() < 0.3:
        # A link that reads like a file is stored apart from it, or the kernel would take one for
        # the other.
        short = [file.content for file in case.files.values() if 0 < len(file.content) < 100]
        if short and b"\0" not in short[0]:
            return short[0]
    return rng.choice((b"target", b"../a/b", b"/etc/passwd", b"x" * 1_000))


def _table(case: Case, rng: random.Random) -> str:
    lines = ["# devices", "/dev d 755 0 0 - - - - -", "/dev/null c 666 0 0 1 3 0 0 -"]
    if rng.random() < 0.5:
        lines.append(f"/dev/mtdblock b 640 0 6 31 0 0 1 {rng.randrange(1, 6)}")
    if rng.random() < 0.5:
        lines.append("/dev/pipe p 600 1000 100 - - - - -")
    return "\n".join(lines)


def _plan(case: Case, rng: random.Random) -> dict[str, list[int]]:
    share = rng.choice((0.0, 0.1, 0.5, 1.0))
    plan: dict[str, list[int]] = {}
    for path, file in case.files.items():
        pages = range(pages_in(len(file.content)))
        chosen = [page for page in pages if rng.random() < share]
        if chosen:
            plan[path] = chosen
    return plan
