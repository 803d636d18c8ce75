# SPDX-License-Identifier: MIT
"""The kernels that an image may be for."""

from __future__ import annotations

from typing import Literal

KernelModel = Literal["patched", "mainline", "nommu"]
"""`patched` has tinyprof's fault handler (docs/kernel.md), `mainline` is a stock kernel, `nommu` a stock one
without an MMU."""

KERNEL_MODELS: tuple[KernelModel, ...] = ("patched", "mainline", "nommu")
