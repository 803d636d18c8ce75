# SPDX-License-Identifier: MIT
"""Small ELF files of every shape that linkers make: a shape or a seed in, bytes out."""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass
from typing import Literal

PAGE = 4096
Order = Literal["<", ">"]
Kind = Literal["exec", "static pie", "pie", "library", "loader"]
KINDS: tuple[Kind, ...] = ("exec", "static pie", "pie", "library", "loader")

PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_NOTE, PT_PHDR, PT_TLS = 1, 2, 3, 4, 6, 7
PT_GNU_STACK, PT_GNU_RELRO = 0x6474E551, 0x6474E552
R, W, X = 4, 2, 1
DT_NEEDED, DT_SONAME, DT_FLAGS_1 = 1, 14, 0x6FFFFFFB
DF_1_PIE = 0x08000000


@dataclass(frozen=True)
class Shape:
    """What to link: `pages` of text, `separate` from read-only data as GNU ld has it on most
    targets.

    `gap` bytes of zeros stand between text and data, `tail` is appended behind everything.
    """

    bits: int = 64
    order: Order = "<"
    kind: Kind = "pie"
    pages: int = 6
    separate: bool = True
    gap: int = 0
    bss: int = 5000
    relro: bool = True
    tls: bool = True
    sections: bool = True
    tail: bytes = b""
    dynamic: tuple[tuple[int, int], ...] = ()
    seed: int = 0


def for_riscv(data: bytes) -> bytes:
    """A little-endian file's bytes with RISC-V as its machine."""
    return data[:18] + (243).to_bytes(2, "little") + data[20:]


def any_shape(seed: int) -> Shape:
    """A shape of its own for each seed."""
    rng = random.Random(seed)
    return Shape(
        bits=rng.choice((32, 64)),
        order=rng.choice(("<", ">")),
        kind=rng.choice(KINDS),
        pages=rng.randrange(2, 9),
        separate=rng.random() < 0.5,
        gap=rng.choice((0, 8, 300, 1500, 4000)),
        bss=rng.choice((0, 0, 1, 5000, 40_000)),
        relro=rng.random() < 0.8,
        tls=rng.random() < 0.5,
        sections=rng.random() < 0.7,
        tail=rng.choice((b"", b"", b"", bytes(5), b"payload")),
        seed=seed,
    )


class _Linker:
    """Lays one file out, from its first byte on."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.rng = random.Random(shape.seed)
        self.base = 0x10000 if shape.kind == "exec" else 0
        self.entry_size = 32 if shape.bits == 32 else 56
        self.header_size = 52 if shape.bits == 32 else 64
        self.sections: list[tuple[str, int, int, int, int, int]] = []
        self.out = bytearray()
        self.shift = self.base
        self.loads: list[tuple[int, int, int, int, int]] = []

    def fill(self, size: int) -> int:
        """Add random bytes, none of them zero; where they begin."""
        start = len(self.out)
        self.out += bytes(self.rng.randrange(1, 256) for _ in range(size % PAGE))
        block = bytes(self.rng.randrange(1, 256) for _ in range(61))
        self.out += (block * (size // 61 + 1))[: size - size % PAGE]
        return start

    def load(self, start: int, flags: int, bss: int = 0) -> None:
        size = len(self.out) - start
        self.loads.append((flags, start, start + self.shift, size, size + bss))

    def align(self) -> None:
        self.out += bytes(-len(self.out) % PAGE)

    def code(self) -> None:
        shape = self.shape
        size = shape.pages * PAGE - 700
        if not shape.separate:
            self.sections.append(
                (".text", 1, len(self.out) + self.shift, len(self.out), size, R | X)
            )
            self.fill(size)
            self.load(0, R | X)
            return
        self.fill(900)
        self.load(0, R)
        self.align()
        start = self.fill(size)
        self.sections.append((".text", 1, start + self.shift, start, size, R | X))
        self.load(start, R | X)
        self.align()
        start = self.fill(PAGE + 100)
        self.sections.append((".rodata", 1, start + self.shift, start, PAGE + 100, R))
        self.load(start, R)

    def data(self) -> int:
        """Writable data with the dynamic table in front; where the table is."""
        shape = self.shape
        self.out += bytes(shape.gap + -(len(self.out) + shape.gap) % 8)
        if len(self.out) // PAGE == (self.loads[-1][1] + self.loads[-1][3] - 1) // PAGE:
            self.shift += PAGE
        start = len(self.out)
        tags = [(DT_NEEDED, 1)] if shape.kind in ("pie", "library") else []
        tags += [(DT_FLAGS_1, DF_1_PIE)] if shape.kind == "static pie" else []
        tags += [*shape.dynamic, (DT_SONAME, 1), (0, 0)]
        for tag in tags:
            self.out += struct.pack(shape.order + ("II" if shape.bits == 32 else "QQ"), *tag)
        self.fill(PAGE + 1300)
        self.sections.append((".data", 1, start + self.shift, start, len(self.out) - start, R | W))
        if shape.bss:
            self.sections.append(
                (".bss", 8, len(self.out) + self.shift, len(self.out), shape.bss, R | W)
            )
        self.load(start, R | W, shape.bss)
        return start

    def table(self, dynamic: int) -> list[tuple[int, int, int, int, int, int]]:
        """type, flags, offset, address, size, size in memory of each segment, as linkers order
        them."""
        shape = self.shape
        count = 1 + (shape.kind == "pie") * 2 + len(self.loads) + shape.tls + shape.relro + 1
        count += shape.kind != "exec"
        size, at = count * self.entry_size, self.header_size
        rows: list[tuple[int, int, int, int, int, int]] = []
        if shape.kind == "pie":
            rows.append((PT_PHDR, R, at, at + self.base, size, size))
            rows.append((PT_INTERP, R, at + size, at + size + self.base, 8, 8))
        rows += [
            (PT_LOAD, flags, start, vaddr, len_, mem)
            for flags, start, vaddr, len_, mem in self.loads
        ]
        flags, start, vaddr, *_ = self.loads[-1]
        if shape.kind != "exec":
            rows.append((PT_DYNAMIC, flags, dynamic, dynamic + self.shift, 200, 200))
        rows.append((PT_NOTE, R, at + size + 8, at + size + 8 + self.base, 16, 16))
        if shape.tls:
            rows.append((PT_TLS, R, start, vaddr, 16, 64))
        rows.append((PT_GNU_STACK, R | W, 0, 0, 0, 0))
        if shape.relro:
            rows.append((PT_GNU_RELRO, R, start, vaddr, PAGE, PAGE))
        rows.sort(key=lambda row: row[0] in (PT_GNU_STACK, PT_GNU_RELRO))
        return rows

    def link(self) -> bytes:
        shape = self.shape
        self.out = bytearray(self.header_size + 14 * self.entry_size)
        self.code()
        dynamic = self.data()
        rows = self.table(dynamic)
        packed = b"".join(self.pack_row(row) for row in rows)
        self.out[self.header_size : self.header_size + len(packed)] = packed
        section_at, count = self.add_sections() if shape.sections else (0, 0)
        self.out[: self.header_size] = self.header(len(rows), section_at, count)
        return bytes(self.out + shape.tail)

    def pack_row(self, row: tuple[int, int, int, int, int, int]) -> bytes:
        kind, flags, offset, vaddr, size, memsz = row
        align = PAGE if kind == PT_LOAD else 8
        if self.shape.bits == 32:
            fields = (kind, offset, vaddr, vaddr, size, memsz, flags, align)
            return struct.pack(self.shape.order + "8I", *fields)
        return struct.pack(
            self.shape.order + "2I6Q", kind, flags, offset, vaddr, vaddr, size, memsz, align
        )

    def add_sections(self) -> tuple[int, int]:
        names = bytearray(b"\0")
        places = {}
        for name in [*(name for name, *_ in self.sections), ".shstrtab"]:
            places[name] = len(names)
            names += name.encode() + b"\0"
        start = len(self.out)
        self.out += names
        self.sections.append((".shstrtab", 3, 0, start, len(names), 0))
        self.out += bytes(-len(self.out) % 8)
        at = len(self.out)
        layout = self.shape.order + ("10I" if self.shape.bits == 32 else "2I4Q2I2Q")
        self.out += bytes(struct.calcsize(layout))
        for name, kind, vaddr, offset, size, flags in self.sections:
            self.out += struct.pack(
                layout, places[name], kind, flags, vaddr, offset, size, 0, 0, 1, 0
            )
        return at, len(self.sections) + 1

    def header(self, phnum: int, shoff: int, shnum: int) -> bytes:
        shape = self.shape
        wide = shape.bits == 64
        ident = b"\x7fELF" + bytes([1 + wide, 1 + (shape.order == ">"), 1]).ljust(12, b"\0")
        entry = 0 if shape.kind == "library" else self.base + 0x400
        machine = {(False, "<"): 40, (True, "<"): 183, (False, ">"): 8, (True, ">"): 22}[
            wide, shape.order
        ]
        return ident + struct.pack(
            shape.order + ("2HI3QI6H" if wide else "2H5I6H"),
            2 if shape.kind == "exec" else 3,
            machine,
            1,
            entry,
            self.header_size,
            shoff,
            0,
            self.header_size,
            self.entry_size,
            phnum,
            (64 if wide else 40) if shnum else 0,
            shnum,
            shnum - 1 if shnum else 0,
        )


def link(shape: Shape) -> bytes:
    """The file of a shape."""
    return _Linker(shape).link()
