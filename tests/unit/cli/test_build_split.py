# SPDX-License-Identifier: MIT
"""tinyprof build --split-segments as a user meets it."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from support.commands import tinyprof_text
from support.elf_cases import Shape, link
from tinyprof.cramfs.reading.reader import read_image
from tinyprof.heat.losses import NO_LOSSES
from tinyprof.profile.model import BootFacts, FileUse, PageUse, PhaseFacts, Profile, Seen
from tinyprof.profile.tprof import dump_profile
from tinyprof.rootfs.indexing import page_hashes
from tinyprof.segments.split import undo

FSID = "0000000a/1/2/3"


@pytest.fixture
def top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "root").mkdir()
    (tmp_path / "root/program").write_bytes(link(Shape(pages=40, separate=False, gap=1500)))
    (tmp_path / "root/signed").write_bytes(
        link(Shape(pages=40, tail=b"~Module signature appended~\n"))
    )
    plan = {"format": 1, "pages": {"/program": [0, [15, 16]], "/signed": [0, 20]}}
    (tmp_path / "plan").write_text(json.dumps(plan))
    return tmp_path


def build(top: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return tinyprof_text("build", top / "root", top / "image", *words)


def test_the_image_holds_split_files_and_the_folder_does_not(top: Path) -> None:
    before = (top / "root/program").read_bytes()
    run = build(top, "--plan", str(top / "plan"), "--split-segments")
    assert run.returncode == 0, run.stderr
    assert "1 file split, 1 mapping more; 1 hot file left whole" in run.stderr
    image = read_image((top / "image").read_bytes())
    (entry,) = (entry for entry in image.entries if entry.path == "/program")
    assert undo(image.read(entry)) == before == (top / "root/program").read_bytes()


def test_explain_says_what_was_split_and_why_not_more(top: Path) -> None:
    run = build(top, "--plan", str(top / "plan"), "--split-segments", "--explain")
    assert "/program: 3 of 42 pages in place: 0, 15-16\n" in run.stdout
    assert "    split: 1 mapping more\n" in run.stdout
    assert "    left whole: signed: a signature is appended\n" in run.stdout


def test_json_tells_the_same(top: Path) -> None:
    run = build(top, "--plan", str(top / "plan"), "--split-segments", "--json")
    fields = json.loads(run.stdout)
    assert [file["path"] for file in fields["split"]] == ["/program"]
    assert fields["left_whole"] == {"/signed": "signed: a signature is appended"}


def profile_of(top: Path, processes: int | None) -> Path:
    """A profile of scattered pages of /program, which `processes` map at once."""
    content = (top / "root/program").read_bytes()
    hashes = page_hashes(content)
    ever = Seen(9, 9, 1, 9, 1, 9, 1)
    uses = {
        page: PageUse(hashes[page].hex(), {"x": ever}) for page in (0, 1, 2, 15, 16, 17, 18, 19)
    }
    digest = hashlib.sha256(content).hexdigest()
    file = FileUse("/program", len(content), digest, uses, (FSID,), processes=processes)
    run = BootFacts(FSID, "6.1.192", 9, NO_LOSSES, (PhaseFacts("", 1, 9, 8, True),))
    (top / "it.tprof").write_text(dump_profile(Profile((run,), 0, (file,))))
    return top / "it.tprof"


@pytest.mark.parametrize(
    ("counted", "words", "weighed", "said"),
    [
        (3, [], 3, "    a mapping weighed for 3 processes\n"),
        (3, ["--processes", "5"], 5, "    a mapping weighed for 5 processes\n"),
        (None, [], None, "weighed for 10 processes: how many map the file is not known\n"),
        (None, ["--processes", "5"], 5, "    a mapping weighed for 5 processes\n"),
    ],
)
def test_the_processes_that_a_mapping_is_weighed_for_are_told(
    top: Path, counted: int | None, words: list[str], weighed: int | None, said: str
) -> None:
    profile = profile_of(top, counted)
    words = ["--split-segments", *words]
    assert said in build(top, "--profile", str(profile), "--explain", *words).stdout
    told = json.loads(build(top, "--profile", str(profile), "--json", *words).stdout)
    assert [file["processes"] for file in told["split"]] == [weighed]
    plan = ["plan", str(top / "root"), "-p", str(profile), *words]
    told, planned = tinyprof_text(*plan, "-v"), tinyprof_text(*plan, "--json")
    assert (told.returncode, planned.returncode) == (0, 0)
    assert said in told.stdout
    assert [file["processes"] for file in json.loads(planned.stdout)["files"]] == [weighed]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--plan", "plan", "--split-segments", "--kernel", "patched"],
            "is for --kernel mainline",
        ),
        (["--plan", "plan", "--split-segments", "--kernel", "nommu"], "is for --kernel mainline"),
        (["--plan", "plan", "--split-segments", "--processes", "3"], "--plan lists the pages"),
        (["--split-segments"], "needs --profile or --plan"),
        (["--split-segments", "-X"], "needs --profile or --plan"),
        (["--plan", "plan", "--max-runs", "3"], "how to --split-segments"),
        (["--plan", "plan", "--split-segments", "--max-runs", "0"], "0 is not in the range"),
    ],
)
def test_words_that_contradict_one_another_are_a_usage_error(
    top: Path, words: list[str], said: str
) -> None:
    run = build(top, *words)
    assert run.returncode == 2
    (line,) = run.stderr.splitlines()
    assert said in line
    assert not (top / "image").exists()
