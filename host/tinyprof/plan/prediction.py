# SPDX-License-Identifier: MIT
"""Predicts the page cache of an image: the profiled files and their pages in place in, bytes out.

docs/planning.md, "Predictions", has the rules. No I/O.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from tinyprof.cramfs.kernel import KERNEL_MODELS, KernelModel
from tinyprof.cramfs.mapped import contents_in_place, count_mapped, mapped_by_path
from tinyprof.cramfs.reading.reader import Image
from tinyprof.pages import PAGE_SIZE
from tinyprof.plan.value import Candidate


@dataclass(frozen=True, slots=True)
class Prediction:
    """The figures of the planned image, and of the image without pages in place (`…_before`).

    - `image`: bytes of the image.
    - `pages`: number of pages in place.
    - `page_cache`: bytes of page cache of all used pages, if nothing is ever dropped. Without an
      MMU: bytes of the copies of mapped pages, if all mappings were held at once.
    - `steady`: bytes of page cache of the pages that the steady state uses, each times the share
      of the steady state in which it is used.
    - `links`: number of symbolic links that are followed. Each takes a page of page cache, which
      is in these figures. Without an MMU no link is, so the number is 0.
    """

    image: int
    image_before: int
    pages: int
    page_cache: int
    page_cache_before: int
    steady: int
    steady_before: int
    links: int = 0


@dataclass(frozen=True, slots=True)
class PageCache:
    """Bytes of page cache: of all used pages, and as the steady state needs them."""

    used: int
    steady: int


@dataclass(frozen=True, slots=True)
class OnKernel:
    """An image on one kind of kernel: the number of pages that it maps from flash, and the bytes
    of page cache as Prediction has them."""

    mapped: int
    page_cache: int
    steady: int


def page_cache(
    in_place: Mapping[str, Collection[int]],
    candidates: Sequence[Candidate],
    links: Mapping[str, float],
    kernel: KernelModel,
) -> PageCache:
    """The page cache with these pages in place, by path. The candidates are for `kernel`.

    Without an MMU the copies of mapped pages count in its place, and nothing else.
    """
    if kernel == "nommu":
        return _copies(in_place, candidates)
    pages = len(links)
    steady = round(PAGE_SIZE * sum(links.values()))
    for file in candidates:
        there = in_place.get(file.path, frozenset())
        for page, use in file.uses.items():
            share = use.any.steady / file.steady if file.steady else 0.0
            cached = (use.cached or not use.mapped) and not file.from_flash
            pages += page not in there or bool(cached)
            if page not in there or not file.value(page):
                steady += round(PAGE_SIZE * min(1.0, share))
    return PageCache(pages * PAGE_SIZE, steady)


def _copies(in_place: Mapping[str, Collection[int]], candidates: Sequence[Candidate]) -> PageCache:
    """The copies in RAM of the mapped pages that are not in place (rule 3 of plan.value)."""
    pages = steady = 0
    for file in candidates:
        there = in_place.get(file.path, frozenset())
        for page, use in file.uses.items():
            if use.mapped is None or page in there:
                continue
            share = use.mapped.steady / file.steady if file.steady else 0.0
            pages += 1
            steady += round(PAGE_SIZE * min(1.0, share))
    return PageCache(pages * PAGE_SIZE, steady)


def reckon_kernels(
    image: Image,
    candidates: Sequence[Candidate],
    links: Mapping[str, float],
    *,
    riscv_code: bool = False,
) -> dict[KernelModel, OnKernel]:
    """An image on each kind of kernel. `riscv_code`: see cramfs.kernel.maps_no_code().

    Raises ImageError for broken block pointers.
    """
    found: dict[KernelModel, OnKernel] = {}
    counts = count_mapped(image, contents_in_place(image), riscv_code=riscv_code)
    for kernel in KERNEL_MODELS:
        mapped = mapped_by_path(image, kernel, riscv_code=riscv_code)
        files = [replace(file, kernel=kernel) for file in candidates]
        cache = page_cache(mapped, files, links, kernel)
        found[kernel] = OnKernel(counts[kernel], cache.used, cache.steady)
    return found
