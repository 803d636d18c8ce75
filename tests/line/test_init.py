# SPDX-License-Identifier: MIT
"""The real agent as init of a process namespace: the real init starts in its place and never
notices."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from line.kernel import Volume
from line.target import Line, Target
from tinyprof.pages import Kind
from tinyprof.wire.messages import Hello

UNSHARE = ["unshare", "--pid", "--fork", "--mount", "--kill-child"]
INIT = "#!/bin/sh\necho $$ $*\nread line\n"
SIGNALS = {"SIGHUP": 1, "SIGPIPE": 13, "SIGTTIN": 21, "SIGTTOU": 22}


def namespaces_are_allowed() -> bool:
    return (
        shutil.which("unshare") is not None
        and not subprocess.run([*UNSHARE, "true"], check=False).returncode
    )


pytestmark = pytest.mark.skipif(
    not namespaces_are_allowed(), reason="needs the right to make namespaces (root)"
)


def child_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


@dataclass(frozen=True, slots=True)
class Boot:
    """A started machine: what init writes, and both processes as seen from outside."""

    process: subprocess.Popen[str]
    stderr: Path

    @property
    def init(self) -> Path:
        return Path(f"/proc/{child_of(self.process.pid)}")

    @property
    def agent(self) -> Path:
        return Path(f"/proc/{child_of(child_of(self.process.pid))}")

    def said(self) -> str:
        """Init's next line."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()


def files(process: Path) -> set[str]:
    return {str(link.readlink()) for link in (process / "fd").iterdir()}


def ignored(process: Path) -> set[str]:
    mask = int((process / "status").read_text().split("SigIgn:")[1].split()[0], 16)
    return {name for name, number in SIGNALS.items() if mask >> (number - 1) & 1}


@pytest.fixture
def boot(target: Target, program: Path, tmp_path: Path) -> Iterator[Callable[..., Boot]]:
    booted: list[subprocess.Popen[str]] = []

    def start(*arguments: str, before: str = "true", **settings: str) -> Boot:
        environment = {
            "PATH": os.environ["PATH"],
            "TINYPROF_TTY": str(target.port),
            "TINYPROF_TRACER": str(target.tracer.path),
            "TINYPROF_EPOCH": "0",
            "TINYPROF_INIT": str(tmp_path / "init"),
            **settings,
        }
        (tmp_path / "init").write_text(INIT)
        (tmp_path / "init").chmod(0o755)
        script = f'{before} && exec "$0" "$@"'
        with (tmp_path / "console").open("wb") as stderr:
            process = subprocess.Popen(
                [*UNSHARE, "sh", "-c", script, program, *arguments],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        booted.append(process)
        return Boot(process, tmp_path / "console")

    yield start
    for process in booted:
        process.kill()
        process.communicate()


def test_the_real_init_is_process_1_with_its_arguments(
    target: Target, line: Line, boot: Callable[..., Boot]
) -> None:
    target.tracer.appear()
    machine = boot("splash", "single")
    assert machine.said() == "1 splash single\n"
    line.until(lambda: bool(line.of(Hello)))
    assert machine.stderr.read_text() == ""


def test_recording_begins_before_the_real_init_does(
    target: Target, line: Line, boot: Callable[..., Boot]
) -> None:
    target.tracer.mount(0, Volume(7))
    target.tracer.appear()
    machine = boot()
    assert machine.said()
    assert target.tracer.started == [0]
    target.tracer.touch(0, (5, Kind.EXEC))
    line.until(lambda: bool(line.records))


def test_neither_has_what_belongs_to_the_other(
    target: Target, line: Line, boot: Callable[..., Boot]
) -> None:
    target.tracer.appear()
    machine = boot()
    assert machine.said()
    line.until(lambda: bool(line.of(Hello)))
    assert not files(machine.agent) & files(machine.init)
    assert line.path in files(machine.agent)
    assert not any(name.startswith("socket:") for name in files(machine.init))
    assert ignored(machine.agent) == set(SIGNALS)
    assert not ignored(machine.init)
    session = (machine.agent / "stat").read_text().rpartition(")")[2].split()[3]
    assert session == machine.agent.name


def test_a_dev_that_only_the_agent_needs_is_seen_by_it_alone(
    target: Target, line: Line, boot: Callable[..., Boot], tmp_path: Path
) -> None:
    port = tmp_path / "bound"
    port.touch()
    machine = boot(
        before=f"mount --bind {line.path} {port} && mount -t tmpfs none /dev",
        TINYPROF_TTY=str(port),
    )
    assert machine.said()
    line.until(lambda: bool(line.of(Hello)))
    mounts = [
        (process / "mounts").read_text().splitlines() for process in (machine.init, machine.agent)
    ]
    assert len(mounts[1]) == len(mounts[0]) + 1
    assert mounts[1][-1].split()[1:3] == ["/dev", "devtmpfs"]
    assert line.of(Hello)[0].tracer == 0


@pytest.mark.parametrize("given", ["/sbin/init", "/etc/init", "/bin/init"])
def test_an_init_that_cannot_run_is_told_and_the_usual_ones_are_tried(
    target: Target, line: Line, boot: Callable[..., Boot], tmp_path: Path, given: str
) -> None:
    target.tracer.appear()
    hide = "mount -t tmpfs none /sbin"
    if given == "/sbin/init":
        hide += f" && cp {tmp_path / 'init'} /sbin/init"
    machine = boot("-c", "echo $0; read line", before=hide, TINYPROF_INIT="/no/such/init")
    said = machine.said()
    assert said == ("1 -c echo $0; read line\n" if given == "/sbin/init" else "/bin/sh\n")
    complaints = machine.stderr.read_text().splitlines()
    assert complaints[0] == "tinyprof-agent: cannot run /no/such/init"
    assert (f"tinyprof-agent: cannot run {given}" in complaints) == (given != "/sbin/init")
    line.until(lambda: bool(line.of(Hello)))


def test_a_setting_that_is_no_number_is_told_on_the_console(
    target: Target, line: Line, boot: Callable[..., Boot]
) -> None:
    machine = boot(TINYPROF_EPOCH="1s")
    assert machine.said()
    assert machine.stderr.read_text() == "tinyprof-agent: no number: TINYPROF_EPOCH=1s\n"
    target.tracer.appear()


def test_the_end_of_the_agent_is_not_the_end_of_the_machine(
    target: Target, line: Line, boot: Callable[..., Boot]
) -> None:
    target.tracer.appear()
    machine = boot()
    assert machine.said()
    line.until(lambda: bool(line.of(Hello)))
    os.kill(int(machine.agent.name), 9)
    assert machine.process.stdin is not None
    machine.process.stdin.write("go on\n")
    machine.process.stdin.flush()
    assert machine.process.wait(60) == 0
