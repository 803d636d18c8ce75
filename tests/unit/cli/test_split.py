# SPDX-License-Identifier: MIT
"""tinyprof split: one file split, proved, put back; and everything that it says no to, in one
line."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from support.commands import tinyprof_text
from support.elf_cases import Shape, for_riscv, link

ORDINARY = Shape(pages=6, separate=False, gap=1500)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program"
    path.write_bytes(link(ORDINARY))
    path.chmod(0o755)
    return path


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return tinyprof_text("split", *words)


def test_a_file_is_split_proved_and_put_back(program: Path, tmp_path: Path) -> None:
    out, back = tmp_path / "out", tmp_path / "back"
    done = run(program, "-o", out, "--runs", "0,2-3")
    assert (done.returncode, done.stdout) == (0, "")
    assert "1 mapping more" in done.stderr
    assert out.read_bytes() != program.read_bytes()
    assert out.stat().st_mode == program.stat().st_mode
    checked = run(out, "--check")
    assert checked.returncode == 0
    assert "equals its original" in checked.stderr
    assert run(out, "--undo", "-o", back).returncode == 0
    assert back.read_bytes() == program.read_bytes()


def test_a_file_may_be_split_in_place_and_again(program: Path) -> None:
    original = program.read_bytes()
    assert run(program, "-o", program, "--runs", "2").returncode == 0
    assert run(program, "-o", program, "--runs", "3-4").returncode == 0
    assert run(program, "-o", program, "--undo").returncode == 0
    assert program.read_bytes() == original


def test_a_file_whose_kernel_must_not_map_code_from_flash_is_refused(
    program: Path, tmp_path: Path
) -> None:
    program.write_bytes(for_riscv(program.read_bytes()))
    refused = run(program, "-o", tmp_path / "out", "--runs", "2-3")
    assert refused.returncode == 1
    (line,) = refused.stderr.splitlines()
    assert f"{program}: not on this architecture: a RISC-V kernel" in line
    assert not (tmp_path / "out").exists()


def test_json_is_one_document_with_what_must_be_in_place_too(
    program: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    facts = json.loads(run(program, "-o", out, "--runs", "2-3", "--json").stdout)
    assert facts["mappings_added"] == 1
    assert facts["also_in_place"] == [0]
    assert json.loads(run(out, "--check", "--json").stdout)["differences"] == []


def test_a_split_file_that_was_changed_fails_the_check(program: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(program, "-o", out, "--runs", "2-3")
    data = bytearray(out.read_bytes())
    table = int.from_bytes(data[32:40], "little")
    # The flags of the fourth header, a piece of the code.
    data[table + 3 * 56 + 4] ^= 2
    out.write_bytes(data)
    checked = run(out, "--check")
    assert checked.returncode == 1
    assert "flags" in checked.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--runs", "7-3", "-o", "out"], "'7-3' is no page and no run of pages"),
        (["--runs", "0"], "name an output with -o"),
        (["--check", "-o", "out"], "--check writes nothing"),
        (["--check", "--undo"], "one of --runs, --undo and --check"),
        ([], "one of --runs, --undo and --check"),
    ],
)
def test_words_that_contradict_one_another_are_a_usage_error(
    program: Path, words: list[str], said: str
) -> None:
    ended = run(program, *words)
    assert ended.returncode == 2
    assert said in ended.stderr


@pytest.mark.parametrize(
    ("content", "words", "said"),
    [
        (b"text", ["--runs", "0"], "no ELF file"),
        (link(ORDINARY)[:9000], ["--runs", "0"], "cut short"),
        (link(ORDINARY), ["--runs", "5000"], "page 5000 is in no loaded segment"),
        (link(ORDINARY), ["--undo"], "not split"),
    ],
)
def test_a_refusal_names_the_file_and_writes_nothing(
    tmp_path: Path, content: bytes, words: list[str], said: str
) -> None:
    file, out = tmp_path / "file", tmp_path / "out"
    file.write_bytes(content)
    ended = run(file, *words, "-o", out)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"tinyprof: {file}: ")
    assert said in line
    assert not out.exists()


def test_a_name_that_means_harm_is_escaped_in_every_result(program: Path, tmp_path: Path) -> None:
    out, back = tmp_path / "out\x1b]0;owned\x07", tmp_path / "back\x1b[2J"
    for ended in (
        run(program, "-o", out, "--runs", "2-3"),
        run(out, "--check"),
        run(out, "--undo", "-o", back),
    ):
        assert ended.returncode == 0
        assert ended.stderr.count("\n") == 1
        assert ended.stderr.rstrip("\n").isprintable()
