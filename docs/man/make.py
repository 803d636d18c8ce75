#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the manual pages from the help of each command and from README, so none goes stale.

    .venv/bin/python docs/man/make.py [FOLDER]

FOLDER (docs/man if none is named) gets tinyprof.1 and a page for each command. The same program
gives the same bytes: tests/unit/test_man.py compares them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from tinyprof import __version__
from tinyprof.cli import COMMANDS, cli

HERE = Path(__file__).resolve().parent
README = HERE.parents[1] / "README.md"
DOCUMENTS = {
    "record": ("agent", "wire-format", "live-view"),
    "view": ("live-view",),
    "capture": ("capture-format",),
    "profile": ("profile-format",),
    "plan": ("planning", "split-segments"),
    "build": ("images", "planning", "split-segments"),
    "order": ("ordering", "planning"),
    "align": ("ordering",),
    "split": ("split-segments",),
    "report": ("report", "profile-format"),
    "diff": ("report", "profile-format"),
    "export": ("profile-format", "capture-format"),
    "image": ("images",),
    "doctor": ("porting", "sources", "kernel"),
    "optimize": ("optimize", "planning"),
}
"""The documents that a command's page names, by their names in docs/."""


def escaped(text: str) -> str:
    """Text for roff, whose lines must not begin like a request."""
    plain = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join(
        f"\\&{line}" if line.startswith((".", "'")) else line for line in plain.split("\n")
    )


def paragraphs(text: str) -> Iterator[str]:
    """The paragraphs of a help text. One that begins with a backspace keeps its lines."""
    for number, part in enumerate(re.split(r"\n\s*\n", text.strip("\n"))):
        if number:
            yield ".PP"
        if part.startswith("\b"):
            yield f".nf\n{escaped(part[1:].strip(chr(10)))}\n.fi"
        else:
            yield escaped(" ".join(part.split()))


def options_of(context: click.Context) -> Iterator[str]:
    """The options of a command, as its help names them."""
    for parameter in context.command.get_params(context):
        # The synopsis and the text name the arguments.
        record = parameter.get_help_record(context)
        if record and isinstance(parameter, click.Option):
            yield f".TP\n\\fB{escaped(record[0])}\\fR\n{escaped(record[1])}"


def synopsis(context: click.Context) -> str:
    words = " ".join(context.command.collect_usage_pieces(context))
    return f"\\fB{escaped(context.command_path)}\\fR {escaped(words)}"


def body(context: click.Context) -> Iterator[str]:
    """Description, options and example of a command."""
    command = context.command
    yield from paragraphs(command.help or "")
    yield ".SS Options"
    yield from options_of(context)
    if command.epilog:
        yield ".SS Example"
        yield f".nf\n{escaped(command.epilog.removeprefix('Example: '))}\n.fi"


def exit_codes() -> str:
    """The exit codes, as README tells them."""
    found = re.search(r"^Exit codes: (.*?)\n\n", README.read_text(), re.MULTILINE | re.DOTALL)
    assert found
    return " ".join(found[1].split()).replace("`", "")


def page(name: str) -> str:
    """The page of a command; an empty name: that of the program."""
    top = click.Context(cli, info_name="tinyprof", **cli.context_settings)
    title = f"tinyprof-{name}" if name else "tinyprof"
    short = COMMANDS[name] if name else "find the pages of a CramFS root filesystem that are used"
    lines = [
        f'.TH {title.upper()} 1 "" "tinyprof {__version__}" "tinyprof"',
        ".SH NAME",
        f"{escaped(title)} \\- {escaped(short.rstrip('.'))}",
        ".SH SYNOPSIS",
    ]
    if not name:
        lines += [synopsis(top), ".SH DESCRIPTION", *body(top), ".SH COMMANDS"]
        lines += [
            f".TP\n\\fBtinyprof\\-{it}\\fR(1)\n{escaped(text)}" for it, text in COMMANDS.items()
        ]
    else:
        command = cli.get_command(top, name)
        assert command
        context = click.Context(command, parent=top, info_name=name)
        lines += [synopsis(context), ".SH DESCRIPTION", *body(context)]
        names = command.list_commands(context) if isinstance(command, click.Group) else ()
        for it in names:
            assert isinstance(command, click.Group)
            other = command.get_command(context, it)
            assert other
            below = click.Context(other, parent=context, info_name=other.name)
            lines += [f".SH {escaped(below.command_path).upper()}", synopsis(below), ".PP"]
            lines += body(below)
    lines += [".SH EXIT STATUS", escaped(exit_codes()), ".SH SEE ALSO"]
    others = [f"tinyprof\\-{it}(1)" for it in COMMANDS if it != name]
    lines.append(", ".join([*(["tinyprof(1)"] if name else []), *others]))
    if documents := DOCUMENTS.get(name):
        named = ", ".join(f"docs/{document}.md" for document in documents)
        lines += [".PP", escaped(f"In the sources: {named}")]
    return "\n".join(lines) + "\n"


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    for name in ("", *COMMANDS):
        path = folder / (f"tinyprof-{name}.1" if name else "tinyprof.1")
        path.write_text(page(name))


if __name__ == "__main__":
    main()
