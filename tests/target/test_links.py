# SPDX-License-Identifier: MIT
"""Symbolic links that are followed: recorded by a real kernel, and free of RAM as hard links."""

from __future__ import annotations

import json
from pathlib import Path

from bench.predictions import TINYPROF, booted_page_cache, run
from target.booting import Demo
from tinyprof.cli.opening import open_profile
from tinyprof.cramfs.links import with_hard_links
from tinyprof.cramfs.tree import Tree
from tinyprof.pages import PAGE_SIZE


def test_a_recording_knows_the_links_that_were_followed(demo: Demo) -> None:
    profile = open_profile([demo.folder / "boot.tprof"])
    assert profile.unknown_pages == 0
    assert profile.links
    followed = {link.path for link in profile.links}
    assert {"/lib/ld-linux-armhf.so.3", "/usr/lib/arm-linux-gnueabihf/libsqlite3.so.0"} <= followed


def test_hard_links_save_a_page_for_each_link_that_is_followed(demo: Demo, tmp_path: Path) -> None:
    rootfs, image = demo.folder / "rootfs", tmp_path / "hard.cramfs"
    profile = open_profile([demo.folder / "boot.tprof"])
    _, replaced = with_hard_links(Tree.from_directory(rootfs))
    saved = sum(link.path in replaced for link in profile.links or ()) * PAGE_SIZE >> 10
    assert saved > 0
    run(*TINYPROF, "build", rootfs, image, "--hard-links")
    runs = json.loads((demo.folder / "report.json").read_text())["runs"]
    (plain,) = (it for it in runs if (it["image"], it["kernel"]) == ("all-compressed", "patched"))
    assert image.stat().st_size <= plain["image_bytes"]
    assert booted_page_cache(image, "patched") <= plain["page_cache_kib"] - saved
