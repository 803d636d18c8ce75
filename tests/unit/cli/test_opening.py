# SPDX-License-Identifier: MIT
"""Profiles and captures, wherever a profile is wanted."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from support.commands import PYTHON, tinyprof_text
from support.elf_cases import Shape, link
from tinyprof.cli.opening import open_profile
from tinyprof.errors import TinyprofError


def tinyprof(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return tinyprof_text(*words)


def test_a_profile_and_the_captures_it_is_made_of_report_the_same(
    tmp_path: Path, capture: Path
) -> None:
    assert tinyprof("profile", capture, capture, "-o", tmp_path / "it.tprof").returncode == 0
    of_profile = tinyprof("report", "--json", tmp_path / "it.tprof")
    of_captures = tinyprof("report", "--json", capture, capture)
    assert of_profile.returncode == of_captures.returncode == 0
    assert json.loads(of_profile.stdout) == json.loads(of_captures.stdout)
    assert "/program" in tinyprof("report", capture).stdout


def test_a_capture_cut_short_is_used_and_said_with_exit_3(tmp_path: Path, capture: Path) -> None:
    capture.write_bytes(capture.read_bytes()[:-20])
    run = tinyprof("profile", capture, "-o", tmp_path / "it.tprof")
    assert run.returncode == 3
    assert f"{capture}: cut short or damaged at byte" in run.stderr
    assert open_profile([tmp_path / "it.tprof"]).files


def test_a_profile_and_a_capture_merge(tmp_path: Path, capture: Path) -> None:
    whole, both = tmp_path / "it.tprof", tmp_path / "both.tprof"
    assert tinyprof("profile", capture, "-o", whole).returncode == 0
    assert (
        tinyprof("profile", whole, capture, "--weight", capture, "3", "-o", both).returncode == 0
    )
    (file,) = open_profile([both]).files
    assert {page: (use.any.epochs, use.any.boots) for page, use in file.pages.items()} == {
        0: (4, 2),
        3: (4, 2),
        5: (4, 2),
    }


def test_a_weight_beyond_what_a_profile_holds_is_refused_and_nothing_written(
    tmp_path: Path, capture: Path
) -> None:
    once, again = tmp_path / "once.tprof", tmp_path / "again.tprof"
    assert tinyprof("profile", capture, "--weight", capture, "600", "-o", once).returncode == 0
    run = tinyprof("profile", once, "--weight", once, "2", "-o", again)
    assert (run.returncode, again.exists()) == (1, False)
    assert "once.tprof: a boot would count 1200 times" in run.stderr


def test_what_is_neither_profile_nor_capture_is_refused_by_name(
    tmp_path: Path, capture: Path
) -> None:
    (tmp_path / "it.tprof").write_text("{}")
    with pytest.raises(TinyprofError, match=r"it\.tprof: not a tinyprof profile"):
        open_profile([capture, tmp_path / "it.tprof"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["profile", "{capture}", "-o", "{capture}"], "is read here and would be replaced"),
        (["profile", "{capture}", "-o", "{link}"], "which is {capture}, is read here"),
        (["profile", "{profile}", "-o", "{profile}"], "is read here and would be replaced"),
        (["profile", "{capture}", "--image", "{image}", "-o", "{image}"], "is read here"),
        (["profile", "{capture}", "--symbols", "{root}", "-o", "{root}/x"], "lies in {root}"),
        (["report", "{capture}", "--html", "{capture}"], "is read here and would be replaced"),
        (["report", "{profile}", "--html", "{profile}"], "is read here and would be replaced"),
        (["report", "{profile}", "--image", "{image}", "--html", "{image}"], "is read here"),
        (["report", "{profile}", "--rootfs", "{root}", "--html", "{root}/x"], "lies in {root}"),
        (["report", "{profile}", "--html", "{capture}"], "is a recording"),
        (["plan", "{root}", "-p", "{profile}", "-o", "{profile}"], "is read here"),
        (["plan", "{root}", "-p", "{profile}", "-o", "{root}/program"], "lies in {root}"),
        (["plan", "{root}", "-p", "{profile}", "-o", "{capture}"], "is a recording"),
        (["split", "{root}/elf", "--runs", "2", "-o", "{capture}"], "is a recording"),
    ],
)
def test_an_output_never_replaces_an_input_or_a_recording(
    tmp_path: Path, rootfs: Path, capture: Path, words: list[str], said: str
) -> None:
    profile, image = tmp_path / "it.tprof", tmp_path / "it.cramfs"
    assert tinyprof("profile", capture, "-o", profile).returncode == 0
    assert tinyprof("build", rootfs, image).returncode == 0
    (rootfs / "elf").write_bytes(link(Shape(separate=False, gap=1500)))
    (tmp_path / "hard link").hardlink_to(capture)
    names = {"capture": capture, "profile": profile, "image": image, "root": rootfs}
    names["link"] = tmp_path / "hard link"
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    run = tinyprof(*(word.format(**names) for word in words))
    assert run.returncode == 1
    (line,) = run.stderr.splitlines()
    assert said.format(**names) in line
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_plan_given_for_a_profile_is_told_so_and_the_reverse(
    tmp_path: Path, rootfs: Path, capture: Path
) -> None:
    profile, plan = tmp_path / "it.tprof", tmp_path / "it.plan"
    assert tinyprof("profile", capture, "-o", profile).returncode == 0
    assert tinyprof("plan", rootfs, "-p", profile, "-o", plan).returncode == 0
    wrong = [
        tinyprof("plan", rootfs, "-p", plan),
        tinyprof("report", plan),
        tinyprof("diff", profile, plan),
        tinyprof("export", plan, "--format", "axfs-csv"),
    ]
    for run in wrong:
        assert (run.returncode, run.stdout) == (1, "")
        assert run.stderr.startswith(f"tinyprof: {plan}: this is a plan, not a profile; ")
    run = tinyprof("build", rootfs, tmp_path / "image", "--plan", profile)
    assert run.returncode == 1
    assert run.stderr.startswith(f"tinyprof: {profile}: this is a profile, not a plan; ")


def test_a_profile_of_another_tree_is_told_in_one_line(tmp_path: Path, capture: Path) -> None:
    profile, other = tmp_path / "it.tprof", tmp_path / "other"
    assert tinyprof("profile", capture, "-o", profile).returncode == 0
    fields = json.loads(profile.read_text())
    (file,) = fields["files"]
    fields["files"] += [
        {**file, "path": f"/{number}", "sha256": f"{number:064x}"} for number in range(30)
    ]
    profile.write_text(json.dumps(fields))
    other.mkdir()
    (other / "notes").write_text("nothing of it")
    run = tinyprof("plan", other, "-p", profile)
    assert run.returncode == 3
    assert run.stderr == "tinyprof: none of the 31 files of this profile is in ROOTFS\n"
    run = tinyprof("build", other, tmp_path / "image", "--profile", profile)
    assert run.returncode == 3
    told, result = run.stderr.splitlines()
    assert told == "tinyprof: none of the 31 files of this profile is in ROOTFS"
    assert result.startswith(f"{tmp_path / 'image'}: ")
    run = tinyprof("build", other, tmp_path / "none", "--profile", profile, "--strict")
    assert (run.returncode, (tmp_path / "none").exists()) == (1, False)
    run = tinyprof("profile", profile, "--symbols", other, "-o", tmp_path / "with.tprof")
    assert "none of the 31 files of this profile is in the --symbols tree\n" in run.stderr
    assert len(run.stderr.splitlines()) == 2


@pytest.mark.parametrize(
    ("locale", "encoding"), [("C", ""), ("en_US.ISO-8859-1", "latin-1"), ("ru_RU", "koi8_r")]
)
def test_the_bytes_of_names_do_not_depend_on_the_locale(
    tmp_path: Path, capture: Path, locale: str, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The names in a profile may be in any encoding, and in none."""
    profile, again = tmp_path / "it.tprof", tmp_path / "again.tprof"
    assert tinyprof("profile", capture, "-o", profile).returncode == 0
    text = profile.read_text().replace('"/program"', '"/\\u00e9\\u65e5\\udcff"')
    profile.write_text(text)
    monkeypatch.setenv("LC_ALL", locale)
    monkeypatch.setenv("PYTHONCOERCECLOCALE", "0")
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    for command in (["report", str(profile)], ["diff", str(profile), str(capture)]):
        run = subprocess.run([*PYTHON, *command], capture_output=True, check=False)
        assert (run.returncode, run.stderr) == (0, b"")
    command = ["export", str(profile), "--format", "axfs-csv"]
    run = subprocess.run([*PYTHON, *command], capture_output=True, check=False)
    assert run.stdout == b"./\xc3\xa9\xe6\x97\xa5\xff,12288,1\n"
    assert subprocess.run([*PYTHON, "profile", profile, "-o", again], check=False).returncode == 0
    assert again.read_text() == text


@pytest.mark.parametrize("name", ["profile", "report", "plan", "diff", "export", "split"])
def test_the_help_of_a_command_ends_with_one_example(name: str) -> None:
    text = tinyprof(name, "--help").stdout
    *_, last = text.strip().split("\n\n")
    assert last.startswith(f"  Example: tinyprof {name} ")
    assert text.count("Example:") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["report", "/dev/zero"], "/dev/zero: has more than 33554432 bytes"),
        (["split", "/dev/zero", "--check"], "/dev/zero: has more than 16777215 bytes"),
        (["report", "/dev/zero", "--image", "/dev/zero"], "/dev/zero"),
    ],
)
def test_a_file_without_end_is_read_up_to_a_limit(words: list[str], said: str) -> None:
    run = tinyprof(*words)
    assert (run.returncode, run.stdout) == (1, "")
    (line,) = run.stderr.splitlines()
    assert said in line
