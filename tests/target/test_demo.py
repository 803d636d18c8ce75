# SPDX-License-Identifier: MIT
"""The whole loop keeps its promise: nearly all of the RAM for a fraction of the flash, no record
lost."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from target.booting import Demo

IMAGES = ("all-compressed", "all-XIP", "hot-XIP")
SPLIT = "hot-XIP-split"


@pytest.fixture(scope="module")
def report(demo: Demo) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((demo.folder / "report.json").read_text())
    return loaded


def run_of(report: dict[str, Any], image: str, kernel: str) -> dict[str, Any]:
    (run,) = (run for run in report["runs"] if (run["image"], run["kernel"]) == (image, kernel))
    assert isinstance(run, dict)
    return run


def test_hot_pages_save_what_all_pages_save_for_a_tenth_of_the_flash(
    report: dict[str, Any],
) -> None:
    assert report["summary"]["ram_saved_share"] >= 0.97
    assert report["summary"]["flash_growth_share"] <= 0.12


def test_hot_pages_on_our_kernel_save_more_than_all_pages_on_a_stock_one(
    report: dict[str, Any],
) -> None:
    stock = [run_of(report, image, "stock")["page_cache_kib"] for image in IMAGES[:2]]
    hot = run_of(report, "hot-XIP", "patched")["page_cache_kib"]
    share = report["summary"]["ram_saved_share_of_stock"]
    assert share == pytest.approx((stock[0] - hot) / (stock[0] - stock[1]), abs=1e-4)
    assert share >= 1.10


def test_the_summary_is_what_the_runs_say(report: dict[str, Any]) -> None:
    for prefix, kernel, hottest in (("", "patched", "hot-XIP"), ("split_", "stock", SPLIT)):
        none, every, hot = (run_of(report, image, kernel) for image in (*IMAGES[:2], hottest))
        saved = [none["page_cache_kib"] - run["page_cache_kib"] for run in (hot, every)]
        grown = [run["image_bytes"] - none["image_bytes"] for run in (hot, every)]
        told = report["summary"]
        assert told[f"{prefix}ram_saved_share"] == pytest.approx(saved[0] / saved[1], abs=1e-4)
        assert told[f"{prefix}flash_growth_share"] == pytest.approx(grown[0] / grown[1], abs=1e-4)


def test_split_segments_give_a_stock_kernel_the_same(report: dict[str, Any]) -> None:
    assert report["summary"]["split_ram_saved_share"] >= 0.96
    assert report["summary"]["split_flash_growth_share"] <= 0.12
    every, split = (run_of(report, image, "stock") for image in ("all-XIP", SPLIT))
    assert split["faults"] <= 1.10 * every["faults"]
    assert split["guest_seconds"] <= 1.02 * every["guest_seconds"]


def test_a_stock_kernel_gets_little_from_scattered_pages(report: dict[str, Any]) -> None:
    """Why there is a kernel part: the same image, the same workload, most of the RAM still
    taken."""
    patched, stock = (run_of(report, "hot-XIP", kernel) for kernel in ("patched", "stock"))
    assert stock["page_cache_kib"] > 4 * patched["page_cache_kib"]


def test_mapping_in_place_costs_no_guest_time(report: dict[str, Any]) -> None:
    """Guest time counts instructions here, so this does not depend on the machine."""
    none, _, hot = (run_of(report, image, "patched") for image in IMAGES)
    assert hot["guest_seconds"] < none["guest_seconds"]


def test_the_recording_lost_nothing_at_three_bytes_a_record_or_less(demo: Demo) -> None:
    told = re.search(r"\(([\d.]+) a record\); lost: nothing", demo.printed)
    assert told
    assert float(told[1]) <= 3
    profile = json.loads((demo.folder / "boot.tprof").read_text())
    (run,) = profile["runs"]
    assert not any(run["lost"].values())


def test_what_was_made_stays_in_the_folder(demo: Demo) -> None:
    names = {path.name for path in demo.folder.iterdir()}
    assert {"rootfs", "boot.tpcap", "boot.tprof", "report.json"} <= names
    assert {f"{image}.cramfs" for image in (*IMAGES, SPLIT)} <= names
