# SPDX-License-Identifier: MIT
"""Plans to the byte: a profile, a tree and a budget in, the pages to store in place and a
prediction out.

The costs of a selection are the bytes that pages take one by one. Only the writer knows the effect
of placement and sharing on the whole image. So a plan is made in these steps:

1. Select pages for the room that there seems to be.
2. Build the image in memory.
3. Correct the room by the difference between the two, and begin again.

The best image that fits is the plan. The predicted size of an image is therefore its size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tinyprof.cramfs.format import EntryKind
from tinyprof.cramfs.kernel import KernelModel
from tinyprof.cramfs.reading.reader import Image, read_image
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.packer import BlockCache, CheckedBlocks, compressed_size_of
from tinyprof.cramfs.writing.writer import Progress, WriteOptions, Written, write_both, write_image
from tinyprof.errors import TinyprofError
from tinyprof.pages import PAGE_SIZE
from tinyprof.plan.offers import Model, offered_by
from tinyprof.plan.prediction import OnKernel, Prediction, page_cache, reckon_kernels
from tinyprof.plan.selection import (
    Selection,
    Target,
    model_of,
    select,
    select_all,
    split_all,
)
from tinyprof.plan.value import Candidate, candidates_in
from tinyprof.profile.model import PageUse
from tinyprof.rootfs.match import Match
from tinyprof.segments.split_tree import AS_PLANNED, Known, Splitting, split_tree

ROUNDS_MAX = 6
"""Rounds of selecting and building, at most. Two or three are enough in practice."""


class BudgetError(TinyprofError):
    """A budget in which nothing fits, or that cannot be reached."""


@dataclass(frozen=True, slots=True)
class Budget:
    """The limit of a plan, one of

    1. `flash`: bytes by which the image may be larger than the one without pages in place;
    2. `image`: bytes of the image, at most;
    3. `ram`: bytes of page cache that the steady state is to need less, at least;
    4. none: everything that pays.
    """

    flash: int | None = None
    image: int | None = None
    ram: int | None = None


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """One profiled file.

    - `pages`: number of its pages.
    - `chosen`: its pages in place.
    - `filler`: number of chosen pages without value. The kernel needs them in place to map the
      pages behind them.
    - `cost`, `saves`: bytes of flash, and of RAM, of the chosen pages.
    - `left_out`: the used pages that were not chosen, by the reason.
    - `processes`: the number of processes that map it at once; None where it is not known.
    """

    path: str
    pages: int
    chosen: tuple[int, ...]
    filler: int
    cost: int
    saves: int
    left_out: Mapping[str, tuple[int, ...]]
    processes: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The pages to store in place by path, and what is known of them.

    - `value`: bytes of RAM that they save, by the measure of plan.value.
    - `of_bound`: the share of the fractional optimum that they reach.
    - `of_best`: the share of the best choice of pages that they reach at least; 1 where it is
      proved that no choice is better.
    - `split`: the segments of the files have to be split for them.
    - `kernels`: the planned image on each kind of kernel, whatever it is planned for.
    """

    kernel: KernelModel
    pages: Mapping[str, frozenset[int]]
    files: tuple[PlannedFile, ...]
    prediction: Prediction
    value: int
    of_bound: float
    of_best: float
    match: Match
    split: bool = False
    kernels: Mapping[KernelModel, OnKernel] = field(default_factory=dict)


class Planner:
    """Plans for one tree and the profiled pages in it.

    The image without pages in place is built once for all plans.
    """

    def __init__(
        self,
        tree: Tree,
        match: Match,
        options: WriteOptions,
        cache: BlockCache,
        model: Model | None = None,
        *,
        splitting: Splitting | None = None,
        progress: Progress | None = None,
    ) -> None:
        """`splitting`: the segments of files are split at the chosen runs, for kernel mainline.
        `progress` is told of the pages that are packed for the first images.

        `model` tells which pages can be had. Without it, `splitting` or the kernel in `options`
        decides.
        """
        # The same pages are asked for by every image that is built for a plan.
        cache = CheckedBlocks(cache)
        self._splitting, self._known = splitting, Known()
        self._sizes = compressed_size_of(options.compress(), cache)
        self._tree, self._match, self._options, self._cache = tree, match, options, cache
        # With the first page in place come block pointers that let equal pages share their bytes.
        before, compressed = write_both(tree, options, cache, progress)
        self.image_before = len(before)
        self._end = _compressed_end(read_image(compressed))
        self.candidates = candidates_in(
            match, self._sizes, options.kernel, riscv_code=options.riscv_code
        )
        model = model or model_of(options.kernel, splitting)
        self._offered = offered_by(self.candidates, model)

    def _write(self, pages: Mapping[str, frozenset[int]], options: WriteOptions) -> Written:
        if self._splitting and pages:
            made = split_tree(self._tree, pages, self._sizes, AS_PLANNED, known=self._known)
            return write_image(made.tree, made.pages, options, cache=self._cache)
        return write_image(self._tree, pages, options, cache=self._cache)

    def plan(self, budget: Budget) -> Plan:
        """The best plan for a budget. Raises BudgetError where none keeps to it."""
        if budget.ram is not None:
            return self._for_ram(budget.ram)
        if budget.image is not None:
            return self._within(budget.image, budget)
        if budget.flash is not None:
            return self._within(self.image_before + budget.flash, budget)
        if self._splitting:
            return self._all_split(self._splitting)
        selection = select_all(self._offered)
        return self._plan(selection, self._write(selection.pages, self._options))

    def _all_split(self, splitting: Splitting) -> Plan:
        """The plan of all pages that pay, with the bound for as much flash as they cost."""
        made = split_all(self._tree, self._match, self._sizes, splitting)
        written = write_image(made.tree, made.pages, self._options, cache=self._cache)
        cost = value = 0
        for file in self.candidates:
            chosen = written.in_place.get(file.path, frozenset())
            cost += sum(map(file.cost, chosen))
            value += sum(map(file.value, chosen))
        for split in made.split_once:
            value -= round(splitting.prices.mapping(split.processes) * split.mappings)
        bound = max(select(self._offered, Target(flash=cost)).bound, value)
        selection = Selection(
            written.in_place, cost, value, bound, int(bound), offers=self._offered
        )
        return self._plan(selection, written)

    def plan_or_nothing(self, budget: Budget) -> Plan:
        """The best plan for a budget, without any page in place where none fits."""
        try:
            return self.plan(budget)
        except BudgetError:
            nothing = Selection({}, 0, 0, 0.0, 0)
            return self._plan(nothing, self._write({}, self._options))

    def _for_ram(self, wanted: int) -> Plan:
        selection = select(self._offered, Target(ram=wanted))
        if not selection.reached:
            raise BudgetError(
                f"at most {selection.value} bytes of RAM can be saved, not {wanted}",
                "ask for less, or record more of the work of the device",
            )
        return self._plan(selection, self._write(selection.pages, self._options))

    def _within(self, limit: int, budget: Budget) -> Plan:
        """The best plan for an image of at most `limit` bytes, by the steps at the top."""
        room = ask = limit // PAGE_SIZE * PAGE_SIZE - self._end
        best: tuple[Selection, Written] | None = None
        tried: set[int] = set()
        while ask not in tried and len(tried) < ROUNDS_MAX:
            tried.add(ask)
            selection = select(self._offered, Target(flash=ask))
            written = self._write(selection.pages, self._options)
            if len(written.image) <= limit and (best is None or selection.value > best[0].value):
                best = selection, written
            ask = self._room_for(room, selection, written)
        while best is None and selection.pages:
            ask -= PAGE_SIZE
            selection = select(self._offered, Target(flash=ask))
            written = self._write(selection.pages, self._options)
            best = (selection, written) if len(written.image) <= limit else None
        if best is None or (not best[0].pages and self._offered):
            raise self._nothing_fits(limit, budget)
        # The bounds hold for choices whose pages share as many bytes as the chosen ones do.
        most = select(self._offered, Target(flash=self._room_for(room, *best)))
        bound, ceiling = max(most.bound, best[0].value), max(most.ceiling, best[0].value)
        return self._plan(replace(best[0], bound=bound, ceiling=ceiling), best[1])

    def _room_for(self, room: int, selection: Selection, written: Written) -> int:
        """The room in bytes for the costs of pages, if they share as many bytes as these do."""
        return room - (self._took(written) - selection.cost)

    def _took(self, written: Written) -> int:
        """Bytes that the pages in place added, before the image is filled up to whole pages."""
        return (
            _compressed_end(read_image(written.image)) - self._end + written.xip_pages * PAGE_SIZE
        )

    def _nothing_fits(self, limit: int, budget: Budget) -> BudgetError:
        if not self._offered:
            return BudgetError(
                f"nothing fits in {limit} bytes: the image has {self.image_before}, and no "
                "page is of use",
                f"give at least --image-size {self.image_before}",
            )
        path, offers = min(self._offered, key=lambda offered: offered[1][0].cost)
        smallest = self._write({path: frozenset(offers[0].pages)}, self._options).image
        least = f"--flash-budget {max(0, len(smallest) - self.image_before)}"
        if budget.image is not None:
            least = f"--image-size {len(smallest)}"
        return BudgetError(
            f"nothing fits in {limit} bytes: the image without pages in place has "
            f"{self.image_before}",
            f"the smallest of use has {len(smallest)}: give at least {least}",
        )

    def _plan(self, selection: Selection, written: Written) -> Plan:
        offered = {path: set[int]() for path, _ in selection.offers}
        for path, offers in selection.offers:
            offered[path].update(offers[-1].pages)
        planned = []
        for file in self.candidates:
            chosen = written.in_place.get(file.path, frozenset())
            planned.append(_planned(file, chosen, offered.get(file.path, set())))
        planned.sort(key=lambda it: (-it.saves, -len(it.chosen), it.path))
        return Plan(
            self._options.kernel,
            selection.pages,
            tuple(planned),
            self._prediction(written),
            selection.value,
            selection.of_bound,
            # For split segments not every choice was offered, so nothing is proved.
            selection.of_bound if self._splitting else selection.of_best,
            self._match,
            self._splitting is not None,
            reckon_kernels(
                read_image(written.image),
                self.candidates,
                self._match.links,
                riscv_code=self._options.riscv_code,
            ),
        )

    def _prediction(self, written: Written) -> Prediction:
        links, kernel = self._match.links, self._options.kernel
        before = page_cache({}, self.candidates, links, kernel)
        after = page_cache(written.in_place, self.candidates, links, kernel)
        return Prediction(
            len(written.image),
            self.image_before,
            written.xip_pages,
            after.used,
            before.used,
            after.steady,
            before.steady,
            0 if kernel == "nommu" else len(links),
        )


def _compressed_end(image: Image) -> int:
    """The byte behind the last block that is not in place.

    The region of pages in place begins at the next whole page.
    """
    ends = [0]
    seen: set[int] = set()
    for entry in image.entries:
        if entry.kind not in (EntryKind.FILE, EntryKind.SYMLINK) or entry.ino in seen:
            continue
        seen.add(entry.ino)
        ends += [
            block.offset + block.stored for block in image.blocks(entry) if not block.in_place
        ]
    return max(ends) + 3 & ~3


def _planned(file: Candidate, chosen: frozenset[int], offered: set[int]) -> PlannedFile:
    left_out: dict[str, list[int]] = {}
    for page, use in sorted(file.uses.items()):
        if page not in chosen:
            left_out.setdefault(_reason(file, page, use, page in offered), []).append(page)
    useful = [page for page in chosen if file.value(page)]
    return PlannedFile(
        file.path,
        len(file.stored),
        tuple(sorted(chosen)),
        len(chosen) - len(useful),
        sum(file.cost(page) for page in chosen),
        sum(file.value(page) for page in useful),
        {reason: tuple(pages) for reason, pages in left_out.items()},
        file.processes,
    )


def _reason(file: Candidate, page: int, use: PageUse, offered: bool) -> str:
    if use.mapped is None and not file.from_flash:
        kinds = {"w": "written", "f": "read with read()", "wf": "written or read with read()"}
        return f"only ever {kinds[use.kinds]}: in the page cache wherever it is stored"
    if not file.value(page):
        return "also written or read with read(): in the page cache wherever it is stored"
    if offered:
        return "saves less RAM for its flash than the chosen pages"
    return "this kernel could not map it, or only with more flash than it is worth"
