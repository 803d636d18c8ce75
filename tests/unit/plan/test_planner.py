# SPDX-License-Identifier: MIT
"""Plans: to the byte what their images are, within their budgets, and explained."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from support.profile_cases import STEADY, program_head, use
from tinyprof.cramfs.kernel import KernelModel
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.writer import WriteOptions, write_image
from tinyprof.pages import PAGE_SIZE
from tinyprof.plan.offers import MODELS, Offer, offered_by
from tinyprof.plan.plan_file import dump_plan, load_plan
from tinyprof.plan.planner import Budget, BudgetError, Plan, Planner
from tinyprof.report.plans import PLOT_WIDTH, curve_lines, plan_document, plan_lines
from tinyprof.rootfs.match import Counts, FoundFile, Match

SEED = 20261124


class Memory:
    """A cache of blocks that forgets when the test ends."""

    def __init__(self) -> None:
        self._blocks: dict[bytes, bytes] = {}

    def get(self, key: bytes) -> bytes | None:
        return self._blocks.get(key)

    def put(self, key: bytes, block: bytes) -> None:
        self._blocks[key] = block


BLOCKS = Memory()


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    top = tmp_path / "tree"
    top.mkdir()
    for number in range(3):
        body = bytes(rng.choices(range(64), k=18 * PAGE_SIZE + 100))
        (top / f"p{number}").write_bytes(program_head(16) + body[len(program_head(16)) :])
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
            files.append(FoundFile(node, uses, STEADY, Counts(same=len(uses))))
    return Match(tuple(files), {})


def planner(tree: Tree, match: Match, kernel: KernelModel = "patched") -> Planner:
    return Planner(tree, match, WriteOptions(kernel=kernel), Memory())


def built(tree: Tree, plan: Plan, kernel: KernelModel) -> int:
    pages = load_plan(dump_plan(plan.pages))
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
        assert plan.of_bound <= plan.of_best <= 1


@pytest.mark.parametrize("kernel", ["patched", "mainline", "nommu"])
def test_no_image_within_a_budget_is_worth_more(tmp_path: Path, kernel: KernelModel) -> None:
    """Against the images of all choices of pages that such a kernel could have."""
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    for name in "abc":
        body = b"".join(
            bytes(rng.choices(range(2 << rng.randrange(8)), k=PAGE_SIZE)) for _ in range(5)
        )
        (tmp_path / name).write_bytes(program_head(4) + body[len(program_head(4)) : -77])
    (tmp_path / "twin").write_bytes((tmp_path / "a").read_bytes())
    small = Tree.from_directory(tmp_path)
    uses = [
        {page: use(x=rng.randrange(11)) for page in rng.sample(range(4), n)} for n in (3, 3, 2)
    ]
    nodes = [node for node in small.files() if node.path != "/twin"]
    found = [
        FoundFile(node, used, STEADY, Counts(same=len(used)))
        for node, used in zip(nodes, uses, strict=True)
    ]
    planning = planner(small, Match(tuple(found), {}), kernel)
    groups = [
        [{}, *({path: offer} for offer in offers)]
        for path, offers in offered_by(planning.candidates, MODELS[kernel])
    ]
    images = [worth_and_size(small, kernel, way) for way in product(*groups)]
    for budget in range(PAGE_SIZE, 10 * PAGE_SIZE, PAGE_SIZE):
        plan = planning.plan_or_nothing(Budget(flash=budget))
        assert plan.value == max(
            worth for worth, size in images if size <= planning.image_before + budget
        )
        assert plan.of_best == 1


def worth_and_size(
    tree: Tree, kernel: KernelModel, way: Iterable[Mapping[str, Offer]]
) -> tuple[int, int]:
    """What offers are worth together, and the bytes of their image."""
    pages: dict[str, set[int]] = {}
    worth = 0
    for path, offer in ((path, offer) for choice in way for path, offer in choice.items()):
        pages.setdefault(path, set()).update(offer.pages)
        worth += offer.value
    return worth, len(write_image(tree, pages, WriteOptions(kernel=kernel), cache=BLOCKS).image)


def test_the_size_of_an_image_is_a_budget_too(tree: Tree, match: Match) -> None:
    planning = planner(tree, match)
    by_growth = planning.plan(Budget(flash=20_000))
    by_size = planning.plan(Budget(image=planning.image_before + 20_000))
    assert by_growth.pages == by_size.pages


def test_a_budget_that_nothing_fits_in_says_the_smallest_that_would(
    tree: Tree, match: Match
) -> None:
    planning = planner(tree, match, "nommu")
    with pytest.raises(BudgetError, match=r"nothing fits.*--flash-budget (\d+)") as caught:
        planning.plan(Budget(flash=1))
    smallest = int(str(caught.value).rsplit(" ", 1)[1])
    assert planning.plan(Budget(flash=smallest)).pages
    with pytest.raises(
        BudgetError, match=rf"at least --image-size {planning.image_before + smallest}"
    ):
        planning.plan(Budget(image=planning.image_before + smallest - 1))


def test_too_small_an_image_is_refused_also_where_no_page_is_of_use(
    tree: Tree, match: Match
) -> None:
    unmapped = [replace(file, uses={0: use(f=9)}) for file in match.files]
    planning = planner(tree, Match(tuple(unmapped), {}), "mainline")
    with pytest.raises(BudgetError, match=rf"at least --image-size {planning.image_before}"):
        planning.plan(Budget(image=planning.image_before - 1))
    assert not planning.plan(Budget(image=planning.image_before)).pages


def test_ram_that_cannot_be_saved_says_how_much_can(tree: Tree, match: Match) -> None:
    planning = planner(tree, match)
    with pytest.raises(BudgetError, match=r"at most (\d+) bytes of RAM") as caught:
        planning.plan(Budget(ram=1 << 30))
    most = int(str(caught.value).split()[2])
    assert planning.plan(Budget(ram=most)).value == most
    half = planning.plan(Budget(ram=most // 2))
    assert most // 2 <= half.value < most


def test_a_plan_explains_what_it_left_out(tree: Tree, match: Match) -> None:
    text = "\n".join(plan_lines(planner(tree, match, "mainline").plan(Budget(flash=20_000))))
    assert "only ever written: in the page cache wherever it is stored" in text
    assert "also written or read with read()" in text
    text = "\n".join(plan_lines(planner(tree, match).plan(Budget(flash=20_000))))
    assert "saves less RAM for its flash than the chosen pages" in text
    assert "in the page cache" not in text.replace("page cache ", "", 1)


def test_a_printed_document_is_a_plan_file(tree: Tree, match: Match) -> None:
    plan = planner(tree, match).plan(Budget())
    assert load_plan(json.dumps(plan_document(plan))) == {
        p: sorted(s) for p, s in plan.pages.items()
    }


def test_a_curve_has_a_line_a_plan(tree: Tree, match: Match) -> None:
    planning = planner(tree, match)
    plans = [planning.plan(Budget(flash=20_000)), planning.plan(Budget())]
    knee, head, small, large = curve_lines(plans)
    assert knee.startswith("100 % of the RAM that can be saved")
    assert "RAM saved" in head
    assert small.count("█") < large.count("█") == PLOT_WIDTH
