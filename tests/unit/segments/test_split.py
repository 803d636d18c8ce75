# SPDX-License-Identifier: MIT
"""A file that is split is what it was, in memory and in its bytes; what cannot be split is
refused."""

from __future__ import annotations

import io
import struct
from contextlib import suppress
from dataclasses import replace

import pytest
from elftools.elf.elffile import ELFFile
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from support.elf_cases import DT_FLAGS_1, KINDS, PAGE, Kind, Order, Shape, any_shape, link
from tinyprof.segments.elf import Reason, SplitError, read_elf
from tinyprof.segments.proof import prove
from tinyprof.segments.split import Run, runs_of, split, splittable, undo
from tinyprof.segments.table import RECORD_SIZE

ORDINARY = Shape(pages=6, separate=False, gap=1500)
CUT = [Run(0, 0), Run(2, 3)]


def segments_of(data: bytes) -> list[tuple[int, int, int, int, int]]:
    """Flags, offset, address, size and size in memory of what is loaded, by an independent
    reader."""
    fields = ("p_flags", "p_offset", "p_vaddr", "p_filesz", "p_memsz")
    file = ELFFile(io.BytesIO(data))
    return [
        tuple(segment[name] for name in fields)
        for segment in file.iter_segments()
        if segment["p_type"] == "PT_LOAD"
    ]


def pages_of(data: bytes) -> list[int]:
    return sorted({page for owned in splittable(read_elf(data)) for page in owned})


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_is_split_and_proved(kind: Kind, bits: int, order: Order) -> None:
    data = link(replace(ORDINARY, kind=kind, bits=bits, order=order))
    done = split(data, CUT)
    assert done.elf != data
    assert prove(undo(done.elf), done.elf).differences == ()
    assert undo(done.elf) == data


def test_each_run_begins_a_segment_and_keeps_its_place() -> None:
    data = link(ORDINARY)
    (flags, offset, vaddr, size, memsz), writable = segments_of(data)
    pieces = segments_of(split(data, CUT).elf)
    cut = 2 * PAGE
    assert pieces[0] == (flags, offset, vaddr, cut, cut)
    # The last piece reaches as far as the table, which stands behind the code.
    assert pieces[1][:3] == (flags, cut, vaddr + cut)
    assert pieces[1][3] >= size - cut
    assert pieces[2:] == [writable]
    assert memsz == size


def test_the_bss_stays_with_the_last_piece() -> None:
    """No linker makes one, but a read-only segment may have a bss."""
    data = link(replace(ORDINARY, separate=False, gap=8, bss=0))
    elf = read_elf(data)
    first = elf.loads[0]
    parts = [first.part(0, PAGE), replace(first, memsz=first.memsz + 50).part(PAGE, first.filesz)]
    assert [part.memsz for part in parts] == [PAGE, first.memsz + 50 - PAGE]


@given(st.integers(0, 10_000), st.data())
@settings(max_examples=150, deadline=None)
def test_any_runs_of_any_file_are_split_undone_and_split_anew(
    seed: int, data: st.DataObject
) -> None:
    original = link(any_shape(seed))
    pages = st.sets(st.sampled_from(pages_of(original)), min_size=1)
    try:
        done = split(original, runs_of(data.draw(pages)))
    except SplitError as error:
        # Only such as have nowhere to put the table; see REFUSED.
        assume(error.reason is not Reason.NO_PLACE)
        raise
    with suppress(SplitError):
        other = runs_of(data.draw(pages))
        assert split(done.elf, other) == split(original, other)
    if done.table:
        assert prove(original, done.elf).differences == ()
        assert undo(done.elf) == original
        assert len(segments_of(done.elf)) == len(segments_of(original)) + done.mappings
    else:
        assert done.elf == original


def test_what_must_be_in_place_for_the_runs_to_be_mapped_is_told() -> None:
    """A segment that begins with a cold page would merge with the run behind it."""
    assert split(link(ORDINARY), [Run(2, 3)]).leading == (0,)
    assert split(link(ORDINARY), [Run(0, 3)]).leading == ()
    separate = link(Shape(separate=True, pages=6))
    read_only, code, _ = splittable(read_elf(separate))
    assert split(separate, [Run(code[2], code[2])]).leading == (read_only[0], code[0])


def test_a_run_at_the_begin_of_a_segment_needs_no_split() -> None:
    data = link(ORDINARY)
    assert split(data, [Run(0, 3)]).elf == data


def test_the_table_stands_in_a_page_that_is_read_anyway_if_it_fits() -> None:
    place = split(link(ORDINARY), CUT).table
    assert place
    assert place.cached_anyway


def test_without_room_the_table_gets_a_segment_of_its_own_on_top() -> None:
    tight = replace(ORDINARY, gap=0)
    done = split(link(tight), CUT)
    assert done.table
    assert done.table.segment is None
    assert done.mappings == 2
    top = segments_of(done.elf)[-1]
    assert top[0] == 4
    assert top[2] == max(vaddr for _, _, vaddr, *_ in segments_of(done.elf))
    assert top[3] == len(done.elf) - done.table.offset


@pytest.mark.parametrize("kind", ["exec", "pie", "static pie"])
def test_old_kernels_find_the_table_of_a_program_too(kind: Kind) -> None:
    """Before 5.18 AT_PHDR was the first segment's address plus e_phoff."""
    for gap in (0, 1500):
        done = split(link(replace(ORDINARY, kind=kind, gap=gap)), CUT)
        _, offset, vaddr, *_ = segments_of(done.elf)[0]
        assert done.table
        assert done.table.vaddr - done.table.offset == vaddr - offset


def test_a_file_that_is_short_of_a_page_never_ends_with_a_whole_one() -> None:
    """A stock kernel reads a whole last page that is in place as zeros, and the table is read."""
    done = split(link(replace(ORDINARY, gap=0)), CUT)
    assert len(done.elf) % PAGE


REFUSED: dict[str, tuple[bytes, Reason]] = {
    "text": (b"#!/bin/sh\n", Reason.NOT_ELF),
    "nothing": (b"", Reason.NOT_ELF),
    "a magic number alone": (b"\x7fELF", Reason.ODD_HEADERS),
    "cut short": (link(ORDINARY)[: 3 * PAGE], Reason.TRUNCATED),
    "cut before its sections": (link(ORDINARY)[:-1], Reason.TRUNCATED),
    "text relocations": (link(replace(ORDINARY, dynamic=((22, 0),))), Reason.TEXT_RELOCATIONS),
    "text relocations by flag": (
        link(replace(ORDINARY, dynamic=((30, 4),))),
        Reason.TEXT_RELOCATIONS,
    ),
    "an appended signature": (
        link(replace(ORDINARY, tail=b"\0~Module signature appended~\n")),
        Reason.SIGNED,
    ),
    "a loader with its bss and no room": (
        link(replace(ORDINARY, kind="loader", gap=0)),
        Reason.NO_PLACE,
    ),
    "an appended payload and no room": (
        link(replace(ORDINARY, gap=0, tail=b"zip")),
        Reason.NO_PLACE,
    ),
    "a huge bss and no room": (link(replace(ORDINARY, gap=0, bss=50 << 20)), Reason.NO_PLACE),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_split_is_refused_with_its_reason(name: str) -> None:
    data, reason = REFUSED[name]
    with pytest.raises(SplitError) as refused:
        split(data, CUT)
    assert refused.value.reason is reason


def patched(data: bytes, at: int, layout: str, value: int) -> bytes:
    changed = bytearray(data)
    struct.pack_into(layout, changed, at, value)
    return bytes(changed)


def test_headers_that_contradict_themselves_are_refused() -> None:
    data = link(ORDINARY)
    first = 64 + 56 * next(i for i, s in enumerate(read_elf(data).segments) if s.loads)
    broken = {
        "an object file": patched(data, 16, "<H", 1),
        "no program headers": patched(data, 56, "<H", 0),
        "headers of another size": patched(data, 54, "<H", 60),
        "an address off its offset": patched(data, first + 16, "<Q", 0x123),
        "more in the file than in memory": patched(data, first + 40, "<Q", 1),
        "a second segment below the first": patched(data, first + 16, "<Q", 1 << 40),
        "beyond the address space": patched(data, first + 40, "<Q", (1 << 64) - 1),
    }
    for name, case in broken.items():
        with pytest.raises(SplitError) as refused:
            split(case, CUT)
        assert refused.value.reason in (Reason.ODD_HEADERS, Reason.NOT_LOADABLE), name


def test_a_signature_in_a_section_is_respected() -> None:
    signed = link(ORDINARY).replace(b".text\0", b".sig\0\0")
    with pytest.raises(SplitError, match=r"signed: section \.sig"):
        split(signed, CUT)


@pytest.mark.parametrize("run", [Run(6, 7), Run(100, 100), Run(-1, 0)])
def test_runs_outside_the_read_only_segments_are_refused(run: Run) -> None:
    with pytest.raises(SplitError) as refused:
        split(link(ORDINARY), [run])
    assert refused.value.reason is Reason.OUTSIDE


def test_more_runs_than_a_kernel_takes_headers_for_are_refused() -> None:
    data = link(replace(ORDINARY, pages=200))
    with pytest.raises(SplitError) as refused:
        split(data, [Run(page, page) for page in range(0, 198, 2)])
    assert refused.value.reason is Reason.TABLE_TOO_LONG


def test_a_record_that_is_forged_is_no_record() -> None:
    """A file may speak of any original that fits into it, and of no other."""
    done = split(link(ORDINARY), CUT)
    elf = read_elf(done.elf)
    at = elf.phoff + len(elf.segments) * elf.phentsize
    for field in (8, 16, 24, 28):
        with pytest.raises(SplitError, match="not split"):
            undo(patched(done.elf, at + field, "<H", 0xFFF))
    assert at + RECORD_SIZE <= len(done.elf)


def test_a_program_header_that_was_tampered_with_is_found() -> None:
    done = split(link(ORDINARY), CUT)
    elf = read_elf(done.elf)
    for index, segment in enumerate(elf.segments):
        if segment.type == 0x6474E551:
            continue
        at = elf.phoff + index * elf.phentsize
        for field, value in ((4, segment.flags ^ 2), (40, 0)):
            try:
                broken = patched(done.elf, at + field, "<I", value)
                found = prove(undo(broken), broken).differences
            except SplitError:
                continue
            assert found, (index, field)


def test_the_loaders_own_place_is_proved() -> None:
    """prove() finds a table that a kernel would not find, or that lies on bytes in use."""
    original = link(ORDINARY)
    done = split(original, CUT)
    in_use = bytearray(original)
    place = done.table
    assert place
    in_use[place.offset] = 1
    assert any("undoing" in text for text in prove(bytes(in_use), done.elf).differences)


def test_a_static_pie_is_not_taken_for_a_program_interpreter() -> None:
    shape = replace(ORDINARY, kind="static pie", gap=0)
    assert split(link(shape), CUT).table
    assert (DT_FLAGS_1, 0x08000000) not in shape.dynamic
