# SPDX-License-Identifier: MIT
"""Says what a kernel can be used for: its options in, a check for each use out.

The needs are those of docs/sources.md, docs/kernel.md and docs/porting.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tinyprof.cli.doctor.kernel_config import KernelConfig
from tinyprof.cli.doctor.verdict import Check, State

MAPPED_DRIVERS = ("MTD_CFI_INTELEXT", "MTD_ROM", "MTD_RAM", "MTD_LPDDR", "MTD_UCLINUX")
"""Drivers of MTD that give the address of their flash (their point())."""

UNMAPPED_DRIVERS = ("MTD_CFI_AMDSTD", "MTD_SPI_NOR", "MTD_HYPERBUS", "MTD_PHRAM", "MTD_SLRAM")
"""Drivers that do not. phram and slram answer without an address."""

WITH_PATCH = "with patch 0007 of docs/kernel.md it does: say --riscv-code here and to build"
"""The way out for RISC-V kernels, as a step to do."""

CRAMFS_LEAST = (4, 15, 0)
"""The first kernel with CRAMFS_MTD."""
BROKEN_FIRST, BROKEN_LAST = (6, 17, 0), (6, 17, 2)
"""Kernels between which a mapping that is partly in place shows wrong memory (21aa65bf82a7)."""


@dataclass(frozen=True, slots=True)
class Use:
    """Something that a kernel may be for. Each need is a set of options of which one is enough.

    `wanted`: options that make it better, each with what is missed without it.
    """

    name: str
    needs: tuple[tuple[str, ...], ...]
    wanted: tuple[tuple[tuple[str, ...], str], ...] = ()


_TRACERS = ("TRACING", "ENABLE_DEFAULT_TRACERS", "FUNCTION_TRACER", "FTRACE_SYSCALLS")
_MOUNT = (("CRAMFS",), ("CRAMFS_MTD",), ("MTD",), MAPPED_DRIVERS)

RECORD_EXACT = Use("record with the kernel's own part", (("CRAMFS_TINYPROF",),))
RECORD_EVENTS = Use(
    "record with perf events",
    (("PERF_EVENTS",), ("PROC_FS",), ("MMU",)),
    (
        (("PROC_PAGE_MONITOR",), "one long epoch: hot pages cannot be told"),
        (("DEBUG_FS",), "fault-around stays on, so epochs miss pages"),
        (_TRACERS, "read() is not seen"),
    ),
)
SHIP_STOCK = Use("ship on this kernel as it is (split segments)", (*_MOUNT, ("MMU",)))
SHIP_PATCHED = Use("ship with XIP at the fault", (*_MOUNT, ("CRAMFS_XIP_FAULT",)))


def has_handler(config: KernelConfig) -> bool:
    """Whether the kernel maps each block in place by itself (CONFIG_CRAMFS_XIP_FAULT)."""
    return config.has("CRAMFS_XIP_FAULT")


def kernel_checks(
    subject: str, config: KernelConfig, *, riscv_code: bool = False
) -> Iterator[Check]:
    """The checks of one kernel's options. `riscv_code`: see cramfs.kernel.maps_no_code()."""
    arch = f" for {config.arch}" if config.arch else ""
    text = f"Linux {config.version_text}{arch}, {len(config.options)} options set"
    yield Check(subject, "kernel", State.OK, text)
    yield from _traps(subject, config, riscv_code=riscv_code)
    record = [_use_check(subject, use, config) for use in (RECORD_EXACT, RECORD_EVENTS)]
    ship = [_use_check(subject, use, config) for use in (SHIP_STOCK, SHIP_PATCHED)]
    yield from record
    if all(check.state is State.NOTE for check in record):
        yield Check(
            subject,
            "record",
            State.LOOK,
            "this kernel records by residency alone: no kinds, no epochs",
            ("set CONFIG_PERF_EVENTS and CONFIG_PROC_PAGE_MONITOR (docs/sources.md)",),
        )
    yield from ship
    if all(check.state is State.NOTE for check in ship):
        yield Check(
            subject,
            "ship",
            State.BROKEN,
            "this kernel maps no page of a CramFS from flash",
            _how_to_ship(config),
        )


def _use_check(subject: str, use: Use, config: KernelConfig) -> Check:
    """A use that is not possible is a note: no kernel is for all of them."""
    missing = [_option_text(need) for need in use.needs if not any(map(config.has, need))]
    if missing:
        return Check(subject, use.name, State.NOTE, f"no: {', '.join(missing)} missing")
    worse = [
        f"without {_option_text(options)}: {loss}"
        for options, loss in use.wanted
        if not any(map(config.has, options))
    ]
    if worse:
        return Check(subject, use.name, State.OK, f"yes; {'; '.join(worse)}")
    return Check(subject, use.name, State.OK, "yes")


def _option_text(names: tuple[str, ...]) -> str:
    if len(names) == 1:
        return f"CONFIG_{names[0]}"
    if names is MAPPED_DRIVERS:
        return "a driver of mapped flash (CONFIG_MTD_CFI_INTELEXT, CONFIG_MTD_ROM, …)"
    return f"CONFIG_{names[0]} (or another tracer)"


def _how_to_ship(config: KernelConfig) -> tuple[str, ...]:
    todo = []
    plain = [name for name in ("MTD", "CRAMFS", "CRAMFS_MTD") if not config.has(name)]
    if plain:
        todo.append("set " + ", ".join(f"CONFIG_{name}=y" for name in plain))
    if not any(map(config.has, MAPPED_DRIVERS)):
        others = [name for name in UNMAPPED_DRIVERS if config.has(name)]
        if others:
            names = ", ".join(f"CONFIG_{name}" for name in others)
            todo.append(
                f"{names} cannot be executed from: set CONFIG_MTD_ROM=y, and give the "
                'flash a node with compatible = "mtd-rom" (docs/porting.md)'
            )
        else:
            todo.append("set CONFIG_MTD_ROM=y, or CONFIG_MTD_CFI_INTELEXT=y for Intel-command NOR")
    if not config.has("MTD_PHYSMAP"):
        todo.append("set CONFIG_MTD_PHYSMAP=y and CONFIG_MTD_PHYSMAP_OF=y, which probe the flash")
    return tuple(todo)


def _traps(subject: str, config: KernelConfig, *, riscv_code: bool) -> Iterator[Check]:
    yield from _version(subject, config)
    yield from _page_size(subject, config)
    if config.is_built_in("RISCV") and not riscv_code:
        yield Check(
            subject,
            "code in flash",
            State.LOOK,
            "a RISC-V kernel that maps code from flash crashes (flush_icache_pte): "
            "builds keep code in RAM",
            ("see docs/split-segments.md", WITH_PATCH),
        )
    if config.options and not config.is_built_in("MMU") and config.version:
        yield Check(
            subject,
            "MMU",
            State.LOOK,
            "a kernel without an MMU maps whole segments or nothing",
            ("build with --kernel nommu",),
        )
    modules = [name for name in ("CRAMFS", "MTD") if config.options.get(name) == "m"]
    if modules:
        names = ", ".join(f"CONFIG_{name}" for name in modules)
        yield Check(
            subject,
            "modules",
            State.LOOK,
            f"{names} as a module cannot be the root without an initramfs",
            ("set them to y",),
        )
    if config.has("READ_ONLY_THP_FOR_FS"):
        yield Check(
            subject,
            "huge pages",
            State.LOOK,
            "CONFIG_READ_ONLY_THP_FOR_FS maps 2 MiB by one fault, so a recording misses pages",
            ("switch it off in the kernel that records",),
        )


def _version(subject: str, config: KernelConfig) -> Iterator[Check]:
    if config.version and config.version < CRAMFS_LEAST:
        yield Check(
            subject,
            "version",
            State.BROKEN,
            "kernels before 4.15 have no CRAMFS_MTD",
            ("take a later kernel to ship with; perf events record on this one",),
        )
    if config.version and BROKEN_FIRST <= config.version <= BROKEN_LAST:
        yield Check(
            subject,
            "version",
            State.BROKEN,
            "6.17.0 to 6.17.2 show wrong memory where a mapping is partly in place",
            ("take 6.17.3 or later (20a8e0454d83)",),
        )


def _page_size(subject: str, config: KernelConfig) -> Iterator[Check]:
    large = [
        name
        for name in config.options
        if config.is_built_in(name)
        and name.endswith(("_16K_PAGES", "_64K_PAGES", "PAGE_SIZE_16KB", "PAGE_SIZE_64KB"))
        and not name.startswith("HAVE_")
    ]
    if large:
        yield Check(
            subject,
            "page size",
            State.BROKEN,
            f"CONFIG_{large[0]}: pages are not 4 KiB, the only size that CramFS in place knows",
            ("choose pages of 4 KiB",),
        )
