# SPDX-License-Identifier: MIT
"""tinyprof build as a user meets it: mkcramfs's letters, plans, and no image lost or
half-written."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from support.commands import PYTHON, tinyprof_text
from support.elf_cases import Shape, for_riscv, link
from tinyprof.cramfs.format import SuperFlag
from tinyprof.cramfs.programs import mapped_parts
from tinyprof.cramfs.reading.reader import Image, read_image

RUN = [*PYTHON, "build"]
LIMITED = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)); "


@pytest.fixture
def top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = tmp_path / "root"
    (root / "bin").mkdir(parents=True)
    (root / "bin" / "tool").write_bytes(b"\x7fELF" + os.urandom(20_000))
    (root / "zeros").write_bytes(bytes(8_192))
    return root


def build(*words: str | Path, run: list[str] | None = None) -> subprocess.CompletedProcess[str]:
    """Build by the program as it is, or as `run` starts it."""
    if run is None:
        return tinyprof_text("build", *words)
    return subprocess.run([*run, *map(str, words)], capture_output=True, text=True, check=False)


def built(top: Path, *words: str | Path) -> Image:
    image = top.parent / "image"
    run = build(*words, top, image)
    assert run.returncode == 0, run.stderr
    return read_image(image.read_bytes())


@pytest.mark.parametrize(("words", "more"), [([], False), (["--riscv-code"], True)])
def test_code_of_riscv_programs_goes_in_place_for_a_mended_kernel_alone(
    top: Path, words: list[str], more: bool
) -> None:
    program = for_riscv(link(Shape()))
    (top / "bin" / "tool").write_bytes(program)
    image = built(top, "-X", "-X", *words)
    (tool,) = (entry for entry in image.entries if entry.path == "/bin/tool")
    in_place = sum(block.in_place for block in image.blocks(tool))
    code = {
        page
        for part in mapped_parts(program, len(program)) or ()
        if part.executable
        for page in part.pages
    }
    assert (in_place >= len(code) > 1) == more


def test_riscv_programs_are_not_split(top: Path) -> None:
    run = build("--riscv-code", "--split-segments", "--profile", "p", top, top.parent / "image")
    assert run.returncode == 2
    assert "--riscv-code is not for --split-segments" in run.stderr


def test_names_edition_and_byte_order_are_what_was_asked_for(top: Path) -> None:
    superblock = built(top, "-n", "root fs", "-e", "7", "-B").superblock
    assert (superblock.name, superblock.fsid.edition, superblock.byte_order) == (
        "root fs",
        7,
        "big",
    )
    assert built(top, "-L").superblock.byte_order == "little"


def test_padding_and_an_inserted_file_are_where_boot_code_expects_them(top: Path) -> None:
    (top.parent / "kernel").write_bytes(b"kernel!")
    image = built(top, "-p", "-i", top.parent / "kernel")
    assert image.superblock.offset == 512
    assert SuperFlag.SHIFTED_ROOT_OFFSET in image.superblock.flags
    assert (top.parent / "image").read_bytes()[512 + 76 :].startswith(b"kernel!\0")


def test_holes_are_made_when_asked_for(top: Path) -> None:
    zeros = next(entry for entry in built(top, "-z").entries if entry.path == "/zeros")
    assert all(block.hole for block in built(top, "-z").blocks(zeros))


def test_ownership_is_squashed_but_for_the_device_table(top: Path) -> None:
    os.chown(top / "zeros", 5, 6)
    (top.parent / "table").write_text("/bin/tool f 755 7 8 - - - - -\n/null c 666 9 9 1 3 0 0 -\n")
    owners = {
        entry.path: (entry.uid, entry.gid)
        for entry in built(top, "-q", "-D", top.parent / "table").entries
    }
    assert owners == {
        "/": (0, 0),
        "/bin": (0, 0),
        "/bin/tool": (7, 8),
        "/null": (9, 9),
        "/zeros": (0, 0),
    }


def plan_file(top: Path, pages: dict[str, list[object]]) -> Path:
    path = top.parent / "plan"
    path.write_text(json.dumps({"format": 1, "pages": pages}))
    return path


def test_a_plan_is_followed_and_explained(top: Path) -> None:
    plan = plan_file(top, {"/bin/tool": [0, [2, 3]]})
    run = build("--plan", plan, "--explain", top, top.parent / "image")
    assert run.returncode == 0
    assert "/bin/tool: 3 of 5 pages in place: 0, 2-3" in run.stdout
    assert "2 others are not in the plan" in run.stdout


def test_the_account_of_a_build_has_the_same_figures_as_text_and_as_json(top: Path) -> None:
    plan, image = plan_file(top, {"/bin/tool": [0, [2, 3]]}), top.parent / "image"
    facts = json.loads(build("--plan", plan, "--json", top, image).stdout)
    size, placed = image.stat().st_size, 3 * 4096
    assert (facts["size"], facts["pages_in_place"], facts["bytes_in_place"]) == (size, 3, placed)
    assert facts["share_in_place"] == round(placed / size, 4)
    said = build("--plan", plan, top, image).stderr
    percent = f"{100 * facts['share_in_place']:.1f} %"
    assert f"image: {size // 1024} KiB, 3 pages in place (12 KiB, {percent})" in said


def test_what_a_stock_kernel_would_not_map_is_explained(top: Path) -> None:
    (top / "data").write_bytes(b"d" * 20_000)
    plan = plan_file(top, {"/data": [0, 2]})
    run = build("--plan", plan, "--kernel", "mainline", "--explain", top, top.parent / "image")
    assert "/data: 1 of 5 pages in place: 0" in run.stdout
    assert "2: a stock kernel maps only up to page 1" in run.stdout


def test_missing_files_and_pages_are_listed_and_fail_when_strict(top: Path) -> None:
    plan = plan_file(top, {"/bin/tool": [0, 99], "/gone": [[0, 3]]})
    image = top.parent / "image"
    run = build("--plan", plan, top, image)
    assert run.returncode == 3
    assert "/bin/tool: page 99: beyond the end" in run.stderr
    assert "/gone: page 0-3: no such file" in run.stderr
    image.write_bytes(b"old")
    assert build("--plan", plan, "-E", top, image).returncode == 1
    assert image.read_bytes() == b"old"


def test_one_json_document_tells_all(top: Path) -> None:
    plan = plan_file(top, {"/bin/tool": [0, 99]})
    fields = json.loads(build("--plan", plan, "--json", top, top.parent / "image").stdout)
    assert fields["pages_in_place"] == 1
    assert [refusal["page"] for refusal in fields["refused"]] == [99]


def test_a_full_disk_leaves_the_old_image(top: Path) -> None:
    image = top.parent / "image"
    image.write_bytes(b"old")
    run = build("--no-cache", top, image, run=[RUN[0], "-c", LIMITED + RUN[2], "build"])
    assert run.returncode == 1
    assert "image" in run.stderr
    assert image.read_bytes() == b"old"
    assert {path.name for path in top.parent.iterdir()} <= {"root", "image", "cache"}


def test_an_image_can_go_into_a_pipe_and_through_a_link(top: Path) -> None:
    piped = subprocess.run(
        [*RUN, top, "/dev/stdout"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True
    )
    (top.parent / "link").symlink_to("image")
    assert build(top, top.parent / "link").returncode == 0
    assert (top.parent / "link").is_symlink()
    assert (top.parent / "image").read_bytes() == piped.stdout


def test_a_cache_that_cannot_be_written_is_told_and_does_no_harm(
    top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (top.parent / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(top.parent / "file"))
    run = build(top, top.parent / "image")
    assert run.returncode == 0
    assert "cache unused" in run.stderr


VANISH = """
from tinyprof.cramfs import tree
read = tree.Node._read_chunks
def vanish(node, handle, size):
    {action}
    yield from read(node, handle, size)
tree.Node._read_chunks = vanish
"""


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("open(node.source, 'ab').write(b'more')", "changed while being read"),
        ("open(node.source, 'r+b').write(b'else')", "changed while being read"),
    ],
)
def test_a_file_that_changes_meanwhile_fails_the_build(top: Path, action: str, said: str) -> None:
    image = top.parent / "image"
    run = build(top, image, run=[RUN[0], "-c", VANISH.format(action=action) + RUN[2], "build"])
    assert run.returncode == 1
    assert said in run.stderr
    assert not image.exists()


def test_a_file_that_vanishes_meanwhile_fails_the_build(top: Path) -> None:
    image = top.parent / "image"
    vanish = "from tinyprof.cramfs.writing import writer; survey = writer.survey\n"
    gone = str(top / "zeros")
    vanish += (
        f"import os; writer.survey = lambda *a, **k: (os.unlink({gone!r}), survey(*a, **k))[1]\n"
    )
    run = build(top, image, run=[RUN[0], "-c", vanish + RUN[2], "build"])
    assert run.returncode == 1
    assert "/zeros: cannot be read: No such file" in run.stderr
    assert not image.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-n", "seventeen bytes!!"], "at most 16 bytes"),
        (["-X", "--plan", "x"], "exclude one another"),
        (["--level", "13"], "13 is not in the range"),
    ],
)
def test_wrong_usage_is_told(top: Path, words: list[str], said: str) -> None:
    run = build(*words, top, top.parent / "image")
    assert run.returncode == 2
    assert said in run.stderr


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", '{"format":1,"pages":{"/a":[[3,1]]}}', '{"format":1,"pages":{"/a":["x"]}}'],
)
def test_what_is_no_plan_is_told_in_one_line(top: Path, text: str) -> None:
    (top.parent / "plan").write_text(text)
    run = build("--plan", top.parent / "plan", top, top.parent / "image")
    assert run.returncode == 1
    assert f"{top.parent / 'plan'}: not a tinyprof plan" in run.stderr
    assert len(run.stderr.splitlines()) == 1


def test_the_twice_built_image_is_the_same(top: Path) -> None:
    first = (built(top, "-X", "-X"), (top.parent / "image").read_bytes())[1]
    second = (
        built(top, "-X", "-X", "--no-cache", "--jobs", "1"),
        (top.parent / "image").read_bytes(),
    )[1]
    assert first == second
