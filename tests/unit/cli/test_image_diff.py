# SPDX-License-Identifier: MIT
"""tinyprof image diff, typed as a CI job types it: reports, limits, and exit codes."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
from pathlib import Path

import pytest

from support.commands import tinyprof_text
from support.elf_cases import for_riscv
from support.profile_cases import program_head
from tinyprof.pages import PAGE_SIZE
from tinyprof.profile.model import LOSSES

FSID = "0000000a/1/2/3"


def tinyprof(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return tinyprof_text(*words)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two images, a profile, a table of packages; NEW has 5 pages of noise more in /more, and none
    of its pages in place, where OLD has the 4 hot ones."""
    top = tmp_path_factory.mktemp("diff")
    rng = random.Random(20261128)
    program = program_head(10).ljust(PAGE_SIZE, b"\0") + rng.randbytes(10 * PAGE_SIZE)
    (top / "tree").mkdir()
    (top / "tree/program").write_bytes(program)
    pages = [[page, "", {"x": [1, 1, 1, 1, 1, 1, 1]}] for page in (0, 1, 4, 7)]
    run = {"image": FSID, "kernel": "6.1", "epochs": 1, "weight": 1}
    run |= {"lost": dict.fromkeys(LOSSES, 0), "phases": [["", 1, 1, 1, True]]}
    file = {"path": "/program", "size": len(program), "images": [FSID], "pages": pages}
    file["sha256"] = hashlib.sha256(program).hexdigest()
    profile = {"format": 2, "unknown_pages": 0, "runs": [run], "files": [file]}
    (top / "it.tprof").write_text(json.dumps(profile))
    words = ("build", "-q", top / "tree", top / "old", "--profile", top / "it.tprof")
    assert tinyprof(*words).returncode == 0
    (top / "tree/more").write_bytes(rng.randbytes(5 * PAGE_SIZE))
    assert tinyprof("build", "-q", top / "tree", top / "new").returncode == 0
    (top / "packages.csv").write_text("File name,Package name\nprogram,main\nmore,extra\n")
    return top


def test_a_mended_riscv_kernel_maps_the_hot_code_of_both_images(
    folder: Path, tmp_path: Path
) -> None:
    profile = json.loads((folder / "it.tprof").read_text())
    program = for_riscv((folder / "tree/program").read_bytes())
    profile["files"][0]["sha256"] = hashlib.sha256(program).hexdigest()
    (tmp_path / "it.tprof").write_text(json.dumps(profile))
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/program").write_bytes(program)
    build = ("build", "-q", tmp_path / "tree", tmp_path / "image", "--riscv-code")
    run = tinyprof(*build, "--profile", tmp_path / "it.tprof")
    assert run.returncode == 0, run.stderr
    words = (tmp_path / "image", tmp_path / "image", "-p", tmp_path / "it.tprof")
    for more, mapped in (((), 0), (("--riscv-code",), 4)):
        said = json.loads(tinyprof("image", "diff", *words, "--format", "json", *more).stdout)
        for name in ("old", "new"):
            account = said[name]
            assert (account["pages_in_place"], account["mapped"]["patched"]) == (4, mapped)
            assert account["page_cache"] == (4 - mapped) * PAGE_SIZE


def diff(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return tinyprof("image", "diff", folder / "old", folder / "new", *words)


def test_the_report_tells_bytes_paths_pages_and_page_cache(folder: Path) -> None:
    run = diff(folder, "-p", folder / "it.tprof", "--format", "json")
    assert run.returncode == 0, run.stderr
    said = json.loads(run.stdout)
    sizes = [(folder / name).stat().st_size for name in ("old", "new")]
    assert [said[name]["size"] for name in ("old", "new")] == sizes
    assert said["growth"] == sizes[1] - sizes[0]
    for name, size in zip(("old", "new"), sizes, strict=True):
        assert sum(said[name]["causes"].values()) == size
    assert [said[name]["pages_in_place"] for name in ("old", "new")] == [4, 0]
    assert [said[name]["page_cache"] for name in ("old", "new")] == [0, 4 * PAGE_SIZE]
    assert said["hot_pages_lost"] == {"/program": 4}
    kinds = {it["path"]: it["kind"] for it in said["files"]}
    assert kinds["/more"] == "added"
    text = diff(folder, "-p", folder / "it.tprof").stdout
    assert "4 hot pages of 1 file no longer mapped in place" in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ([], 0),
        (["--max-growth", "50%"], 0),
        (["--max-growth", "1%"], 3),
        (["--max-growth", "1M"], 0),
        (["--max-growth", "0"], 3),
        (["--max-growth", "1M", "--max-growth", "1%"], 3),
        (["--max-growth", "<=1K"], 3),
        (["--max-growth", "<=1M"], 0),
        (["--max-ram-growth", "16K", "-p", "PROFILE"], 0),
        (["--max-ram-growth", "16383", "-p", "PROFILE"], 3),
        (["--max-ram-growth", "0", "-p", "PROFILE"], 3),
        (["--max-ram-growth", "1%", "-p", "PROFILE"], 3),
        (["--max-stale", "0", "-p", "PROFILE"], 0),
        (["--budget", "total 1M"], 0),
        (["--budget", "total 0"], 3),
        (["--budget", "path /more 20600"], 0),
        (["--budget", "path /more 1K"], 3),
        (["--budget", "package extra 1M", "--packages", "PACKAGES"], 0),
        (["--budget", "package extra 0", "--packages", "PACKAGES"], 3),
        (["--budget", "ram 16K\ntotal 1M", "-p", "PROFILE"], 0),
        (["--budget", "ram 15K", "-p", "PROFILE"], 3),
        (["--budget", "ram 16K"], 1),
        (["--budget", "package extra 0"], 1),
        (["--budget", "path /nowhere 0"], 1),
        (["--budget", "nonsense"], 1),
        (["--max-growth", "much"], 2),
        (["--max-stale", "0"], 2),
        (["--packages", "MISSING"], 1),
        (["-p", "MISSING"], 1),
    ],
)
def test_the_exit_code_tells_whether_a_limit_holds(
    tmp_path: Path, folder: Path, words: list[str], code: int
) -> None:
    form = ("text", "markdown", "json")[sum(map(len, words)) % 3]
    places = {"PROFILE": folder / "it.tprof", "PACKAGES": folder / "packages.csv"}
    places["MISSING"] = tmp_path / "missing"
    command: list[str | Path] = [places.get(word, word) for word in words]
    if "--budget" in words:
        budget = tmp_path / "budget"
        budget.write_text(words[words.index("--budget") + 1])
        command[words.index("--budget") + 1] = budget
    run = diff(folder, *command, "--format", form)
    assert run.returncode == code, run.stderr
    if code in (0, 3):
        assert run.stdout
        assert ("over the limit" in run.stdout + run.stderr) == (code == 3)
    else:
        assert run.stdout == ""


def test_a_report_that_cannot_be_made_is_never_green(tmp_path: Path, folder: Path) -> None:
    cut = tmp_path / "cut"
    cut.write_bytes((folder / "new").read_bytes()[:-4096])
    unreadable: list[tuple[str | Path, ...]] = [
        (folder / "old", cut),
        (cut, folder / "new"),
        (folder / "old", tmp_path / "missing"),
        (folder / "new", "--against", tmp_path / "missing"),
        (folder / "new", "--against", folder / "it.tprof"),
    ]
    for words in unreadable:
        run = tinyprof("image", "diff", *words)
        assert (run.returncode, run.stdout) == (1, "")
        (line,) = run.stderr.splitlines()
        assert line.startswith("tinyprof: ")
    assert tinyprof("image", "diff", folder / "new").returncode == 2
    limited = (folder / "new", "--max-growth", "0", "--save", cut)
    assert tinyprof("image", "diff", *limited).returncode == 2


def test_a_saved_account_stands_for_its_image(tmp_path: Path, folder: Path) -> None:
    saved, profile = tmp_path / "old.json", ("-p", folder / "it.tprof")
    run = tinyprof("image", "diff", folder / "old", "--save", saved, *profile)
    assert (run.returncode, run.stdout) == (0, "")
    assert saved.stat().st_size < 4096
    words = (folder / "new", "--against", saved, *profile, "--format", "json")
    run = tinyprof("image", "diff", *words)
    assert run.stdout == diff(folder, *profile, "--format", "json").stdout
    run = tinyprof("image", "diff", *words, "--kernel", "mainline")
    assert run.returncode == 1
    assert "of another kernel; save it again, with the same --kernel" in run.stderr
    run = tinyprof("image", "diff", folder / "new", "--save", folder / "new")
    assert run.returncode == 1


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (("{", "["), "no JSON"),
        (('"format":1', '"format":9'), "an account of format 9, this reads 1"),
        (('"size":', '"size":-'), "size is no number"),
        (('"/program":[', '"/program":[true,'), "/program has no 3 numbers"),
        (('"names":', '"names":"x","y":'), "names is no number"),
        (('"files":', '"other":'), "files is no object"),
    ],
)
def test_an_account_that_somebody_edited_is_refused(
    tmp_path: Path, folder: Path, edit: tuple[str, str], said: str
) -> None:
    saved = tmp_path / "old.json"
    tinyprof("image", "diff", folder / "old", "--save", saved)
    saved.write_text(saved.read_text().replace(*edit, 1))
    run = tinyprof("image", "diff", folder / "new", "--against", saved)
    assert (run.returncode, run.stdout) == (1, "")
    assert said in run.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ([], 0),
        (["--max-gained", "4K"], 0),
        (["--max-gained", "0"], 3),
        (["--max-gained", "25%"], 0),
        (["--max-gained", "24%"], 3),
        (["--max-lost", "8K"], 0),
        (["--max-lost", "50%"], 0),
        (["--max-lost", "0"], 3),
        (["--max-lost", "8191"], 3),
        (["--max-lost", "some"], 2),
    ],
)
def test_a_diff_of_profiles_has_limits_too(
    tmp_path: Path, folder: Path, words: list[str], code: int
) -> None:
    """The second profile has 1 page more, and 2 of 4 pages less."""
    fields = json.loads((folder / "it.tprof").read_text())
    pages = fields["files"][0]["pages"]
    fields["files"][0]["pages"] = [*pages[:2], [9, *pages[0][1:]]]
    (tmp_path / "other.tprof").write_text(json.dumps(fields))
    run = tinyprof("diff", folder / "it.tprof", tmp_path / "other.tprof", *words)
    assert run.returncode == code, run.stderr
    assert ("over the limit" in run.stderr) == (code == 3)
