# SPDX-License-Identifier: MIT
"""`tinyprof doctor PORT`: ptys with all kinds of targets behind them, and with none."""

from __future__ import annotations

import grp
import json
import os
import random
import subprocess
import sys
import tty
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from support.doctor import Doctor
from support.uart import received
from tinyprof.cli.doctor.holders import lock_file_of
from tinyprof.wire.frames import encode_message
from tinyprof.wire.messages import Hello, Pages
from tinyprof.wire.source import PAGE_FAULTS, TouchSource

SEED = 20261128
LISTEN = ("--listen", "500ms")

AS_NOBODY = """
import os
from tinyprof.cli import main
from tinyprof.cli.doctor import port
def as_nobody(*words, root_opens=port.open_link):
    os.setgroups([]), os.setgid(65534), os.setuid(65534)
    return root_opens(*words)
port.open_link = as_nobody
main()
"""
"""Root until the port is opened: nobody else may be let see this interpreter's modules."""

HOLDER = """
import fcntl, os, sys, termios
fd = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)
fcntl.ioctl(fd, termios.TIOCEXCL)
print("held", flush=True)
sys.stdin.read()
"""

Say = Callable[[bytes], str]


@pytest.fixture
def say() -> Iterator[Say]:
    """Gives the name of a pty on which a target has said something."""
    opened: list[int] = []

    def make(data: bytes) -> str:
        master, slave = os.openpty()
        opened.extend((master, slave))
        tty.setraw(slave)
        os.write(master, data)
        return os.ttyname(slave)

    yield make
    for fd in opened:
        os.close(fd)


def as_nobody(port: str) -> tuple[int, str]:
    command = [sys.executable, "-c", AS_NOBODY, "doctor", "--json", *LISTEN, port]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, json.dumps(json.loads(done.stdout)["checks"])


def test_a_target_that_is_well_is_well(doctor: Doctor, say: Say, hello: Hello) -> None:
    answer = doctor(*LISTEN, say(encode_message(hello, 0)))
    assert answer.code == 0
    assert "6.1.192 armv7l, epochs of 1 s" in answer.text("agent")
    assert "the kernel's own part" in answer.text("tracer")


def test_a_line_without_a_target_is_to_look_at(doctor: Doctor, say: Say) -> None:
    answer = doctor(*LISTEN, say(b""))
    assert answer.code == 3
    assert "nothing has arrived" in answer.text("line")
    assert "TINYPROF_TTY" in answer.text("line")


def test_a_line_without_a_target_gets_only_a_question(doctor: Doctor) -> None:
    master, slave = os.openpty()
    tty.setraw(slave)
    doctor("--one-way", *LISTEN, os.ttyname(slave))
    os.set_blocking(master, False)
    with pytest.raises(BlockingIOError):
        os.read(master, 100)
    doctor(*LISTEN, os.ttyname(slave))
    assert os.read(master, 100)
    os.close(master)
    os.close(slave)


def test_a_process_that_has_the_port_is_named(doctor: Doctor, say: Say) -> None:
    port = say(b"")
    Path(port).chmod(0o666)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, port], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n"
        answer = doctor(*LISTEN, port)
        refused, said = as_nobody(port)
        holder.communicate()
    assert answer.states("in use") == ["look"]
    assert f"(process {holder.pid})" in answer.text("in use")
    assert f"kill {holder.pid}" in answer.text("in use")
    assert refused == 1
    assert "in use by another program" in said


def test_a_lock_file_counts_while_its_process_lives(tmp_path: Path) -> None:
    lock = tmp_path / "LCK..ttyACM9"
    lock.write_text(f"{os.getpid():10}\n")
    assert lock_file_of("/dev/ttyACM9", tmp_path) == (lock, os.getpid())
    for text in ("", "none", "-4", "99999999999999999999"):
        lock.write_text(text)
        assert lock_file_of("/dev/ttyACM9", tmp_path) is None


def test_a_port_that_may_not_be_read_says_which_group_may(say: Say) -> None:
    port = say(b"")
    group = next(group for group in grp.getgrall() if group.gr_gid not in (0, 65_534))
    os.chown(port, 0, group.gr_gid)
    Path(port).chmod(0o660)
    code, said = as_nobody(port)
    assert code == 1
    assert "permission denied" in said
    assert f"usermod -aG {group.gr_name}" in said


def test_a_missing_port_is_broken(doctor: Doctor) -> None:
    answer = doctor("/dev/ttyNOSUCH7")
    assert answer.code == 1
    assert "no such port" in answer.text("open")


def test_a_device_of_memory_is_no_port(doctor: Doctor) -> None:
    answer = doctor("/dev/null")
    assert answer.code == 1
    assert "no port, but a device of memory" in answer.text("port")


def test_a_wrong_rate_names_rates_to_try(doctor: Doctor, say: Say) -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    ids = tuple(rng.randrange(1 << 20) + k for k in range(40))
    noise = received(encode_message(Pages(0, 1, 5, ids, bytes(40)), 1), 57_600, 115_200)
    answer = doctor(*LISTEN, say(noise))
    assert answer.code == 3
    assert "garbage" in answer.text("line")
    assert "--baud 57600" in answer.text("line")


@pytest.mark.parametrize(("corrupt", "state"), [(1, "ok"), (2, "look"), (9, "look")])
def test_a_line_that_spoils_more_than_the_frame_it_was_joined_in_is_to_look_at(
    doctor: Doctor, say: Say, hello: Hello, corrupt: int, state: str
) -> None:
    spoilt = b"".join(
        encode_message(Pages(0, 1, 5, (seq,), b"\0"), seq).rstrip(b"\0")[:-1] + b"\xff\0"
        for seq in range(corrupt)
    )
    answer = doctor(*LISTEN, say(spoilt + encode_message(hello, corrupt)))
    assert answer.states("line") == [state]
    assert answer.code == (0 if state == "ok" else 3)
    assert (f"{corrupt} corrupt frames" in answer.text("line")) is (state == "look")


def test_a_console_alone_is_no_target(doctor: Doctor, say: Say) -> None:
    answer = doctor(*LISTEN, say(b"Welcome to Buildroot\r\n\x1b[31mbuildroot login: "))
    assert answer.code == 3
    assert "a console speaks here" in answer.text("line")
    assert "\x1b" not in answer.text("line")


def test_a_getty_on_the_line_of_the_agent_is_named(doctor: Doctor, say: Say, hello: Hello) -> None:
    answer = doctor(*LISTEN, say(encode_message(hello, 0) + b"board login: \0"))
    assert answer.code == 3
    assert "getty" in answer.text("console")


def test_a_target_without_a_tracer_is_broken(doctor: Doctor, say: Say, hello: Hello) -> None:
    answer = doctor(*LISTEN, say(encode_message(replace(hello, tracer=0, volumes=()), 0)))
    assert answer.code == 1
    assert answer.states("tracer") == ["broken"]
    assert answer.states("volumes") == ["look"]


def test_one_long_epoch_is_to_look_at(doctor: Doctor, say: Say, hello: Hello) -> None:
    source = TouchSource(PAGE_FAULTS, 0, 12, 3, late=False)
    answer = doctor(*LISTEN, say(encode_message(replace(hello, source=source), 0)))
    assert answer.code == 3
    assert "one long epoch" in answer.text("tracer")


EPOCHS: list[tuple[int, list[str]]] = [
    (0, ["look"]),
    (20, ["look"]),
    (250, []),
    (60_000, []),
    (60_001, ["look"]),
]


@pytest.mark.parametrize(("ms", "states"), EPOCHS)
def test_the_length_of_an_epoch_has_to_make_sense(
    doctor: Doctor, say: Say, hello: Hello, ms: int, states: list[str]
) -> None:
    answer = doctor(*LISTEN, say(encode_message(replace(hello, epoch_ms=ms), 0)))
    assert answer.states("epoch") == states


def test_an_image_that_the_target_does_not_run_is_broken(
    doctor: Doctor, say: Say, hello: Hello, image_file: Path
) -> None:
    assert doctor(*LISTEN, say(encode_message(hello, 0)), image_file).states("image") == [
        "ok",
        "ok",
    ]
    volume = replace(hello.volumes[0], fsid=replace(hello.volumes[0].fsid, crc=7))
    other = replace(hello, volumes=(volume,))
    answer = doctor(*LISTEN, say(encode_message(other, 0)), image_file)
    assert answer.code == 1
    assert answer.states("image") == ["ok", "broken"]


def test_noise_of_any_kind_ends_in_checks(doctor: Doctor, say: Say) -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    for _ in range(5):
        assert doctor("--listen", "200ms", say(rng.randbytes(2000))).code in (0, 1, 3)


def test_a_simulated_target_needs_no_port(doctor: Doctor) -> None:
    assert doctor("sim:").code == 0
