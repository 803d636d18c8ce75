# SPDX-License-Identifier: MIT
"""Order files, and how each linker at hand reads them."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from support.dense_program import have
from tinyprof.plan.ordering.formats import FORMATS, Format, is_safe, names_in, render, sections_of
from tinyprof.plan.ordering.order import OrderedName
from tinyprof.plan.ordering.program import read_program
from tinyprof.profile.temperature import Temperature

LINKERS: dict[Format, tuple[str, str]] = {
    "lld": ("ld.lld", "--symbol-ordering-file="),
    "gold": ("ld.gold", "--section-ordering-file="),
    "ld": ("ld.bfd", "--script="),
}


def entry(name: str, at: int = 0, code: bool = True) -> OrderedName:
    return OrderedName(name, code, Temperature.HOT, True, 1, at)


@pytest.mark.parametrize(
    "name",
    ['a"b', "a*b", "a?b", "[a]", "a\nb", "a\tb", "#a", " a", "a ", "\\", "", "a\x7f", "a\u3000"],
)
@pytest.mark.parametrize("form", FORMATS)
def test_a_name_that_could_be_misread_is_left_out_and_told(form: Format, name: str) -> None:
    data, left = render(form, "/p", [entry("before"), entry(name), entry("behind")])
    assert left == [name]
    assert names_in(data) == {"hot": ["before", "behind"]}


def test_a_path_cannot_end_the_comment_that_names_it() -> None:
    data, _ = render("ld", "/a*/\nINSERT", [entry("f")])
    assert data.splitlines()[0].count(b"*/") == 1


def test_sections_follow_what_compilers_do() -> None:
    assert ".text.startup.main" in sections_of(entry("main"))
    assert sections_of(entry("f.cold")) == [".text.unlikely.f"]
    assert sections_of(entry("f.constprop.7"))[0] == ".text.f.constprop.*"
    assert sections_of(entry("table", code=False)) == [".rodata.table"]


def _some_name(rng: random.Random) -> str:
    letters = "abz_09.$ ;:,(){}<>=&%~^'|/+-!#\u0060\u00e9\u20ac"
    if rng.random() < 0.2:
        letters += '"\\*?[]\t\n'
    return "".join(rng.choice(letters) for _ in range(rng.randrange(6, 30)))


def _assemble(folder: Path, names: list[str]) -> Path:
    """An object with a section `.text.NAME` and a function NAME for each name.

    The assembler gets plain names of equal length. The names take their places in its tables.
    """
    plain = [f"N{at:03}".ljust(len(name.encode()), "x") for at, name in enumerate(names)]
    text = "".join(
        f'.section .text.{it},"ax",%progbits\n.globl {it}\n.type {it},%function\n'
        f"{it}: .zero 24\n.size {it},24\n"
        for it in plain
    )
    (folder / "o.s").write_text(text)
    subprocess.run(["as", folder / "o.s", "-o", folder / "o.o"], check=True)
    data = (folder / "o.o").read_bytes()
    for it, name in zip(plain, names, strict=True):
        data = data.replace(it.encode(), name.encode())
    (folder / "o.o").write_bytes(data)
    return folder / "o.o"


@pytest.mark.parametrize("form", LINKERS)
def test_no_linker_misreads_a_name(form: Format, tmp_path: Path) -> None:
    program, option = LINKERS[form]
    if not have(program, "as"):
        pytest.skip(f"{program} is not here")
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    names = sorted({_some_name(rng) for _ in range(300)})
    rng.shuffle(names)
    wanted = rng.sample(names, len(names) // 2)
    data, left = render(form, "/p", [entry(name, at) for at, name in enumerate(wanted)])
    (tmp_path / "order").write_bytes(data)
    assert left == [name for name in wanted if not is_safe(name)]
    output = ["-o", str(tmp_path / "out"), "-e", "0"]
    done = subprocess.run(
        [program, _assemble(tmp_path, names), *output, f"{option}{tmp_path / 'order'}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = read_program((tmp_path / "out").read_bytes())
    assert found
    kept = [name for name in wanted if is_safe(name)]
    assert len(kept) > 50
    placed = [it.name for it in found.functions]
    assert sorted(placed) == sorted(names)
    assert [name for name in placed if name in kept] == kept
    # The ordered functions stand together.
    assert placed.index(kept[-1]) - placed.index(kept[0]) == len(kept) - 1
