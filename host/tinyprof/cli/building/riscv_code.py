# SPDX-License-Identifier: MIT
"""The option --riscv-code: the word of a user whose RISC-V kernel can map code from flash."""

from __future__ import annotations

import click

RISCV_CODE = click.option(
    "--riscv-code",
    is_flag=True,
    help="The RISC-V kernel has patch 0007 (docs/kernel.md), so it can map code from flash.",
)


def refuse_split_riscv(riscv_code: bool, splitting: bool) -> None:
    """Raise click.UsageError where segments of RISC-V programs would have to be split."""
    if riscv_code and splitting:
        raise click.UsageError(
            "--riscv-code is not for --split-segments: RISC-V programs are not split"
        )
