# SPDX-License-Identifier: MIT
"""A program on the board, linked for recording, recorded, and ordered by that."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.dense_program import ARM, Source, compile_source, have, make_source
from target.ordering import Target, aligned, order_of

pytestmark = pytest.mark.skipif(
    not have(ARM, "arm-linux-gnueabihf-ld.gold"), reason="needs a compiler and gold for ARM"
)


def check_found(source: Source, names: set[str]) -> None:
    """Every function that was entered is in the order, and hardly any other."""
    ran = {name for name in (*source.steady, *source.start) if name.startswith("step_")}
    found = {name for name in names if name.startswith("step_")}
    print(f"ran {len(ran)}, found {len(found & ran)}, too many {len(found - ran)}")
    assert ran <= found
    assert len(found & ran) >= 0.98 * len(found)


def test_an_ordered_program_needs_less_page_cache_on_a_stock_kernel(
    tmp_path: Path, agent: Path
) -> None:
    source = make_source(11, functions=1500, is_init=True)
    objects = compile_source(tmp_path / "o", source, ARM)
    recording = Target(tmp_path / "recording", agent, aligned(objects, tmp_path / "aligned"))
    recording.record()
    file, names = order_of(recording)
    check_found(source, names)
    plain = Target(tmp_path / "plain", agent, objects)
    ordered = Target(tmp_path / "ordered", agent, objects, f"-Wl,--section-ordering-file={file}")
    before, after = len(plain.record().pages), len(ordered.record().pages)
    (said, cached), (same, less) = plain.measure(), ordered.measure()
    print(f"used pages {before} -> {after}; page cache {cached} -> {less} KiB")
    assert same == said
    assert after <= 0.65 * before
    assert less <= 0.85 * cached
