# SPDX-License-Identifier: MIT
"""The command line.

A command's module is imported when the command runs, so that help stays quick. This module alone
turns errors into one line on stderr and an exit code.
"""

from __future__ import annotations

import contextlib
import difflib
import importlib
import os
import sys
from enum import IntEnum

import click

from tinyprof import __version__
from tinyprof.cli import process
from tinyprof.errors import TinyprofError
from tinyprof.text import shown


class Exit(IntEnum):
    """Exit codes of every command."""

    OK = 0
    FAILED = 1
    USAGE = 2
    LOSS_OR_STALE = 3
    INTERRUPTED = 130


COMMANDS = {
    "record": "Record the page accesses of a target.",
    "view": "Look at a finished recording.",
    "capture": "Look into recordings, check and repair them.",
    "import": "Make a recording of another tool's data.",
    "profile": "Resolve captures into a profile.",
    "plan": "Choose pages to store in place, under a budget.",
    "build": "Build a CramFS image with the hot pages in place.",
    "order": "Write linker orders of used functions.",
    "align": "Let functions begin pages, for a recording link.",
    "split": "Split a program's segments for a stock kernel.",
    "report": "Show what a profile says.",
    "diff": "Compare two profiles.",
    "export": "Write a profile for another tool.",
    "image": "Look into CramFS images.",
    "doctor": "Check each step, and say what is missing.",
    "optimize": "Record, plan, build and compare, in one command.",
}


MODULES = {"import": "importing"}
"""The modules of commands whose names are words of Python."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = MODULES.get(cmd_name, cmd_name)
        command = importlib.import_module(f"tinyprof.cli.commands.{module}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        # Click knows no commands to suggest, because they are imported one by one.
        near = difflib.get_close_matches(args[0], COMMANDS, 1)
        if args[0] not in COMMANDS and near:
            raise click.UsageError(f"No such command {args[0]!r}. Did you mean {near[0]!r}?", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tinyprof")
def cli() -> None:
    """Find the pages of a CramFS root filesystem that are used, and execute exactly those in
    place."""


def main() -> None:
    """The program: every error ends in one line on stderr and an exit code."""
    process.prepare()
    sys.exit(exit_code())


def exit_code() -> int:
    """Run the command that sys.argv names. Returns its exit code; errors are told on stderr."""
    try:
        code = cli.main(prog_name="tinyprof", standalone_mode=False) or Exit.OK
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        # Whoever names no command asks what there is. Click takes it for a mistake.
        return _help(error)
    except click.exceptions.Exit as error:
        return error.exit_code
    except BrokenPipeError:
        return _give_up_stdout()
    except (click.Abort, KeyboardInterrupt, process.Ended) as end:
        ended = isinstance(end, process.Ended)
        return _fail(f"ended by {end}" if ended else "interrupted", Exit.INTERRUPTED)
    except (click.UsageError, TinyprofError, OSError, MemoryError, ModuleNotFoundError) as error:
        usage = isinstance(error, click.UsageError)
        return _fail(_told(error), Exit.USAGE if usage else Exit.FAILED)
    return code


def _help(error: click.exceptions.NoArgsIsHelpError) -> int:
    try:
        click.echo(error.format_message())
        sys.stdout.flush()
    except BrokenPipeError:
        return _give_up_stdout()
    except OSError as fault:
        return _fail(_told(fault), Exit.FAILED)
    return Exit.OK


def _told(error: Exception) -> str:
    match error:
        case click.UsageError():
            # Click lists choices in lines of their own.
            return " ".join(error.format_message().split())
        case OSError():
            return f"{error.filename or 'input or output'}: {error.strerror or error}"
        case ModuleNotFoundError():
            from tinyprof.errors import missing_library  # noqa: PLC0415 - rarely needed

            return str(missing_library(error))
        case MemoryError():
            return "there is not enough memory"
    return str(error)


def _give_up_stdout() -> Exit:
    """Nobody reads on. What is still buffered must not fail once more at the interpreter's end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return Exit.FAILED


def _fail(message: str, code: Exit) -> Exit:
    # A message may quote a target or a file.
    with contextlib.suppress(OSError):
        click.echo(f"tinyprof: {shown(message)}", err=True)
    try:
        sys.stdout.flush()
    except OSError:
        _give_up_stdout()
    return code
