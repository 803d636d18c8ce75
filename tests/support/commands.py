# SPDX-License-Identifier: MIT
"""tinyprof's commands, each in a process of its own that need not import the program first.

Starting Python and importing the program takes longer than most commands. So each process is a
fork of one that has imported everything. Tests of the start itself (locales, environments, closed
streams, missing modules) start Python instead.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.forkserver
import os
import pkgutil
import subprocess
import sys
import tempfile
from contextlib import chdir
from functools import cache
from pathlib import Path

import tinyprof

PYTHON = (sys.executable, "-c", "from tinyprof.cli import main; main()")
"""How Python starts the program."""

STARTS = multiprocessing.get_context("forkserver")


def _all_modules() -> list[str]:
    found = pkgutil.walk_packages(tinyprof.__path__, "tinyprof.")
    return [module.name for module in found if not module.name.endswith("__main__")]


@cache
def _start_server() -> None:
    """Start the process that forks. Its locale is UTF-8: in another one a command starts Python
    again by the words that started the process, which are the server's."""
    # Where pytest is the main module, each process imports it.
    STARTS.set_forkserver_preload(["pytest", *_all_modules()])
    before = os.environ.get("PYTHONUTF8")
    os.environ["PYTHONUTF8"] = "1"
    multiprocessing.forkserver.ensure_running()
    if before is None:
        del os.environ["PYTHONUTF8"]
    else:
        os.environ["PYTHONUTF8"] = before


def tinyprof_bytes(
    *words: str | os.PathLike[str], given: bytes = b"", folder: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run a command in a folder, with `given` on its standard input."""
    _start_server()
    command = ["tinyprof", *(os.fspath(word) for word in words)]
    with tempfile.TemporaryDirectory() as streams:
        stdin, stdout, stderr = (Path(streams, name) for name in ("stdin", "stdout", "stderr"))
        stdin.write_bytes(given)
        process = STARTS.Process(
            target=_run,
            args=(command, folder or Path.cwd(), dict(os.environ), stdin, stdout, stderr),
        )
        process.start()
        process.join()
        code = process.exitcode
        assert code is not None
        out, err = stdout.read_bytes(), stderr.read_bytes()
    return subprocess.CompletedProcess(command, code, out, err)


def tinyprof_text(
    *words: str | os.PathLike[str], given: str = "", folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, with `given` on its standard input."""
    done = tinyprof_bytes(*words, given=given.encode(), folder=folder)
    out, err = (_lines(stream) for stream in (done.stdout, done.stderr))
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


def _lines(stream: bytes) -> str:
    """Text as subprocess.run() gives it: every line ends with a line feed."""
    return stream.decode().replace("\r\n", "\n").replace("\r", "\n")


def _run(
    command: list[str],
    folder: Path,
    environment: dict[str, str],
    stdin: Path,
    stdout: Path,
    stderr: Path,
) -> None:
    """In the new process: take the streams as the interpreter would have at its start."""
    os.environ.clear()
    os.environ.update(environment)
    for number, path, mode in ((0, stdin, "r"), (1, stdout, "w"), (2, stderr, "w")):
        with path.open(mode) as file:
            os.dup2(file.fileno(), number)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    sys.argv = command
    from tinyprof.cli import main  # noqa: PLC0415

    with chdir(folder):
        main()
