# SPDX-License-Identifier: MIT
"""The agent as targets get it: freestanding, one read-only segment, small, and able to say
hello."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from line.target import Line
from support.agent_program import agent_program
from tinyprof.wire.messages import Hello

ROOT = Path(__file__).resolve().parents[2]
SIZE_MAX = {"kernel": 5400, "all": 18_600}
"""Bytes of the program with the kernel's own part as its only source, and of that with all."""

FLAT_SIZE_MAX = 12_500
"""Bytes of the program for machines without an MMU."""

FLAT_MEMORY_MAX = 50_000
"""Bytes of its data and stack, which that program takes at once."""


@dataclass(frozen=True, slots=True)
class Machine:
    """How to build for a machine, and how to run it here."""

    arch: str
    prefix: str
    mode: str = ""
    runner: tuple[str, ...] = ()


MACHINES = {
    "thumb": Machine("armv7l", "arm-linux-gnueabihf-", "", ("qemu-arm",)),
    "arm": Machine("armv7l", "arm-linux-gnueabihf-", "-marm", ("qemu-arm",)),
    "arm64": Machine("aarch64", "aarch64-linux-gnu-", "", ("qemu-aarch64",)),
    "riscv64": Machine("riscv64", "riscv64-linux-gnu-", "", ("qemu-riscv64",)),
    "x86_64": Machine("x86_64", "x86_64-linux-gnu-"),
}


@pytest.fixture(params=MACHINES)
def machine(request: pytest.FixtureRequest) -> Machine:
    machine = MACHINES[request.param]
    if not shutil.which(f"{machine.prefix}gcc"):
        pytest.skip(f"no {machine.prefix}gcc")
    return machine


def test_with_one_source_it_is_one_segment_that_is_never_written(machine: Machine) -> None:
    with agent_program(machine.prefix, "kernel", machine.mode).open("rb") as file:
        segments = [(s["p_type"], s["p_flags"]) for s in ELFFile(file).iter_segments()]
    read_execute, read_write = 5, 6
    loaded = [
        segment for segment in segments if segment[0] in ("PT_LOAD", "PT_DYNAMIC", "PT_INTERP")
    ]
    assert loaded == [("PT_LOAD", read_execute)]
    assert ("PT_GNU_STACK", read_write) in segments


@pytest.mark.parametrize("sources", SIZE_MAX)
def test_the_whole_file_is_small_in_thumb(sources: str) -> None:
    machine = MACHINES["thumb"]
    if not shutil.which(f"{machine.prefix}gcc"):
        pytest.skip(f"no {machine.prefix}gcc")
    assert agent_program(machine.prefix, sources).stat().st_size <= SIZE_MAX[sources]


def test_the_program_without_an_mmu_is_small_and_takes_little_memory(tmp_path: Path) -> None:
    prefix = MACHINES["thumb"].prefix
    if not shutil.which(f"{prefix}gcc"):
        pytest.skip(f"no {prefix}gcc")
    words = ["nommu", f"CROSS_COMPILE={prefix}", f"O={tmp_path}"]
    subprocess.run(["make", "-s", "-C", str(ROOT / "agent"), *words], check=True)
    flat = (tmp_path / "tinyprof-agent-nommu").read_bytes()
    magic, _, _, data, _, bss_end, stack = struct.unpack_from(">4s6I", flat)
    assert magic == b"bFLT"
    assert len(flat) <= FLAT_SIZE_MAX
    assert bss_end - data + stack <= FLAT_MEMORY_MAX


def test_it_says_hello_without_a_tracer(machine: Machine) -> None:
    if machine.runner and not shutil.which(machine.runner[0]):
        pytest.skip(f"no {machine.runner[0]}")
    if not machine.runner and os.uname().machine != machine.arch:
        pytest.skip(f"not {machine.arch}")
    program = agent_program(machine.prefix, mode=machine.mode)
    line = Line()
    # Another source would record this machine.
    settings = {"TINYPROF_TTY": line.path, "TINYPROF_SOURCE": "kernel"}
    agent = subprocess.Popen([*machine.runner, program], env=settings)
    try:
        line.until(lambda: bool(line.events))
    finally:
        agent.kill()
        agent.wait()
        line.hang_up()
    (hello,) = line.of(Hello)
    assert (hello.arch, hello.tracer, hello.volumes) == (machine.arch, 0, ())
