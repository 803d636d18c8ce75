# SPDX-License-Identifier: MIT
"""What flash would buy: the sizes that it reckons with are those of the pages a profile knows."""

from __future__ import annotations

import hashlib

from support.elf_cases import Shape, link
from tinyprof.capture.index import ImageIndex, IndexedFile, Source, stored_sizes
from tinyprof.heat.losses import NO_LOSSES
from tinyprof.pages import Fsid
from tinyprof.plan.value import PLACEMENT_COST
from tinyprof.plan.what_if import KERNELS, WhatIf, what_if_mapped_by
from tinyprof.profile.model import BootFacts, FileUse, PageUse, PhaseFacts, Profile, Seen


def test_a_split_file_has_its_sizes_under_the_program_and_without_added_pages() -> None:
    split = IndexedFile(
        "/bin/it",
        64,
        4 * 4096,
        "5" * 64,
        (100, 200, 300, 400),
        bytes(4),
        source=Source(2 * 4096 + 1, "a" * 64),
    )
    whole = IndexedFile("/lib/it", 128, 4096, "b" * 64, (500,), bytes(1))
    index = ImageIndex("little", 65536, Fsid(1, 0, 5, 2), "it", (split, whole))
    assert stored_sizes(index) == {
        ("a" * 64, 2 * 4096 + 1): (100, 200, 300),
        ("b" * 64, 4096): (500,),
    }


PAGE = 4096
RUN = BootFacts("0000000a/1/2/3", "6.1.192", 9, NO_LOSSES, (PhaseFacts("", 1, 9, 3, True),))
EVER = Seen(9, 9, 1, 9, 1, 9, 1)
HOT = (2, 6)
"""Of a program with a page of headers, six of code, from page 1 on, and two of data that is only
read."""


def curve_for(name: str, head: bytes | None) -> WhatIf:
    program = link(Shape(bits=32, pages=6))
    digest = hashlib.sha256(program).hexdigest()
    uses = {page: PageUse("", {"x": EVER}) for page in HOT}
    profile = Profile((RUN,), 0, (FileUse("/bin/it", len(program), digest, uses, (RUN.fsid,)),))
    stored = {(digest, len(program)): (2000,) * -(-len(program) // PAGE)}
    kernel = next(kernel for kernel in KERNELS if kernel.name == name)
    return what_if_mapped_by(kernel, profile, stored, lambda file: head)


def pages_of(curve: WhatIf, budget: int) -> list[int]:
    return sorted(curve.pages_within(budget).get("/bin/it", ()))


def test_each_kernel_gets_the_pages_that_it_can_map() -> None:
    head = link(Shape(bits=32, pages=6))[:PAGE]
    page = PAGE - 2000 + PLACEMENT_COST
    patched, mainline = curve_for("patched", head), curve_for("mainline", head)
    split, nommu = curve_for("split", head), curve_for("nommu", head)
    assert pages_of(patched, page) == [2]
    assert pages_of(patched, 2 * page) == [2, 6]
    assert pages_of(mainline, 2 * page) == [1, 2]
    assert pages_of(mainline, 6 * page) == [1, 2, 3, 4, 5, 6]
    assert pages_of(nommu, 5 * page) == []
    assert pages_of(nommu, 6 * page) == [1, 2, 3, 4, 5, 6]
    # A mapping is dear in RAM, and bridging two pages dear in flash: which is better the budget
    # says.
    assert 0 < len(pages_of(split, 4 * page)) <= 4
    for curve in (patched, mainline, split, nommu):
        most = curve.everything
        assert most.pages == len(pages_of(curve, most.cost))
        assert most.cost == most.pages * page
        assert curve.saving(1.0) == most
        assert curve.saving(0.1).saves >= 0.1 * most.saves
        points = curve.points(20)
        assert points == sorted(points, key=lambda point: (point.cost, point.saves))


def test_what_nobody_can_say_how_to_map_is_left_out_and_counted() -> None:
    curve = curve_for("mainline", None)
    assert (curve.unknown, curve.everything.pages) == (1, 0)
    assert curve_for("patched", None).everything.pages == 2
