# SPDX-License-Identifier: MIT
"""tinyprof plan, diff and export, typed as a user types them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.commands import tinyprof_text
from support.elf_cases import Shape, link
from tinyprof.cli.commands.plan import BYTES
from tinyprof.profile.model import LOSSES

FSID = "0000000a/1/2/3"


def profile_fields(*files: dict[str, Any], epochs: int = 1) -> dict[str, Any]:
    """A profile of one boot, as JSON has it."""
    lost = dict.fromkeys(LOSSES, 0)
    run = {"image": FSID, "kernel": "6.1", "epochs": epochs, "weight": 1, "lost": lost}
    run["phases"] = [["", 1, epochs, 1, True]]
    return {"format": 2, "unknown_pages": 0, "runs": [run], "files": list(files)}


def tinyprof(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return tinyprof_text(*words)


@pytest.mark.parametrize(
    ("kernel", "pages"), [("patched", [0, 3, [5, 6]]), ("mainline", [[0, 6]])]
)
def test_a_plan_is_written_said_and_built(
    tmp_path: Path, rootfs: Path, capture: Path, kernel: str, pages: list[object]
) -> None:
    plan, image, profile = tmp_path / "it.plan", tmp_path / "image", tmp_path / "it.tprof"
    assert tinyprof("profile", capture, "-o", profile).returncode == 0
    lines = json.loads(profile.read_text())
    # Page 3 was read() too, so a stock kernel has it in the page cache anyway; page 6 is mapped
    # alone.
    lines["files"][0]["pages"].append([6, "", {"x": [1, 1, 1, 1, 1, 1, 1]}])
    profile.write_text(json.dumps(lines))
    run = tinyprof("plan", rootfs, "-p", profile, "--kernel", kernel, "-o", plan, "--json")
    assert run.returncode == 0, run.stderr
    said = json.loads(run.stdout)
    assert json.loads(plan.read_text())["pages"] == said["pages"] == {"/program": pages}
    assert tinyprof("build", rootfs, image, "--kernel", kernel, "--plan", plan).returncode == 0
    assert image.stat().st_size == said["prediction"]["image"]
    of_plan = image.read_bytes()
    assert (
        tinyprof("build", rootfs, image, "--kernel", kernel, "--profile", profile).returncode == 0
    )
    assert image.read_bytes() == of_plan, (
        "the profile alone is to choose what a plan does without a budget"
    )
    text = tinyprof("plan", rootfs, "-p", profile)
    assert "       4         8       0          0       16  /program" in text.stdout
    run = tinyprof("plan", rootfs, "-p", profile, "--kernel", kernel, "--curve", "--json")
    document = json.loads(run.stdout)
    last = {**said["prediction"], "of_bound": 1.0, "of_best": 1.0}
    saved = last["steady_before"] - last["steady"]
    assert document["curve"][-1] == {**last, "saved": saved, "saved_share": 1.0}
    assert document["knee"]["saved_share"] >= 0.9
    picture = tmp_path / "curve.svg"
    run = tinyprof("plan", rootfs, "-p", profile, "--kernel", kernel, "--curve", "--svg", picture)
    assert run.returncode == 0
    assert picture.read_text().startswith('<svg class="plot" xmlns=')


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a file away, which needs root")
def test_owners_that_do_not_fit_hinder_nobody_who_only_reads_the_files(
    tmp_path: Path, rootfs: Path, capture: Path
) -> None:
    profile, page = tmp_path / "it.tprof", tmp_path / "it.html"
    os.chown(rootfs / "program", 1000, 1000)
    assert tinyprof("profile", capture, "--symbols", rootfs, "-o", profile).returncode == 0
    run = tinyprof("report", profile, "--rootfs", rootfs, "--html", page)
    assert (run.returncode, run.stderr) == (0, "")
    run = tinyprof("plan", rootfs, "-p", profile)
    assert run.returncode == 1
    assert "let root own everything with -q" in run.stderr
    said = json.loads(tinyprof("plan", rootfs, "-p", profile, "-q", "--json").stdout)
    image = tmp_path / "image"
    assert tinyprof("build", rootfs, image, "-q", "--profile", profile).returncode == 0
    assert image.stat().st_size == said["prediction"]["image"]


def test_a_profile_of_another_build_is_said_to_be_stale(
    tmp_path: Path, rootfs: Path, capture: Path
) -> None:
    (rootfs / "program").write_bytes(b"another version")
    run = tinyprof("plan", rootfs, "-p", capture)
    assert run.returncode == 3
    assert "/program: changed since the profile" in run.stderr
    run = tinyprof("plan", rootfs, "-p", capture, "--max-stale", "20%")
    assert (run.returncode, run.stdout) == (1, "")
    assert "100.0 % of the profile's used pages are not found any more, over 20 %" in run.stderr
    run = tinyprof("build", rootfs, tmp_path / "image", "--profile", capture, "--max-stale", "20%")
    assert run.returncode == 1
    assert not (tmp_path / "image").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--flash-budget", "1", "--save-ram", "1"], "exclude one another"),
        (["--flash-budget", "much"], "is no number of bytes"),
        (["--max-stale", "120%"], "is no share"),
        (["--curve", "-o", "plan"], "several plans"),
    ],
)
def test_a_mistake_is_told_as_one(
    rootfs: Path, capture: Path, words: list[str], said: str
) -> None:
    run = tinyprof("plan", rootfs, "-p", capture, *words)
    assert run.returncode == 2
    assert said in run.stderr


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (
            '{"format":3,"tinyprof":"4.2"}',
            "profile format 3, this reads 2; use tinyprof 4.2 or newer",
        ),
        ('{"format":2,"runs":[],\n"files":', "no JSON at line 2, column 9"),
        ("\udcff", "not text"),
        ("PAGE 9", "file 0 (/program) page 9 is impossible: the file has 8"),
    ],
)
@pytest.mark.parametrize(
    "words", [["plan", "{root}", "-p", "{it}"], ["build", "{root}", "{out}", "--profile", "{it}"]]
)
def test_a_profile_that_cannot_be_used_is_refused_in_one_line(
    tmp_path: Path, rootfs: Path, capture: Path, words: list[str], broken: str, said: str
) -> None:
    profile = tmp_path / "it.tprof"
    if broken == "PAGE 9":
        assert tinyprof("profile", capture, "-o", profile).returncode == 0
        broken = profile.read_text().replace("[[0,", "[[9,")
    profile.write_text(broken, errors="surrogateescape")
    run = tinyprof(
        *(word.format(root=rootfs, it=profile, out=tmp_path / "image") for word in words)
    )
    assert (run.returncode, run.stdout) == (1, "")
    (line,) = run.stderr.splitlines()
    assert line.startswith(f"tinyprof: {profile}: ")
    assert said in line
    assert not (tmp_path / "image").exists()


def test_a_profile_of_another_tree_or_with_more_in_it_is_of_use(
    tmp_path: Path, rootfs: Path, capture: Path
) -> None:
    profile, merged = tmp_path / "it.tprof", tmp_path / "merged.tprof"
    assert tinyprof("profile", capture, "-o", profile).returncode == 0
    fields = json.loads(profile.read_text())
    fields["mood"] = fields["files"][0]["owner"] = "someone"
    profile.write_text(json.dumps(fields))
    assert tinyprof("plan", rootfs, "-p", profile).returncode == 0
    fields["files"][0] |= {"sha256": "0" * 64, "images": ["0000000a/1/2/3"]}
    fields["runs"][0]["image"] = "0000000a/1/2/3"
    (tmp_path / "other.tprof").write_text(json.dumps(fields))
    run = tinyprof("profile", profile, tmp_path / "other.tprof", "-o", merged)
    assert run.returncode == 0
    assert "6 pages of 2 files, 2 epochs in 2 boots of 2 images, merged by content" in run.stderr
    both = json.loads(merged.read_text())
    assert [file["path"] for file in both["files"]] == ["/program", "/program"]
    assert [file["owner"] for file in both["files"]] == ["someone", "someone"]


def test_a_budget_nothing_fits_in_says_the_smallest_that_would(
    tmp_path: Path, rootfs: Path
) -> None:
    (rootfs / "program").write_bytes(b"compresses well" * 2000)
    profile = tmp_path / "it.tprof"
    words: list[str | Path] = ["plan", rootfs, "-p", profile, "--kernel", "mainline"]
    digest = hashlib.sha256((rootfs / "program").read_bytes()).hexdigest()
    file = {"path": "/program", "size": 30000, "sha256": digest, "images": [FSID]}
    file["pages"] = [[2, "", {"x": [1, 1, 1, 1, 1, 1, 1]}]]
    profile.write_text(json.dumps(profile_fields(file)))
    for option in ("--flash-budget", "--image-size"):
        refused = tinyprof(*words, option, "1")
        assert (refused.returncode, refused.stdout) == (1, "")
        (line,) = refused.stderr.splitlines()
        found = re.search(rf"give at least {option} (\d+)$", line)
        assert found, line
        assert tinyprof(*words, option, found[1]).returncode == 0
        assert tinyprof(*words, option, str(int(found[1]) - 1)).returncode == 1


@pytest.mark.parametrize(
    ("text", "size"),
    [("300000", 300_000), ("512K", 524_288), ("1.5M", 1_572_864), ("2MiB", 2_097_152)],
)
def test_sizes_have_units(text: str, size: int) -> None:
    assert BYTES.convert(text, None, None) == size


def test_diff_and_export(tmp_path: Path, capture: Path) -> None:
    assert json.loads(tinyprof("diff", capture, capture, "--json").stdout)["files"] == []
    assert tinyprof("export", capture, "--format", "axfs-csv").stdout == "./program,12288,1\n"


def test_symbols_and_landmarks_are_kept_when_asked_for(
    tmp_path: Path, rootfs: Path, capture: Path
) -> None:
    profile = tmp_path / "it.tprof"
    assert tinyprof("profile", capture, "--symbols", rootfs, "-o", profile).returncode == 0
    assert len(json.loads(profile.read_text())["files"][0]["symbols"]) >= 6
    (rootfs / "program").write_bytes(b"another version")
    run = tinyprof("profile", capture, "--symbols", rootfs, "-o", profile)
    assert "/program: not in the tree as it was recorded" in run.stderr


@pytest.mark.parametrize("more", [[], ["--max-runs", "2"], ["--processes", "5"]])
def test_a_plan_for_split_segments_builds_the_image_that_the_profile_does(
    tmp_path: Path, more: list[str]
) -> None:
    root, plan, profile = tmp_path / "root", tmp_path / "it.plan", tmp_path / "it.tprof"
    root.mkdir()
    content = link(Shape(pages=60, separate=False, gap=1500))
    for name in ("program", "twin"):
        (root / name).write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    file = {"path": "/program", "size": len(content), "sha256": digest, "images": [FSID]}
    file["pages"] = [[page, "", {"x": [9, 9, 1, 9, 1, 9, 1]}] for page in (0, 1, 12, 13, 30, 45)]
    profile.write_text(json.dumps(profile_fields(file, epochs=9)))
    words = ["--split-segments", *more]
    assert tinyprof("plan", root, "-p", profile, *words, "-o", plan).returncode == 0
    by_profile, by_plan = tmp_path / "by profile", tmp_path / "by plan"
    assert tinyprof("build", root, by_profile, "--profile", profile, *words).returncode == 0
    run = tinyprof("build", root, by_plan, "--plan", plan, "--split-segments")
    assert "1 file split" in run.stderr, run.stderr
    assert by_plan.read_bytes() == by_profile.read_bytes()
