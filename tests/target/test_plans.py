# SPDX-License-Identifier: MIT
"""Predictions of plans, held against booted kernels. bench/predictions.py tries more of them."""

from __future__ import annotations

import json

import pytest

from bench.predictions import TOLERANCE, outcome
from target.booting import Demo
from tinyprof.cli.opening import open_profile


@pytest.mark.parametrize(("kernel", "budget"), [("patched", "200K"), ("mainline", "400K")])
def test_a_plan_is_as_large_as_it_says_and_saves_what_it_says(
    demo: Demo, kernel: str, budget: str
) -> None:
    it = outcome(demo.folder, kernel, ["--flash-budget", budget])
    assert it.image[0] == it.image[1]
    runs = json.loads((demo.folder / "report.json").read_text())["runs"]
    booted = ("all-compressed", "stock" if kernel == "mainline" else kernel)
    (whole,) = (it["page_cache_kib"] for it in runs if (it["image"], it["kernel"]) == booted)
    assert abs(it.page_cache[0] - it.page_cache[1]) <= TOLERANCE * whole
    assert it.of_bound >= 0.995
    assert it.of_best == 1


def test_marks_of_the_targets_own_scripts_are_phases(demo: Demo) -> None:
    (run,) = open_profile([demo.folder / "boot.tprof"]).boots
    names = [phase.name for phase in run.phases]
    assert names[:2] == ["", "start-up"]
    assert "idle" in names
    assert {phase.name for phase in run.phases if phase.steady} == {"steady-state"}
