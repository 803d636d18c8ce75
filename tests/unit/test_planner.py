# SPDX-License-Identifier: MIT
"""What a page is worth, what a kernel can have of a file, and a plan to the byte."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Mapping
from pathlib import Path

import pytest

from tinyprof.carry import Counts, Match, Matched
from tinyprof.cramfs import PAGE_SIZE, KernelModel, Tree, WriteOptions, write_image
from tinyprof.plan import dump_plan, load_plan
from tinyprof.planner import (
    ONCE_SHARE,
    Candidate,
    Target,
    any_page,
    leading_runs,
    select,
    whole_parts,
)
from tinyprof.planning import Budget, BudgetError, Plan, Planner
from tinyprof.profile import PageUse, Seen
from tinyprof.report import curve_lines, plan_document, plan_lines

SEED = 20261124
STEADY = 10


class Memory:
    """A cache of blocks that forgets when the test ends."""

    def __init__(self) -> None:
        self._blocks: dict[bytes, bytes] = {}

    def get(self, key: bytes) -> bytes | None:
        return self._blocks.get(key)

    def put(self, key: bytes, block: bytes) -> None:
        self._blocks[key] = block


def seen(steady: int, epochs: int | None = None) -> Seen:
    epochs = steady + 1 if epochs is None else epochs
    return Seen(epochs, steady, 1, 12, 1, 1, 1)


def use(**kinds: int) -> PageUse:
    """A page by kind: in how many epochs of the steady state it was seen; all start in start-up."""
    by_kind = {kind: seen(steady) for kind, steady in kinds.items()}
    if {"x", "r"} <= by_kind.keys():
        by_kind["xr"] = by_kind["x"].either(by_kind["r"])
    if len(kinds) > 1 and by_kind.keys() != {"x", "r", "xr"}:
        by_kind["*"] = seen(max(kinds.values()))
    return PageUse("", by_kind)


def elf(pages: int) -> bytes:
    """The first page of a 32-bit program of one read-execute segment of so many pages, and one to write."""
    head = b"\x7fELF\x01\x01\x01" + bytes(9)
    head += struct.pack("<2H5I6H", 3, 40, 1, 0, 52, 0, 0, 52, 32, 2, 0, 0, 0)
    text = struct.pack("<8I", 1, 0, 0, 0, pages * PAGE_SIZE, pages * PAGE_SIZE, 5, PAGE_SIZE)
    size, at = PAGE_SIZE, pages * PAGE_SIZE
    return head + text + struct.pack("<8I", 1, at, at, at, size, size, 6, PAGE_SIZE)


def candidate(uses: Mapping[int, PageUse], pages: int = 12) -> Candidate:
    return Candidate("/f", pages * PAGE_SIZE + 1, elf(pages - 2), [2000] * (pages + 1), uses, STEADY)


def test_a_page_is_worth_the_share_of_the_steady_state_that_uses_it() -> None:
    file = candidate({0: use(x=10), 1: use(r=5), 2: use(x=0)})
    assert [file.value(page) for page in range(4)] == [4096, 2048, round(4096 * ONCE_SHARE), 0]


def test_a_page_that_is_in_the_page_cache_anyway_is_worth_nothing() -> None:
    file = candidate({0: use(f=10), 1: use(w=10), 2: use(x=10, f=3), 3: use(x=10, w=1), 4: use(x=0, f=0)})
    assert [file.value(page) for page in range(5)] == [0] * 5
    # Dropped after start-up, it is read again only by mapping.
    assert candidate({0: use(x=10, f=0)}).value(0) == 4096


def test_each_kernel_is_offered_what_it_can_map() -> None:
    file = candidate({2: use(x=10), 5: use(x=10), 11: use(x=10)})
    assert [[list(offer.pages) for offer in offers] for offers in any_page(file)] == [[[2]], [[5]], [[11]]]
    (runs,) = leading_runs(file)
    assert [(list(offer.pages), offer.value) for offer in runs] == [([0, 1, 2], 4096), (list(range(6)), 8192)]
    ((whole,),) = whole_parts(file)
    assert (list(whole.pages), whole.value) == (list(range(10)), 8192)


def test_a_model_of_ones_own_joins_in() -> None:
    """As for split segments: a model is a function from a file to offers."""
    file = candidate({2: use(x=10), 5: use(x=10)})
    chosen = select(
        [file], lambda file: [offers for offers in any_page(file) if 2 in offers[0].pages], Target()
    )
    assert chosen.pages == {"/f": frozenset({2})}


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    top = tmp_path / "tree"
    top.mkdir()
    for number in range(3):
        body = bytes(rng.choices(range(64), k=18 * PAGE_SIZE + 100))
        (top / f"p{number}").write_bytes(elf(16) + body[len(elf(16)) :])
    (top / "twin").write_bytes((top / "p0").read_bytes())
    return Tree.from_directory(top)


@pytest.fixture
def match(tree: Tree) -> Match:
    rng = random.Random(SEED)
    files = []
    for node in tree.files():
        if node.path != "/twin":
            uses = {page: use(x=rng.randrange(11)) for page in rng.sample(range(16), 11)}
            uses[17] = use(w=10)
            uses[0] = use(x=9, f=9)
            files.append(Matched(node, uses, STEADY, Counts(same=len(uses))))
    return Match(tuple(files), {})


def planner(tree: Tree, match: Match, kernel: KernelModel = "patched") -> Planner:
    return Planner(tree, match, WriteOptions(kernel=kernel), Memory())


def built(tree: Tree, plan: Plan, kernel: KernelModel) -> int:
    pages = load_plan(dump_plan(plan.pages)).pages
    return len(write_image(tree, pages, WriteOptions(kernel=kernel)).image)


@pytest.mark.parametrize("kernel", ["patched", "mainline", "nommu"])
def test_a_budget_is_never_exceeded_and_the_size_is_the_one_predicted(
    tree: Tree, match: Match, kernel: KernelModel
) -> None:
    planning = planner(tree, match, kernel)
    everything = planning.plan(Budget())
    most = everything.prediction.image - planning.image_before
    for budget in range(most, 0, -3001):
        plan = planning.plan_or_nothing(Budget(flash=budget))
        assert plan.prediction.image <= planning.image_before + budget
        assert plan.prediction.image == built(tree, plan, kernel)
        assert 0 <= plan.value <= everything.value
        assert plan.bound <= 1


def test_the_size_of_an_image_is_a_budget_too(tree: Tree, match: Match) -> None:
    planning = planner(tree, match)
    by_growth = planning.plan(Budget(flash=20_000))
    by_size = planning.plan(Budget(image=planning.image_before + 20_000))
    assert by_growth.pages == by_size.pages


def test_a_budget_that_nothing_fits_in_says_the_smallest_that_would(tree: Tree, match: Match) -> None:
    planning = planner(tree, match, "nommu")
    with pytest.raises(BudgetError, match=r"nothing fits.*--flash-budget (\d+)") as caught:
        planning.plan(Budget(flash=1))
    smallest = int(str(caught.value).rsplit(" ", 1)[1])
    assert planning.plan(Budget(flash=smallest)).pages
    with pytest.raises(BudgetError):
        planning.plan(Budget(flash=smallest - 1))


def test_ram_that_cannot_be_saved_says_how_much_can(tree: Tree, match: Match) -> None:
    planning = planner(tree, match)
    with pytest.raises(BudgetError, match=r"at most (\d+) bytes of RAM") as caught:
        planning.plan(Budget(ram=1 << 30))
    most = int(str(caught.value).split()[2])
    assert planning.plan(Budget(ram=most)).value == most
    half = planning.plan(Budget(ram=most // 2))
    assert most // 2 <= half.value < most


def test_a_plan_explains_what_it_left_out(tree: Tree, match: Match) -> None:
    text = "\n".join(plan_lines(planner(tree, match).plan(Budget(flash=20_000))))
    assert "only ever written: in the page cache wherever it is stored" in text
    assert "also written or read with read()" in text
    assert "not worth as much for its flash as what was chosen" in text


def test_a_printed_document_is_a_plan_file(tree: Tree, match: Match) -> None:
    plan = planner(tree, match).plan(Budget())
    assert load_plan(json.dumps(plan_document(plan))).pages == {p: sorted(s) for p, s in plan.pages.items()}


def test_a_curve_has_a_line_a_plan(tree: Tree, match: Match) -> None:
    planning = planner(tree, match)
    plans = [planning.plan(Budget(flash=20_000)), planning.plan(Budget())]
    head, small, large = curve_lines(plans)
    assert "RAM saved" in head
    assert small.count("█") < large.count("█") == 50
