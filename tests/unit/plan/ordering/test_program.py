# SPDX-License-Identifier: MIT
"""The functions of a program: from its symbols, from a debug file, from a linker's map."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from support.dense_program import compile_source, have, link, make_source
from tinyprof.plan.ordering.link_map import read_map
from tinyprof.plan.ordering.program import OrderingError, Program, read_program

pytestmark = pytest.mark.skipif(not have("gcc", "objcopy", "strip"), reason="needs gcc")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a program and all that belongs to it."""
    folder = tmp_path_factory.mktemp("built")
    objects = compile_source(folder / "o", make_source(1, functions=40))
    for name, seed in (("dense", 1), ("other", 2)):
        of = objects if seed == 1 else compile_source(folder / "o2", make_source(2, functions=40))
        whole = link(of, folder / name)
        for words in (
            ["objcopy", "--only-keep-debug", str(whole), str(folder / f"{name}.debug")],
            ["strip", str(whole), "-o", str(folder / f"{name}.stripped")],
        ):
            subprocess.run(words, check=True)
    return folder


def read(file: Path, debug: Path | None = None) -> Program:
    found = read_program(file.read_bytes(), debug.read_bytes() if debug else b"")
    assert found
    return found


def names(program: Program) -> set[tuple[int, int, str]]:
    return {
        (it.offset, it.size, it.name) for it in program.functions if it.name.startswith("step")
    }


def test_a_debug_file_stands_for_the_symbols_of_a_stripped_program(built: Path) -> None:
    whole = read(built / "dense")
    assert len(names(whole)) == 40
    assert not names(read(built / "dense.stripped"))
    assert names(read(built / "dense.stripped", built / "dense.debug")) == names(whole)


def test_a_debug_file_of_another_build_is_refused(built: Path) -> None:
    with pytest.raises(OrderingError, match=r"another build: build id [0-9a-f]+, not [0-9a-f]+"):
        read(built / "dense.stripped", built / "other.debug")


def test_without_build_ids_the_places_of_the_code_tell_builds_apart(
    built: Path, tmp_path: Path
) -> None:
    bare = [tmp_path / name for name in ("dense.stripped", "dense.debug", "other.debug")]
    for file in bare:
        words = ["objcopy", "-R", ".note.gnu.build-id", str(built / file.name), str(file)]
        subprocess.run(words, check=True, stderr=subprocess.DEVNULL)
    assert len(names(read(bare[0], bare[1]))) == 40
    with pytest.raises(OrderingError, match="its code lies elsewhere"):
        read(bare[0], bare[2])


@pytest.mark.parametrize(
    ("linker", "program"), [("bfd", "ld.bfd"), ("gold", "ld.gold"), ("lld", "ld.lld")]
)
def test_a_map_stands_for_the_symbols_of_a_stripped_program(
    built: Path, tmp_path: Path, linker: str, program: str
) -> None:
    if not have(program):
        pytest.skip(f"{program} is not here")
    objects = sorted((built / "o").glob("*.o"))
    made = link(objects, tmp_path / "p", f"-fuse-ld={linker}", f"-Wl,-Map={tmp_path / 'p.map'}")
    wanted = names(read(made))
    subprocess.run(["strip", made], check=True)
    pieces = read_map((tmp_path / "p.map").read_text())
    found = read_program(made.read_bytes(), pieces=pieces)
    assert found
    assert names(found) == wanted
    assert {it.section for it in found.functions if it.name == "step_7"} == {".text.step_7"}
    with pytest.raises(OrderingError, match="of another link"):
        read_program(
            (built / "other").read_bytes(),
            pieces=[it._replace(address=it.address + (1 << 30)) for it in pieces],
        )


def test_a_text_that_is_no_map_is_refused() -> None:
    with pytest.raises(OrderingError, match="no linker map"):
        read_map("hello\n .text 0x10 0x20\n")


def test_any_broken_program_is_read_to_some_end(built: Path) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    whole = (built / "dense").read_bytes()
    for _ in range(300):
        data = bytearray(whole[: rng.choice((len(whole), rng.randrange(len(whole))))])
        for _ in range(rng.randrange(1, 40)):
            data[rng.randrange(min(len(data), rng.choice((64, len(data)))))] = rng.randrange(256)
            if not data:
                break
        found = read_program(bytes(data))
        if found:
            assert all(it.size and it.offset + it.size <= len(data) for it in found.functions)


def test_symbols_of_no_size_or_outside_the_file_are_counted(built: Path) -> None:
    found = read(built / "dense")
    assert found.unsized > 0
    cut = read_program((built / "dense").read_bytes()[:0x1200])
    assert cut
    assert not cut.functions


@pytest.mark.parametrize(
    "line",
    [
        "  201000 201000 2a 16         " + ":(" * 200_000,
        " .text." + "a" * 400_000,
        " .text.a" + " " * 400_000,
        "  201000 201000 2a 16         " + "a:(b)" * 100_000,
        "\n" * 400_000,
    ],
)
def test_a_map_with_endless_lines_is_read_to_its_end(line: str) -> None:
    with pytest.raises(OrderingError, match="no linker map"):
        read_map(f"     VMA      LMA     Size Align Out     In      Symbol\n{line}\n")
    with pytest.raises(OrderingError, match="no linker map"):
        read_map(f"{line}\n")
