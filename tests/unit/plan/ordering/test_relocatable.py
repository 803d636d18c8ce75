# SPDX-License-Identifier: MIT
"""Objects whose functions begin pages when they are linked."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from support.dense_program import ARM, compile_source, functions_of, have, link, make_source
from tinyprof.pages import PAGE_SIZE
from tinyprof.plan.ordering.program import OrderingError
from tinyprof.plan.ordering.relocatable import align_functions

pytestmark = pytest.mark.skipif(not have("gcc", "ar"), reason="needs gcc")
SOURCE = make_source(3, functions=30)


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return compile_source(tmp_path_factory.mktemp("objects"), SOURCE)


@pytest.mark.parametrize("linker", ["bfd", "gold", "lld"])
def test_each_function_begins_a_page_and_the_program_stays_the_same(
    objects: list[Path], tmp_path: Path, linker: str
) -> None:
    if not have(f"ld.{linker}"):
        pytest.skip(f"ld.{linker} is not here")
    changed = []
    for path in objects:
        changed.append(tmp_path / path.name)
        changed[-1].write_bytes(align_functions(path.read_bytes()).data)
    plain = link(objects, tmp_path / "plain", f"-fuse-ld={linker}")
    made = link(changed, tmp_path / "made", f"-fuse-ld={linker}")
    places = {it.name: it.offset for it in functions_of(made) if it.name.startswith("step_")}
    assert len(places) == 30
    assert {place % PAGE_SIZE for place in places.values()} == {0}
    outputs = [
        subprocess.run([it], capture_output=True, check=True).stdout for it in (plain, made)
    ]
    assert outputs[0] == outputs[1]


@pytest.mark.skipif(not have(ARM), reason="needs a compiler for ARM")
def test_objects_for_arm_are_aligned_too(tmp_path: Path) -> None:
    made = compile_source(tmp_path, SOURCE, ARM)
    for path in made:
        path.write_bytes(align_functions(path.read_bytes()).data)
    places = functions_of(link(made, tmp_path / "made", compiler=ARM))
    starts = [it.offset for it in places if it.name.startswith("step_")]
    assert len(starts) == 30
    assert {start % PAGE_SIZE for start in starts} == {0}


def test_an_archive_is_aligned_object_by_object(objects: list[Path], tmp_path: Path) -> None:
    archive = tmp_path / "lib.a"
    subprocess.run(["ar", "rcs", archive, *objects], check=True)
    made = align_functions(archive.read_bytes())
    assert made.objects == len(objects)
    assert made.sections == sum(align_functions(it.read_bytes()).sections for it in objects)
    archive.write_bytes(made.data)
    program = link([objects[0], archive], tmp_path / "p")
    assert any(it.offset % PAGE_SIZE == 0 for it in functions_of(program) if it.name == "step_5")


def test_chosen_functions_alone_are_aligned(objects: list[Path]) -> None:
    data = objects[1].read_bytes()
    made = align_functions(data, lambda section: section == ".text.step_0")
    assert made.sections == 1
    assert sum(one != two for one, two in zip(data, made.data, strict=True)) <= 8


def test_the_size_of_the_recording_link_is_known_in_advance(objects: list[Path]) -> None:
    made = align_functions(objects[1].read_bytes())
    assert made.size == made.sections * PAGE_SIZE


def test_an_object_without_function_sections_is_told(tmp_path: Path) -> None:
    made = compile_source(tmp_path, SOURCE, flags=("-O1",))
    assert align_functions(made[1].read_bytes()).plain == 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no object file"),
        (b"hello", "no object file"),
        (b"!<thin>\n", "thin archive"),
        (b"!<arch>\n" + b"x" * 60, "broken archive"),
        (b"!<arch>\n" + b"a".ljust(48) + b"99999     `\n", "cut short"),
    ],
)
def test_anything_else_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(OrderingError, match=message):
        align_functions(data)


def test_a_broken_object_keeps_its_size(objects: list[Path]) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    whole = objects[1].read_bytes()
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(rng.randrange(1, 30)):
            data[rng.randrange(18, rng.choice((64, len(data))))] = rng.randrange(256)
        assert len(align_functions(bytes(data)).data) == len(data)


def test_an_object_without_code_lacks_no_sections_for_functions(tmp_path: Path) -> None:
    for name, text in (("data", "int x = 1;"), ("code", "int f(void) { return 1; }")):
        (tmp_path / f"{name}.c").write_text(text)
        words = ["gcc", "-c", str(tmp_path / f"{name}.c"), "-o", str(tmp_path / f"{name}.o")]
        subprocess.run(words, check=True)
    assert align_functions((tmp_path / "data.o").read_bytes()).plain == 0
    assert align_functions((tmp_path / "code.o").read_bytes()).plain == 1
