# SPDX-License-Identifier: MIT
"""A profile applied to files that have changed: found by place, by hash, by symbols and landmarks,
or not."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from tinyprof.cli.stale import StaleProfileError, check_stale
from tinyprof.cramfs.tree import Tree
from tinyprof.heat.losses import NO_LOSSES
from tinyprof.pages import PAGE_SIZE
from tinyprof.profile.model import (
    BootFacts,
    FileUse,
    NamedRange,
    PageUse,
    PhaseFacts,
    Profile,
    Seen,
)
from tinyprof.report.plans import match_lines
from tinyprof.rootfs.indexing import page_hashes
from tinyprof.rootfs.landmarks import LANDMARK, read_symbols, with_symbols
from tinyprof.rootfs.match import Counts, Match, match

SEED = 20261124
FSID = "0000000a/1/2/3"
RUN = BootFacts(FSID, "6.1.192", 9, NO_LOSSES, (PhaseFacts("", 1, 9, 3, True),))
EVER = Seen(9, 9, 1, 9, 1, 9, 1)


@pytest.fixture
def content() -> bytes:
    print(f"seed {SEED}")
    return random.Random(SEED).randbytes(20 * PAGE_SIZE)


def profile_of(content: bytes, pages: Iterable[int], path: str = "/lib.so.1.2") -> Profile:
    hashes = page_hashes(content)
    uses = {page: PageUse(hashes[page].hex(), {"x": EVER}) for page in pages}
    digest = hashlib.sha256(content).hexdigest()
    return Profile((RUN,), 0, (FileUse(path, len(content), digest, uses, (FSID,)),))


def found_in(folder: Path, profile: Profile, **files: bytes) -> Match:
    for name, data in files.items():
        (folder / name.replace("_", ".")).write_bytes(data)
    return match(profile, Tree.from_directory(folder))


def test_a_file_that_has_not_changed_keeps_its_pages(tmp_path: Path, content: bytes) -> None:
    found = found_in(tmp_path, profile_of(content, [3, 4]), elsewhere=content)
    assert (found.counts, found.changed) == (Counts(same=2), ())
    assert [(file.node.path, sorted(file.uses)) for file in found.files] == [
        ("/elsewhere", [3, 4])
    ]


@pytest.mark.parametrize("tail", [b"", b"more"])
def test_a_file_keeps_its_processes_whether_it_has_changed_or_not(
    tmp_path: Path, content: bytes, tail: bytes
) -> None:
    profile = profile_of(content, [3, 4])
    assert found_in(tmp_path, profile, lib_so_1_2=content + tail).processes == {}
    counted = replace(profile, files=(replace(profile.files[0], processes=3),))
    found = found_in(tmp_path, counted, lib_so_1_2=content + tail)
    assert found.processes == {"/lib.so.1.2": 3}
    assert found.with_processes(7).processes == {"/lib.so.1.2": 7}


def test_pages_are_found_at_their_place_and_elsewhere_by_their_hash(
    tmp_path: Path, content: bytes
) -> None:
    """A page was put in before page 10; page 5 is another one now."""
    changed = bytearray(content)
    changed[5 * PAGE_SIZE + 9] ^= 1
    changed[10 * PAGE_SIZE : 10 * PAGE_SIZE] = bytes(PAGE_SIZE)
    found = found_in(tmp_path, profile_of(content, [3, 5, 12]), lib_so_1_2=bytes(changed))
    (file,) = found.changed
    assert sorted(file.uses) == [3, 13]
    assert file.counts == Counts(by_place=1, by_content=1, unmatched=1)
    assert found.stale == ("/lib.so.1.2",)


def test_an_older_build_of_a_file_is_not_stale_where_the_present_one_was_profiled(
    tmp_path: Path, content: bytes
) -> None:
    profile = profile_of(content, [3])
    older = replace(profile.files[0], sha256="0" * 64)
    found = found_in(tmp_path, replace(profile, files=(older, *profile.files)), lib_so_1_2=content)
    assert (found.counts, found.stale) == (Counts(same=1), ())


def test_a_file_is_looked_for_under_its_name_but_for_the_version(
    tmp_path: Path, content: bytes
) -> None:
    changed = content[: 19 * PAGE_SIZE]
    found = found_in(tmp_path, profile_of(content, [3]), lib_so_1_30=changed)
    assert [file.node.path for file in found.changed] == ["/lib.so.1.30"]


def test_two_files_that_differ_in_their_version_are_not_guessed_between(
    tmp_path: Path, content: bytes
) -> None:
    found = found_in(
        tmp_path, profile_of(content, [3]), lib_so_1_3=content[1:], lib_so_1_4=content[2:]
    )
    assert (found.files, dict(found.missing)) == ((), {"/lib.so.1.2": 1})
    assert found.counts.stale == 1.0


def test_what_moved_by_a_few_bytes_is_found_by_landmarks(tmp_path: Path, content: bytes) -> None:
    profile = profile_of(content, range(4, 12))
    digest = profile.files[0].sha256
    known = with_symbols(profile, {digest: (content, b"")})
    assert {symbol.name[0] for symbol in known.files[0].symbols} == {LANDMARK}
    moved = content[: 3 * PAGE_SIZE] + bytes(600) + content[3 * PAGE_SIZE :]
    (file,) = found_in(tmp_path, known, lib_so_1_2=moved).changed
    assert file.counts == Counts(by_symbol=8)
    assert set(range(4, 12)) <= file.uses.keys() <= set(range(4, 13))
    (bare,) = found_in(tmp_path, profile, lib_so_1_2=moved).changed
    assert bare.counts == Counts(unmatched=8)


def test_landmarks_of_a_file_that_is_wholly_another_are_not_found(
    tmp_path: Path, content: bytes
) -> None:
    profile = profile_of(content, [4])
    known = with_symbols(profile, {profile.files[0].sha256: (content, b"")})
    other = random.Random(SEED + 1).randbytes(len(content))
    (file,) = found_in(tmp_path, known, lib_so_1_2=other).changed
    assert (dict(file.uses), file.counts) == ({}, Counts(unmatched=1))


def test_symbols_of_a_library_lie_where_it_has_them() -> None:
    maps = Path("/proc/self/maps").read_text().split()
    library = Path(next(word for word in maps if "/libc.so" in word)).read_bytes()
    symbols = {symbol.name: symbol for symbol in read_symbols(library)}
    assert {"malloc", "free", "getpid"} <= symbols.keys()
    assert all(0 <= it.offset < it.offset + it.size <= len(library) for it in symbols.values())


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"\x7fELF" + bytes(60), b"#!/bin/sh\n" * 9])
def test_what_is_no_elf_has_no_symbols(data: bytes) -> None:
    assert read_symbols(data) == ()


def test_mutated_programs_never_raise(content: bytes) -> None:
    rng = random.Random(SEED)
    program = Path("/bin/true").read_bytes()
    for _ in range(150):
        mutated = bytearray(program)
        for _ in range(rng.randrange(1, 30)):
            mutated[rng.choice([rng.randrange(64), rng.randrange(len(mutated))])] = rng.randrange(
                256
            )
        symbols = read_symbols(bytes(mutated))
        assert all(0 <= it.offset <= it.offset + it.size <= len(mutated) for it in symbols)


def test_more_that_is_stale_than_was_allowed_fails(tmp_path: Path, content: bytes) -> None:
    changed = bytearray(content)
    changed[5 * PAGE_SIZE + 9] ^= 1
    found = found_in(tmp_path, profile_of(content, [3, 4, 5, 6]), lib_so_1_2=bytes(changed))
    check_stale(found, 0.25)
    with pytest.raises(StaleProfileError, match=r"25\.0 % .* over 20 %"):
        check_stale(found, 0.2)
    lines = list(match_lines(found))
    assert "3 are in their place" in lines[0]
    assert lines[-1].endswith("25.0 % stale")


def test_the_present_content_of_a_path_goes_before_an_older_one(
    tmp_path: Path, content: bytes
) -> None:
    now, before = profile_of(content, [3]), profile_of(content[1:], [1, 2])
    both = Profile((RUN,), 0, (*before.files, *now.files))
    found = found_in(tmp_path, both, lib_so_1_2=content)
    assert [sorted(file.uses) for file in found.files] == [[3]]
    assert (found.counts, dict(found.missing)) == (Counts(same=1), {})


def test_a_symbol_may_be_named_like_a_landmark(tmp_path: Path, content: bytes) -> None:
    """Whatever a profile says, no name is taken for a number that it is not."""
    profile = profile_of(content, [4])
    odd = replace(profile.files[0], symbols=(NamedRange("~zz", 0, 4), NamedRange("~", 1, 4)))
    (file,) = found_in(tmp_path, replace(profile, files=(odd,)), lib_so_1_2=content[9:]).changed
    assert file.counts == Counts(unmatched=1)
