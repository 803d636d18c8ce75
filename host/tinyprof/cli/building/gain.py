# SPDX-License-Identifier: MIT
"""The cost and the gain of an image's pages in place: the image in, lines of text and JSON fields
out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from tinyprof.cramfs.kernel import KERNEL_WORDS, MEMORY_WORDS, KernelModel
from tinyprof.cramfs.mapped import contents_in_place, count_mapped
from tinyprof.cramfs.reading.reader import read_image
from tinyprof.tables.columns import kib, signed_kib, signed_percent

if TYPE_CHECKING:
    from tinyprof.plan.prediction import OnKernel
    from tinyprof.plan.value import Candidate
    from tinyprof.rootfs.match import Match


@dataclass(frozen=True, slots=True)
class Gain:
    """An image against the one without pages in place.

    - `kernel`: the kernel that the image is for. `chosen`: the user named it.
    - `size_before`: bytes of the image without pages in place, built with the same options.
    - `mapped`: number of pages in place that each kernel maps; empty where none is in place.
    - `cache_before`, `kernels`: bytes of page cache without pages in place, and the image on each
      kernel; None and empty without a profile.
    """

    kernel: KernelModel
    chosen: bool
    size_before: int
    mapped: Mapping[KernelModel, int] = field(default_factory=dict)
    cache_before: int | None = None
    kernels: Mapping[KernelModel, OnKernel] = field(default_factory=dict)

    def fields(self) -> dict[str, Any]:
        """The fields for JSON."""
        return {
            "kernel": self.kernel,
            "size_before": self.size_before,
            "mapped": dict(self.mapped),
            "page_cache_before": self.cache_before,
            "kernels": {kernel: asdict(found) for kernel, found in self.kernels.items()},
        }

    def lines(self, size: int) -> Iterator[str]:
        """The text about an image of `size` bytes; nothing where no page is in place."""
        if not self.mapped:
            return
        grown = size - self.size_before
        yield (
            f"{signed_kib(grown)} KiB of flash ({signed_percent(grown, self.size_before)}) for "
            "pages in place"
        )
        yield f"for {KERNEL_WORDS[self.kernel]}, which maps {self._on(self.kernel)}"
        if self.kernel == "nommu":
            return
        other: KernelModel = "patched" if self.kernel == "mainline" else "mainline"
        if not self.chosen or self.mapped[other] < self.mapped[self.kernel]:
            less = other == "mainline" and self.mapped[other] < self.mapped[self.kernel]
            advice = "; build for it with --split-segments, or --kernel mainline" if less else ""
            yield f"{KERNEL_WORDS[other]} would map {self._on(other)}{advice}"

    def _on(self, kernel: KernelModel) -> str:
        """The words for the pages that a kernel maps, and for the page cache that it needs."""
        mapped = f"{self.mapped[kernel]:,} of them"
        found = self.kernels.get(kernel)
        if found is None or self.cache_before is None:
            return mapped
        saved = found.page_cache - self.cache_before
        return (
            f"{mapped}: {MEMORY_WORDS[kernel]} {kib(found.page_cache)} KiB "
            f"({signed_percent(saved, self.cache_before)}), predicted"
        )


def gain_of(
    image: bytes,
    size_before: int,
    kernel: KernelModel,
    chosen: bool,
    found: Match | None,
    *,
    riscv_code: bool = False,
) -> Gain:
    """The gain of an image. `found`: the profile's pages in its tree, if there is a profile.
    `riscv_code`: see WriteOptions."""
    parsed = read_image(image)
    mapped = count_mapped(parsed, contents_in_place(parsed), riscv_code=riscv_code)
    if found is None:
        return Gain(kernel, chosen, size_before, mapped)
    # A build without a profile does not wait for these.
    from tinyprof.plan.prediction import page_cache, reckon_kernels  # noqa: PLC0415
    from tinyprof.plan.value import candidates_in  # noqa: PLC0415

    files: list[Candidate] = candidates_in(found, len, kernel)
    before = page_cache({}, files, found.links, kernel).used
    kernels = reckon_kernels(parsed, files, found.links, riscv_code=riscv_code)
    return Gain(kernel, chosen, size_before, mapped, before, kernels)
