# SPDX-License-Identifier: MIT
"""busybox without an MMU: its shell runs a script from an image in place and from a copy, and a
recording knows its mapping."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from qemu_board.busybox import Busybox, busybox
from qemu_board.errors import BoardError
from target.booting import BOARD, board, boot, record
from target.nommu import ARCH, GUEST, VERSIONS, at_hand, image_of, memory, shown_mappings
from tinyprof.capture.reader import CaptureReader
from tinyprof.cramfs.programs import program_pages
from tinyprof.cramfs.tree import Tree
from tinyprof.heat.losses import NO_LOSSES
from tinyprof.pages import pages_in
from tinyprof.profile.resolve import make_profile

KERNELS = [pytest.param(version, marks=at_hand(version, stock=True)) for version in VERSIONS]
STOCK = (*ARCH, "--stock")
PROGRAM = "/bin/busybox"
PROCESSES = 4
"""The shell and three that sleep."""

SAID = [
    "sum 10",
    "sorted apple fig pear",
    "lines 3",
    "case Linux",
    "subshell 0",
    "after 10",
    "false",
    "usage 1",
    "trapped",
    "second line",
    "link sh -> /bin/busybox",
    "shells 2",
    "done",
]
"""The words of the script, without "shell: "."""


@pytest.fixture(scope="module")
def program() -> Busybox:
    try:
        return busybox()
    except BoardError as error:
        pytest.skip(f"busybox cannot be built: {error}")


@pytest.fixture(scope="module")
def root(program: Busybox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """busybox, the agent, and a script as init."""
    top = tmp_path_factory.mktemp("busybox") / "root"
    for name in ("dev", "proc"):
        (top / name).mkdir(parents=True)
    program.install(top)
    files = {
        "sbin/init": (GUEST / "busybox.sh").read_bytes(),
        "sbin/tinyprof-agent": Path(board("agent", *ARCH)).read_bytes(),
    }
    for name, data in files.items():
        (top / name).write_bytes(data)
        (top / name).chmod(0o755)
    return top


def test_the_board_puts_it_into_a_root_filesystem_once(program: Busybox, tmp_path: Path) -> None:
    root = tmp_path / "root"
    assert board("busybox", root) == str(root / "bin/busybox")
    assert (root / "bin/busybox").read_bytes() == program.program
    assert (root / "bin/sh").readlink() == Path("/bin/busybox")
    again = subprocess.run([BOARD, "busybox", root], capture_output=True, text=True, check=False)
    (line,) = again.stderr.splitlines()
    assert again.returncode == 1
    assert line == f"board: {root}/bin/busybox: File exists"


def test_it_is_put_nowhere_else(program: Busybox, tmp_path: Path) -> None:
    (tmp_path / "host").mkdir()
    (tmp_path / "root").mkdir()
    (tmp_path / "root/bin").symlink_to(tmp_path / "host")
    with pytest.raises(BoardError, match="leads out of"):
        program.install(tmp_path / "root")
    assert not any((tmp_path / "host").iterdir())


def test_nothing_is_put_where_a_file_stands_in_place_of_a_folder(
    program: Busybox, tmp_path: Path
) -> None:
    (tmp_path / "sbin").touch()
    with pytest.raises(BoardError, match="sbin is no folder"):
        program.install(tmp_path)
    assert [it.name for it in tmp_path.iterdir()] == ["sbin"]


FUNCTION = re.compile(r"[0-9a-f]+ <(\S+)>:")
CHANGES_R10 = re.compile(
    r"(?!str|stm|push|cmp|cmn|tst|teq)\S+\s+sl\b"
    r"|(ldm|pop).*[{ ]sl\b"
    r"|(ldrd|[us]mull|[us]mlal)\S*\s+\S+, sl\b"
)
"""An instruction, as objdump shows it, that gives r10 another value."""


def test_the_register_of_the_data_never_changes(program: Busybox) -> None:
    # A signal may come at any instruction, and its handler finds its data by r10.
    command = ["arm-linux-gnueabihf-objdump", "-d", "--no-show-raw-insn", str(program.elf)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    changing, function = set(), ""
    for line in shown.splitlines():
        if match := FUNCTION.match(line):
            function = match[1]
        elif CHANGES_R10.match(line.partition("\t")[2]):
            changing.add(function)
    # To the same value: that of setjmp().
    assert changing == {"_longjmp"}


@pytest.fixture(scope="module")
def in_place(root: Path) -> Path:
    """An image with all pages of the program in place."""
    pages = program_pages(Tree.from_directory(root))[PROGRAM]
    return image_of(root, root.parent / "placed.image", {PROGRAM: pages})


def said(console: str) -> list[str]:
    return re.findall(r"^shell: (.*?)\r?$", console, re.MULTILINE)


@cache
def console_of(image: Path, version: str) -> str:
    return boot(image, *STOCK, "--mem", "4", "--version", version)


@pytest.mark.parametrize("version", KERNELS)
def test_a_shell_runs_a_script_in_place(version: str, in_place: Path) -> None:
    assert said(console_of(in_place, version)) == SAID


@pytest.mark.parametrize("version", KERNELS)
def test_its_text_is_mapped_from_flash(version: str, in_place: Path) -> None:
    console = console_of(in_place, version)
    shown = shown_mappings(console)
    (text,) = [it for it in shown if it.path == PROGRAM]
    assert (text.permissions[:3], text.in_flash) == ("r-x", True)


@at_hand(VERSIONS[0], stock=True)
def test_a_copy_of_it_runs_as_well_and_takes_the_memory_of_its_text(
    root: Path, in_place: Path
) -> None:
    image = image_of(root, root.parent / "packed.image", {})
    placed, copied = (console_of(it, VERSIONS[0]) for it in (in_place, image))
    assert said(copied) == SAID
    (text,) = [it for it in shown_mappings(copied) if it.path == PROGRAM]
    assert not text.in_flash
    # One copy for all processes: the kernel shares what nobody may write.
    more = memory(copied)["MmapCopy"] - memory(placed)["MmapCopy"]
    assert more == (text.end - text.first) >> 10


@at_hand(VERSIONS[0], stock=True)
def test_a_recording_knows_its_mapping_and_its_processes(root: Path, in_place: Path) -> None:
    words = ("--append", "init=/sbin/tinyprof-agent TINYPROF_TTY=/dev/ttyMPS1")
    capture = in_place.with_name("busybox.tpcap")
    options = ("--image", in_place, "--one-way")
    recording = record(in_place, capture, *STOCK, *words, options=options)
    assert recording.code == 0, recording.said
    assert said(recording.console) == SAID
    with capture.open("rb") as file:
        profile = make_profile([CaptureReader(file)])
    (facts,) = profile.boots
    assert facts.losses == NO_LOSSES
    (found,) = [it for it in profile.files if it.path == PROGRAM]
    (use,) = found.mappings
    data_at = int.from_bytes((root / PROGRAM[1:]).read_bytes()[12:16], "big")
    assert (use.page, use.pages, use.most) == (0, pages_in(data_at), PROCESSES)
