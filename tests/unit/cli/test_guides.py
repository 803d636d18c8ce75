# SPDX-License-Identifier: MIT
"""The guides: every command in them exists, with its options; so does every file and setting."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tinyprof.cli import cli

ROOT = Path(__file__).resolve().parents[3]
GUIDES = [ROOT / "docs/porting.md", ROOT / "docs/build-systems.md", ROOT / "README.md"]
LAYER = ROOT / "firmware/meta-tinyprof"
DOCTOR = ROOT / "host/tinyprof/cli/doctor"


def code_of(guide: Path) -> str:
    """The indented blocks of a guide, with continued lines joined."""
    lines = [line.strip() for line in guide.read_text().splitlines() if line.startswith("    ")]
    return "\n".join(lines).replace("\\\n", " ")


def commands_of(guide: Path) -> Iterator[list[str]]:
    """The words of each tinyprof command."""
    for line in code_of(guide).splitlines():
        found = re.search(r"(?:^|[|;] )(?:\.venv/bin/)?tinyprof (?=[a-z])([^|;]*)", line)
        if found:
            yield shlex.split(found[1], comments=True)


CASES = [
    pytest.param(words, id=f"{guide.stem}: {' '.join(words)[:50]}")
    for guide in GUIDES
    for words in commands_of(guide)
]


def test_the_guides_have_commands() -> None:
    assert len(CASES) > 30


@pytest.mark.parametrize("words", CASES)
def test_a_command_of_a_guide_exists_with_its_options(words: list[str]) -> None:
    context = click.Context(cli, info_name="tinyprof", **cli.context_settings)
    command: click.Command = cli
    while isinstance(command, click.Group):
        name = words.pop(0)
        found = command.get_command(context, name)
        assert found, name
        command = found
    command.make_context(command.name, words, parent=context, resilient_parsing=True)
    known = {name for it in command.params for name in (*it.opts, *it.secondary_opts)}
    used = {word.partition("=")[0] for word in words if re.match("--?[a-z]", word)}
    assert used <= known


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_a_file_that_a_guide_names_is_there(guide: Path) -> None:
    text = guide.read_text()
    for link in re.findall(r"\]\((?!http)([^)#]+)\)", text):
        assert (guide.parent / link).exists(), link
    for path in re.findall(r"(?:firmware|examples|agent)/[\w./-]*[\w/]", text):
        assert (ROOT / path).exists() or "VERSION" in path or "*" in path, path


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_a_setting_of_the_agent_in_a_guide_is_one(guide: Path) -> None:
    sources = "".join(path.read_text() for path in (ROOT / "agent").glob("*.c"))
    known = set(re.findall(r'"([A-Z]+)="', sources))
    layer = "".join(path.read_text() for path in LAYER.rglob("*") if path.is_file())
    for name in re.findall(r"\bTINYPROF_([A-Z_]+)\b(?= ?=)", guide.read_text()):
        assert name in known or f"TINYPROF_{name} " in layer or name == "COMPLETE", name


def test_the_lines_of_doctor_in_the_guide_are_lines_of_doctor() -> None:
    sources = " ".join(path.read_text() for path in DOCTOR.glob("*.py"))
    lines = re.findall(r"\[(?:ok|--|!!|no)\] ([\w ()']+): (.*)", code_of(GUIDES[0]))
    assert len(lines) > 15
    for step, text in lines:
        assert step.startswith("in ") or step in sources, step
        words = [word for word in re.findall(r"[a-z]{4,}", text) if word not in ("rootfs",)]
        assert sum(word in sources for word in words) >= len(words) / 2, text
