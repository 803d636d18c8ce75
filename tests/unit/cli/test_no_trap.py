# SPDX-License-Identifier: MIT
"""No silent traps: build and plan tell the kernel, the growth and the RAM, and exit code 3 is for
things that the user has to look at."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.commands import tinyprof_text
from support.profile_cases import program_head
from tinyprof.pages import PAGE_SIZE
from tinyprof.profile.model import LOSSES

FSID = "0000000a/1/2/3"
HOT = [0, 1, 4, 7]


def tinyprof(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return tinyprof_text(*words)


def file_fields(path: str, data: bytes, pages: list[int]) -> dict[str, Any]:
    """A file of a profile whose pages were executed in the one epoch of it."""
    used = [[page, "", {"x": [1, 1, 1, 1, 1, 1, 1]}] for page in pages]
    digest = hashlib.sha256(data).hexdigest()
    fields = {"path": path, "size": len(data), "sha256": digest, "images": [FSID]}
    return {**fields, "pages": used}


def profile_text(*files: dict[str, Any]) -> str:
    lost = dict.fromkeys(LOSSES, 0)
    run = {"image": FSID, "kernel": "6.1", "epochs": 1, "weight": 1, "lost": lost}
    run["phases"] = [["", 1, 1, 1, True]]
    return json.dumps({"format": 2, "unknown_pages": 0, "runs": [run], "files": list(files)})


@pytest.fixture
def program(tmp_path: Path) -> bytes:
    """A program of ten pages of text and one of data, alone in a tree."""
    (tmp_path / "tree").mkdir()
    noise = random.Random(20261128).randbytes(10 * PAGE_SIZE)
    data = program_head(10).ljust(PAGE_SIZE, b"\0") + noise
    (tmp_path / "tree/program").write_bytes(data)
    return data


@pytest.fixture
def profile(tmp_path: Path, program: bytes) -> Path:
    path = tmp_path / "it.tprof"
    path.write_text(profile_text(file_fields("/program", program, HOT)))
    return path


def test_a_build_tells_growth_kernel_and_page_cache(tmp_path: Path, profile: Path) -> None:
    tree, image, plain = tmp_path / "tree", tmp_path / "image", tmp_path / "plain"
    assert tinyprof("build", tree, plain).returncode == 0
    run = tinyprof("build", tree, image, "--profile", profile, "--json")
    assert run.returncode == 0, run.stderr
    said = json.loads(run.stdout)
    assert (said["kernel"], said["size_before"]) == ("patched", plain.stat().st_size)
    assert said["size"] == image.stat().st_size
    assert said["mapped"] == {"patched": 4, "mainline": 2, "nommu": 0}
    assert said["page_cache_before"] == len(HOT) * PAGE_SIZE
    assert [said["kernels"][name]["page_cache"] for name in said["mapped"]] == [0, 8192, 16384]
    assert "for a patched kernel, which maps 4 of them: page cache 0 KiB (−100.0 %)" in run.stderr
    assert "a stock kernel would map 2 of them: page cache 8 KiB (−50.0 %)" in run.stderr
    assert "build for it with --split-segments, or --kernel mainline" in run.stderr


def test_a_build_and_its_plan_tell_the_same(tmp_path: Path, profile: Path) -> None:
    tree, image, plan = tmp_path / "tree", tmp_path / "image", tmp_path / "it.plan"
    planned = json.loads(tinyprof("plan", tree, "-p", profile, "-o", plan, "--json").stdout)
    run = tinyprof("build", tree, image, "--profile", profile, "--json")
    built = json.loads(run.stdout)
    assert planned["prediction"]["image_before"] == built["size_before"]
    assert planned["prediction"]["page_cache_before"] == built["page_cache_before"]
    assert planned["kernels"] == built["kernels"]
    text = tinyprof("plan", tree, "-p", profile).stdout
    assert "in place for a patched kernel (--kernel patched)" in text
    assert "the same image on a stock kernel: 2 of 4 pages mapped" in text


def test_a_plan_for_another_kernel_than_the_image_is_something_to_look_at(
    tmp_path: Path, profile: Path
) -> None:
    tree, image, plan = tmp_path / "tree", tmp_path / "image", tmp_path / "it.plan"
    words = ("plan", tree, "-p", profile, "--kernel", "mainline", "-o", plan)
    assert tinyprof(*words).returncode == 0
    assert json.loads(plan.read_text())["kernel"] == "mainline"
    run = tinyprof("build", tree, image, "--plan", plan)
    assert run.returncode == 3
    assert "the plan is for a stock kernel, and this image is for a patched kernel" in run.stderr
    assert tinyprof("build", tree, image, "--plan", plan, "--kernel", "mainline").returncode == 0
    strict = ("build", tree, tmp_path / "none", "--plan", plan, "--strict")
    assert tinyprof(*strict).returncode == 1
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("there", [b"", b"another build of it"])
def test_a_tree_without_the_agent_is_no_stale_profile(
    tmp_path: Path, program: bytes, there: bytes
) -> None:
    tree, profile = tmp_path / "tree", tmp_path / "it.tprof"
    (tree / "sbin").mkdir()
    if there:
        (tree / "sbin/tinyprof-agent").write_bytes(there)
    agent = file_fields("/sbin/tinyprof-agent", b"agent" * 999, [0, 1])
    profile.write_text(profile_text(file_fields("/program", program, HOT), agent))
    run = tinyprof("plan", tree, "-p", profile, "--max-stale", "0")
    assert run.returncode == 0, run.stderr
    run = tinyprof("build", tree, tmp_path / "image", "--profile", profile, "--json")
    assert (run.returncode, json.loads(run.stdout)["stale"]) == (0, [])


@pytest.mark.parametrize(("limit", "code"), [([], 3), (["--max-stale", "60%"], 0)])
def test_a_stale_share_that_the_user_allowed_ends_with_0(
    tmp_path: Path, program: bytes, limit: list[str], code: int
) -> None:
    tree, profile = tmp_path / "tree", tmp_path / "it.tprof"
    gone = file_fields("/gone", b"gone" * 9999, [0, 1, 2])
    profile.write_text(profile_text(file_fields("/program", program, HOT), gone))
    run = tinyprof("plan", tree, "-p", profile, *limit)
    assert run.returncode == code
    assert "/gone: not there any more: 3 used pages" in run.stderr
    run = tinyprof("build", tree, tmp_path / "image", "--profile", profile, *limit)
    assert run.returncode == code
    assert "/gone: missing or changed since the profile" in run.stderr


def test_an_image_tells_how_many_pages_a_kernel_maps(tmp_path: Path, profile: Path) -> None:
    tree, image = tmp_path / "tree", tmp_path / "image"
    tinyprof("build", tree, image, "--profile", profile)
    run = tinyprof("image", "info", image)
    assert "a patched kernel maps 4, a stock kernel maps 2" in run.stdout
    run = tinyprof("image", "info", "--kernel", "mainline", "--json", image)
    assert json.loads(run.stdout)["mapped"] == {"mainline": 2}
    run = tinyprof("image", "check", "--kernel", "mainline", image)
    assert run.returncode == 0
    assert "warning [unmapped]" in run.stdout
    assert "a stock kernel maps 2 of 4 pages in place" in run.stderr
    run = tinyprof("image", "check", "--kernel", "mainline", "--strict", image)
    assert run.returncode == 1
