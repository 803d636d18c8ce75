# SPDX-License-Identifier: MIT
"""What a page in place is worth, by how it was used."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from support.elf_cases import Shape, link
from support.profile_cases import STEADY, candidate, use
from tinyprof.cramfs.programs import mapped_parts
from tinyprof.cramfs.tree import Tree
from tinyprof.plan.value import ONCE_SHARE, candidates_in, pays
from tinyprof.rootfs.match import Counts, FoundFile, Match
from tinyprof.segments.split import Run, split


def test_a_page_is_worth_the_share_of_the_steady_state_that_uses_it() -> None:
    file = candidate({0: use(x=10), 1: use(r=5), 2: use(x=0)})
    assert [file.value(page) for page in range(4)] == [4096, 2048, round(4096 * ONCE_SHARE), 0]


def test_a_page_that_is_in_the_page_cache_anyway_is_worth_nothing() -> None:
    file = candidate(
        {0: use(f=10), 1: use(w=10), 2: use(x=10, f=3), 3: use(x=10, w=1), 4: use(x=0, f=0)}
    )
    assert [file.value(page) for page in range(5)] == [0] * 5
    # Dropped after start-up, it is read again only by mapping.
    assert candidate({0: use(x=10, f=0)}).value(0) == 4096


def test_a_kernel_that_reads_from_flash_caches_no_page_in_place() -> None:
    uses = {0: use(f=10), 1: use(w=5), 2: use(x=10, f=3), 3: use(f=0), 4: use(x=5, w=5)}
    file = replace(candidate(uses), kernel="patched")
    once = round(4096 * ONCE_SHARE)
    assert [file.value(page) for page in range(6)] == [4096, 2048, 4096, once, 2048, 0]


def test_what_is_worth_something_is_what_a_build_takes_without_a_budget() -> None:
    file = candidate(
        {
            0: use(f=10),
            1: use(w=10),
            2: use(x=10, f=3),
            3: use(x=10, f=0),
            4: use(r=0),
            5: use(x=1),
        }
    )
    assert [page for page in file.uses if pays(file.uses[page])] == [3, 4, 5]
    assert [page for page in file.uses if file.value(page)] == [3, 4, 5]


def test_a_program_is_known_by_its_headers_wherever_they_stand(tmp_path: Path) -> None:
    data = split(link(Shape(pages=20, separate=False, gap=1500)), (Run(4, 5),)).elf
    (tmp_path / "program").write_bytes(data)
    (node,) = Tree.from_directory(tmp_path).files()
    (file,) = candidates_in(Match((FoundFile(node, {4: use(x=10)}, STEADY, Counts()),), {}), len)
    assert mapped_parts(file.head, file.size) == mapped_parts(data, len(data))
