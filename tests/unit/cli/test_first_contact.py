# SPDX-License-Identifier: MIT
"""The first minutes with the program: help without being asked twice, and next steps that work."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
import pytest

from support.commands import PYTHON, tinyprof_text
from tinyprof.cli import COMMANDS, cli
from tinyprof.cli.commands.record import PORT_FORMS
from tinyprof.record.sim import RECORDED
from tinyprof.wire.frames import encode_message
from tinyprof.wire.messages import Hello, Message

README = Path(__file__).parents[3] / "README.md"
TEXT, NOISE = b"login: \r\nwelcome\r\n", b"\xfe\x81" * 500


def run(*words: str | Path, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return tinyprof_text(*words, folder=folder)


def line_of(messages: Sequence[Message]) -> bytes:
    return b"".join(encode_message(message, seq) for seq, message in enumerate(messages))


def groups() -> list[tuple[str, ...]]:
    context = click.Context(cli, **cli.context_settings)
    found = [(name, cli.get_command(context, name)) for name in COMMANDS]
    return [(), *((name,) for name, command in found if isinstance(command, click.Group))]


def every_command() -> list[tuple[str, ...]]:
    context = click.Context(cli, **cli.context_settings)
    found: list[tuple[str, ...]] = [()]
    for name in COMMANDS:
        command = cli.get_command(context, name)
        found.append((name,))
        if isinstance(command, click.Group):
            found += [(name, below) for below in command.list_commands(context)]
    return found


@pytest.mark.parametrize("words", groups())
def test_a_group_without_a_command_prints_its_help_and_nothing_has_failed(
    words: tuple[str, ...],
) -> None:
    bare, asked = run(*words), run(*words, "--help")
    assert (bare.returncode, bare.stderr) == (0, "")
    assert bare.stdout == asked.stdout


def test_help_that_cannot_be_written_has_failed() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(PYTHON, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1


def test_each_command_takes_h_and_help() -> None:
    for words in every_command():
        for option in ("-h", "--help"):
            assert cli.main([*words, option], "tinyprof", standalone_mode=False) == 0, words


@pytest.mark.parametrize(
    ("words", "meant"), [(["recrod"], "record"), (["image", "infoo"], "info")]
)
def test_a_mistyped_command_gets_a_suggestion(words: list[str], meant: str) -> None:
    done = run(*words)
    assert done.returncode == 2
    assert f"Did you mean '{meant}'?" in done.stderr


def test_readme_names_every_form_of_a_port() -> None:
    text = README.read_text().lower()
    forms = [line[2:22].rstrip() for line in PORT_FORMS.splitlines()[1:] if line[2:3] != " "]
    assert len(forms) > 6
    for form in forms:
        for part in form.split(", "):
            assert part.lower() in text, part


def next_commands(said: str) -> list[str]:
    return re.findall(r"^(?:next|  or): (.*)$", said, re.M)


def works(command: str, folder: Path, image: Path | None = None) -> bool:
    """Whether a shell runs the command. `view` needs a terminal: `report` takes its words."""
    if image:
        command = command.replace("--image IMAGE", f"--image '{image}'")
    command = command.replace("tinyprof view", "tinyprof report")
    words = " ".join(f"'{word}'" for word in PYTHON)
    script = f'tinyprof() {{ {words} "$@"; }}; {command}'
    done = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, check=False)
    return done.returncode == 0


@pytest.mark.parametrize("name", ["boot.tpcap", "a 'name' of\tmany words", "./-v"])
def test_the_next_commands_of_a_recording_work(tmp_path: Path, name: str) -> None:
    done = run("record", f"sim:{RECORDED}", "--speed", "0", "-o", name, folder=tmp_path)
    commands = next_commands(done.stderr)
    assert [it.split()[1] for it in commands] == ["view", "report"]
    assert all(works(command, tmp_path) for command in commands)


def test_the_next_commands_of_a_recording_in_many_parts_work(tmp_path: Path) -> None:
    words = ["record", f"sim:{RECORDED}", "--speed", "0", "--roll", "1k", "-o", "a b.tpcap"]
    commands = next_commands(run(*words, folder=tmp_path).stderr)
    assert len(list(tmp_path.iterdir())) > 4
    assert len(commands) == 2
    assert all(works(command, tmp_path) for command in commands)


def test_the_next_commands_of_a_recording_without_its_image_work_with_it(
    tmp_path: Path, image_file: Path, story: list[Message]
) -> None:
    (tmp_path / "line").write_bytes(line_of(story))
    said = run("record", "line", folder=tmp_path).stderr
    view, report = next_commands(said)
    assert view == "tinyprof view record.tpcap"
    assert works(report, tmp_path, image_file)


def test_a_recording_in_which_nothing_arrived_leaves_nothing_and_the_next_one_runs(
    tmp_path: Path, story: list[Message]
) -> None:
    (tmp_path / "line").write_bytes(b"")
    silent = run("record", "line", folder=tmp_path)
    assert silent.returncode == 1
    assert next_commands(silent.stderr) == []
    assert not list(tmp_path.glob("*.tpcap"))
    (tmp_path / "line").write_bytes(line_of(story))
    assert run("record", "line", folder=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("line", "kept"),
    [(TEXT, f"{len(TEXT)} bytes of them text"), (NOISE, "none of them text")],
)
def test_bytes_without_an_agent_are_kept_and_told(tmp_path: Path, line: bytes, kept: str) -> None:
    (tmp_path / "line").write_bytes(line)
    done = run("record", "line", folder=tmp_path)
    assert done.returncode == 1
    assert f"the capture keeps {len(line)} bytes, {kept}. Remove it" in done.stderr
    (command,) = next_commands(done.stderr)
    assert works(command, tmp_path)


def test_a_target_without_a_tracer_has_next_commands_that_name_the_image(
    tmp_path: Path, hello: Hello
) -> None:
    (tmp_path / "line").write_bytes(line_of([replace(hello, tracer=0, volumes=())]))
    done = run("record", "line", folder=tmp_path)
    assert next_commands(done.stderr)[0] == "tinyprof view record.tpcap"
