# SPDX-License-Identifier: MIT
"""tinyprof order and align, typed as a user types them, on programs that are really linked."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from support.commands import tinyprof_text
from support.dense_program import (
    ARM,
    SECTIONS,
    Source,
    compile_source,
    functions_of,
    have,
    link,
    make_source,
    pages_with,
    played_profile,
)
from tinyprof.cli import cli
from tinyprof.cli.commands import plan
from tinyprof.profile.model import NamedRange
from tinyprof.rootfs.landmarks import read_symbols

pytestmark = pytest.mark.skipif(not have("gcc", "objcopy", "strip"), reason="needs gcc")
SOURCE = make_source(7, functions=240)
USED = {*SOURCE.steady, *SOURCE.start, "mix"}
PATH = "/usr/bin/dense"
LINKERS = {
    "lld": ("lld", "-Wl,--symbol-ordering-file="),
    "gold": ("gold", "-Wl,--section-ordering-file="),
    "ld": ("bfd", "-Wl,-T,"),
}


def tinyprof(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return tinyprof_text(*words)


class Bench:
    """A program and its recording link, each in a tree of its own with a played profile."""

    def __init__(self, folder: Path, compiler: str = "gcc") -> None:
        self.folder, self.compiler = folder, compiler
        self.objects = compile_source(folder / "o", SOURCE, compiler)
        self.plain = self.tree("plain", self.objects)
        self.aligned = self.tree("aligned", self.for_recording())

    def for_recording(self) -> list[Path]:
        """The objects whose functions begin pages. GNU as for ARM has no such alignment."""
        if self.compiler == "gcc":
            flags = (*SECTIONS, "-falign-functions=4096")
            return compile_source(self.folder / "a", SOURCE, self.compiler, flags)
        assert tinyprof("align", *self.objects, "-o", self.folder / "a").returncode == 0
        return [self.folder / "a" / path.name for path in self.objects]

    def tree(self, name: str, objects: list[Path]) -> Path:
        program = self.folder / name / PATH[1:]
        program.parent.mkdir(parents=True)
        link(objects, program, compiler=self.compiler)
        self.profile(name, played_profile(program, PATH, SOURCE))
        return program

    def profile(self, name: str, fields: dict[str, Any]) -> Path:
        path = self.folder / f"{name}.tprof"
        path.write_text(json.dumps(fields))
        return path

    def order(self, name: str, form: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
        folder = self.folder
        options = [f"--rootfs={folder / name}", f"-o{folder / 'order'}", f"--format={form}"]
        return tinyprof("order", folder / f"{name}.tprof", *options, *words)

    def file(self, form: str) -> Path:
        return self.folder / f"order{PATH}.{form}"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("bench"))


def output_of(program: Path, *words: str) -> bytes:
    return subprocess.run([*words, program], capture_output=True, check=True).stdout


def names_of(program: Path) -> list[tuple[str, int]]:
    return sorted((it.name, it.size) for it in functions_of(program) if it.code)


def check_ordered(bench: Bench, form: str, emulator: tuple[str, ...] = ()) -> None:
    """The ordered program does the same with the same functions, and its used ones lie dense."""
    linker, option = LINKERS[form]
    done = bench.order("aligned", form)
    assert done.returncode == 0, done.stderr
    assert "recording link" in done.stdout
    made = link(
        bench.objects,
        bench.folder / f"ordered-{form}",
        f"-fuse-ld={linker}",
        f"{option}{bench.file(form)}",
        compiler=bench.compiler,
    )
    assert output_of(made, *emulator) == output_of(bench.plain, *emulator)
    plain = link(
        bench.objects,
        bench.folder / f"plain-{form}",
        f"-fuse-ld={linker}",
        compiler=bench.compiler,
    )
    assert names_of(made) == names_of(plain)
    size = sum({it.offset: it.size for it in functions_of(made) if it.name in USED}.values())
    before, after = pages_with(plain, USED), pages_with(made, USED)
    # They lie side by side: no page more than their bytes need, and one for where they begin.
    assert len(after) <= size // 4096 + 3
    assert len(after) <= 0.65 * len(before)


@pytest.mark.parametrize("form", LINKERS)
def test_an_ordered_program_runs_the_same_on_fewer_pages(bench: Bench, form: str) -> None:
    if not have(f"ld.{LINKERS[form][0]}"):
        pytest.skip("this linker is not here")
    check_ordered(bench, form)


@pytest.mark.parametrize("form", LINKERS)
@pytest.mark.parametrize("compiler", ["gcc", "clang-14"])
def test_an_ordered_library_is_dense_too(tmp_path: Path, compiler: str, form: str) -> None:
    linker, option = LINKERS[form]
    if not have(f"ld.{linker}", compiler):
        pytest.skip("this compiler or this linker is not here")
    flags = ("-O1", "-ffunction-sections", "-fno-inline", "-fPIC")
    objects = compile_source(tmp_path / "o", SOURCE, compiler, flags)
    library = tmp_path / "tree/usr/lib/libdense.so"
    library.parent.mkdir(parents=True)
    assert tinyprof("align", *objects, "-o", tmp_path / "a").returncode == 0
    link(sorted((tmp_path / "a").glob("*.o")), library, "-shared", compiler=compiler)
    profile = tmp_path / "it.tprof"
    profile.write_text(json.dumps(played_profile(library, "/usr/lib/libdense.so", SOURCE)))
    words = [f"--rootfs={tmp_path / 'tree'}", f"-o{tmp_path / 'order'}", f"--format={form}"]
    done = tinyprof("order", profile, *words)
    assert done.returncode == 0, done.stderr
    flag = f"{option}{tmp_path / 'order/usr/lib/libdense.so'}.{form}"
    plain, made = (
        link(objects, tmp_path / name, "-shared", f"-fuse-ld={linker}", *more, compiler=compiler)
        for name, more in (("plain", ()), ("made", (flag,)))
    )
    assert names_of(made) == names_of(plain)
    assert len(pages_with(made, USED)) <= 0.65 * len(pages_with(plain, USED))


PLUS = """
#include <cstdio>
#include <map>
#include <stdexcept>
#include <string>
namespace {
template <int N> __attribute__((noinline)) unsigned step(unsigned x)
{
  if (x == 12345 + N)
    throw std::runtime_error("never");
  return (x << N % 31) * 31 + N;
}
__attribute__((noinline)) unsigned scaled(unsigned x, unsigned by) { return x * by ^ x >> 3; }
template <int N> unsigned all(unsigned x) { return all<N - 1>(step<N>(x)); }
template <> unsigned all<0>(unsigned x) { return scaled(x, 7); }
}
int main()
{
  std::map<std::string, unsigned> seen;
  for (int i = 0; i < 3; i++)
    seen["x"] += all<40>(unsigned(i));
  std::printf("%u\\n", seen["x"]);
  try { step<3>(12348); } catch (const std::exception &e) { std::puts(e.what()); }
}
"""


@pytest.mark.skipif(not have("g++"), reason="needs g++")
@pytest.mark.parametrize("form", LINKERS)
def test_names_of_cpp_and_of_clones_find_their_sections(tmp_path: Path, form: str) -> None:
    linker, option = LINKERS[form]
    if not have(f"ld.{linker}"):
        pytest.skip("this linker is not here")
    source = Source({"plus.cc": PLUS}, ("main",), ())
    objects = compile_source(tmp_path / "o", source, "g++", ("-O2", "-ffunction-sections"))
    program = tmp_path / "tree/plus"
    program.parent.mkdir()
    assert tinyprof("align", *objects, "-o", tmp_path / "a").returncode == 0
    link(sorted((tmp_path / "a").glob("*.o")), program, compiler="g++")
    names = [it.name for it in functions_of(program) if it.code]
    own = {name for name in names if "step" in name or "scaled" in name}
    assert any(".cold" in name for name in own)
    ran = {name for name in own if ".cold" not in name}
    assert len(ran) >= 41
    profile = tmp_path / "it.tprof"
    profile.write_text(json.dumps(played_profile(program, "/plus", source, sorted(ran))))
    words = [f"--rootfs={tmp_path / 'tree'}", f"-o{tmp_path / 'order'}", f"--format={form}"]
    done = tinyprof("order", profile, *words)
    assert done.returncode == 0, done.stderr
    flags = (f"-fuse-ld={linker}", f"{option}{tmp_path / 'order/plus'}.{form}")
    made = link(objects, tmp_path / "made", *flags, compiler="g++")
    assert output_of(made) == output_of(program)
    places = sorted((it.offset, it.name) for it in functions_of(made) if it.code)
    at = [number for number, (_, name) in enumerate(places) if name in ran]
    between = {name for _, name in places[at[0] : at[-1] + 1]}
    # The start-up files share a page with main, so that some of their functions may be there too.
    assert {name for name in between if "cold" in name} == set()
    assert len(between) <= len(ran) + 8


@pytest.mark.parametrize("form", LINKERS)
def test_an_ordered_program_can_be_split(bench: Bench, form: str) -> None:
    linker, option = LINKERS[form]
    if not have(f"ld.{linker}"):
        pytest.skip("this linker is not here")
    assert bench.order("aligned", form).returncode == 0
    words = (f"-fuse-ld={linker}", f"{option}{bench.file(form)}")
    made = link(bench.objects, bench.folder / f"whole-{form}", *words)
    pages = sorted(pages_with(made, USED))
    split = bench.folder / f"split-{form}"
    # GNU ld puts the used functions first, where a stock kernel maps them without any split.
    runs = f"{pages[1]}-{pages[-1]}"
    done = tinyprof("split", made, "-o", split, "--runs", runs)
    assert done.returncode == 0, done.stderr
    assert tinyprof("split", split, "--check").returncode == 0
    split.chmod(0o755)
    assert output_of(split) == output_of(bench.plain)


@pytest.mark.skipif(not have(ARM, "qemu-arm"), reason="needs a compiler and an emulator for ARM")
@pytest.mark.parametrize("form", ["gold", "ld"])
def test_an_ordered_program_for_arm_runs_the_same_on_fewer_pages(
    tmp_path: Path, form: str
) -> None:
    if not have(f"arm-linux-gnueabihf-ld.{LINKERS[form][0]}"):
        pytest.skip("this linker is not here")
    check_ordered(Bench(tmp_path, ARM), form, ("qemu-arm", "-L", "/usr/arm-linux-gnueabihf"))


def test_the_recording_link_tells_every_used_function_and_no_other(bench: Bench) -> None:
    assert bench.order("aligned", "names", "--json").returncode == 0
    lines = bench.file("names").read_text().splitlines()
    found = {line for line in lines if not line.startswith("#")}
    assert found >= USED
    # _start runs too. The start-up files share pages, so their functions are candidates.
    assert {name for name in found if name.startswith("step_")} == USED - {"main", "mix"}
    assert lines.index("# class hot") < lines.index(SOURCE.steady[-1])
    assert lines.index("# class once") < lines.index(SOURCE.start[0])


def test_an_ordinary_profile_gives_candidates_and_says_how_sure_it_is(bench: Bench) -> None:
    done = bench.order("plain", "names")
    assert done.returncode == 0
    assert "ordinary link" in done.stdout
    assert "ambiguous" in done.stdout
    assert "sure of" in done.stdout
    assert set(bench.file("names").read_text().splitlines()) >= USED


def test_candidates_alone_are_aligned_for_the_next_recording(bench: Bench, tmp_path: Path) -> None:
    assert bench.order("plain", "names").returncode == 0
    words = [f"--only={bench.file('names')}", f"-o{tmp_path / 'o'}"]
    done = tinyprof("align", *bench.objects, *words)
    assert done.returncode == 0, done.stderr
    program = bench.tree(f"second-{tmp_path.name}", sorted((tmp_path / "o").glob("*.o")))
    assert output_of(program) == output_of(bench.plain)
    fields = json.loads(bench.order(f"second-{tmp_path.name}", "names", "--json").stdout)
    (it,) = fields["programs"]
    assert it["recording_link"]
    assert it["used"] >= len(USED)
    found = set(bench.file("names").read_text().splitlines())
    assert {name for name in found if name.startswith("step_")} == USED - {"main", "mix"}


def test_an_order_stays_as_it_is_when_nothing_has_changed(bench: Bench) -> None:
    for _ in range(2):
        assert bench.order("aligned", "gold").returncode == 0
        before = bench.file("gold").read_bytes()
    lines = before.split(b"\n")
    # A line that somebody moved stays where it was moved.
    moved = [*lines[:2], *reversed(lines[2:10]), *lines[10:]]
    bench.file("gold").write_bytes(b"\n".join(moved))
    assert bench.order("aligned", "gold").returncode == 0
    assert bench.file("gold").read_bytes() != before
    bench.file("gold").unlink()
    assert bench.order("aligned", "gold").returncode == 0
    assert bench.file("gold").read_bytes() == before


def test_the_recording_serves_the_program_that_is_shipped(bench: Bench, tmp_path: Path) -> None:
    kept = tmp_path / "kept.tprof"
    tree = bench.folder / "aligned"
    done = tinyprof("profile", bench.folder / "aligned.tprof", "--symbols", tree, "-o", kept)
    assert done.returncode == 0, done.stderr
    words: list[str | Path] = [
        "--rootfs",
        bench.folder / "plain",
        "-o",
        tmp_path / "o",
        "--format",
        "names",
    ]
    done = tinyprof("order", kept, *words, "--max-stale", "1")
    assert done.returncode == 0, done.stderr
    assert "carried over" in done.stdout
    found = set((tmp_path / f"o{PATH}.names").read_text().splitlines())
    assert {name for name in found if name.startswith("step_")} == USED - {"main", "mix"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--program", "/bin/none"], "/bin/none: no file of this profile"),
        (["--map", "none.map"], "none.map: 0 profiled programs have the name none"),
    ],
)
def test_a_mistake_is_one_line(
    bench: Bench, tmp_path: Path, words: list[str], message: str
) -> None:
    (tmp_path / "none.map").write_text("")
    words = [str(tmp_path / word) if word.endswith(".map") else word for word in words]
    done = bench.order("aligned", "gold", *words)
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_debug_file_of_another_build_is_told_and_not_used(bench: Bench, tmp_path: Path) -> None:
    debug = tmp_path / f"{PATH[1:]}.debug"
    debug.parent.mkdir(parents=True)
    words = ["objcopy", "--only-keep-debug", str(bench.plain), str(debug)]
    subprocess.run(words, check=True)
    done = bench.order("aligned", "gold", "--debug", tmp_path)
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert f"{PATH}: its debug file is of another build: build id" in done.stderr
    assert bench.order("plain", "gold", "--debug", tmp_path).returncode == 0


def test_a_stripped_program_asks_for_names_and_a_map_or_debug_file_gives_them(
    bench: Bench, tmp_path: Path
) -> None:
    program = tmp_path / "tree" / PATH[1:]
    program.parent.mkdir(parents=True)
    link(bench.objects, program, f"-Wl,-Map={tmp_path / 'dense.map'}")
    profile = played_profile(program, PATH, SOURCE)
    debug = tmp_path / f"debug{PATH}.debug"
    debug.parent.mkdir(parents=True)
    subprocess.run(["objcopy", "--only-keep-debug", program, debug], check=True)
    subprocess.run(["strip", program], check=True)
    bare = played_profile(program, PATH, SOURCE)["files"][0]
    profile["files"][0] |= {name: bare[name] for name in ("size", "sha256")}
    profile["files"][0]["pages"] = [
        row for row in profile["files"][0]["pages"] if row[0] * 4096 < bare["size"]
    ]
    (tmp_path / "it.tprof").write_text(json.dumps(profile))
    words: list[str | Path] = ["order", tmp_path / "it.tprof", "--rootfs", tmp_path / "tree"]
    words += ["-o", tmp_path / "o", "--format", "gold"]
    done = tinyprof(*words)
    assert done.returncode == 3
    assert f"{PATH}: no symbols; give its debug file" in done.stderr
    assert tinyprof(*words, "--debug", tmp_path / "debug").returncode == 0
    by_debug = (tmp_path / f"o{PATH}.gold").read_text()
    (tmp_path / f"o{PATH}.gold").unlink()
    assert tinyprof(*words, "--map", tmp_path / "dense.map").returncode == 0
    by_map = (tmp_path / f"o{PATH}.gold").read_text()
    wanted = {line for line in by_debug.splitlines() if line.startswith(".text.step_")}
    assert wanted == {line for line in by_map.splitlines() if line.startswith(".text.step_")}


def test_a_profile_of_another_tree_is_told(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    profile = bench.folder / "aligned.tprof"
    words: list[str | Path] = [
        "--rootfs",
        tmp_path / "empty",
        "-o",
        tmp_path / "o",
        "--format",
        "gold",
    ]
    done = tinyprof("order", profile, *words)
    assert (done.returncode, done.stdout) == (3, "")
    assert f"{PATH}: not there any more" in done.stderr
    assert tinyprof("order", profile, *words, "--max-stale", "20%").returncode == 1


def test_an_order_is_not_written_into_the_tree(bench: Bench) -> None:
    tree = bench.folder / "aligned"
    words: list[str | Path] = ["--rootfs", tree, "-o", tree / "order", "--format", "gold"]
    done = tinyprof("order", bench.folder / "aligned.tprof", *words)
    assert done.returncode == 1
    assert "would be packed into it" in done.stderr


def test_a_recording_link_that_cramfs_cannot_hold_is_told_in_advance(
    bench: Bench, tmp_path: Path
) -> None:
    many = tmp_path / "many.s"
    many.write_text(
        "".join(f'.section .text.f{at},"ax",%progbits\n.zero 40\n' for at in range(4200))
    )
    subprocess.run(["as", many, "-o", tmp_path / "many.o"], check=True)
    done = tinyprof("align", tmp_path / "many.o")
    assert done.returncode == 3
    assert "4200 sections of 1 object begin pages: 17,203,200 bytes" in done.stderr
    assert "larger than CramFS's 16,777,215 bytes" in done.stderr


def test_a_report_ranks_programs_by_the_pages_that_could_be_had(
    bench: Bench, tmp_path: Path
) -> None:
    kept = tmp_path / "kept.tprof"
    profile = bench.folder / "plain.tprof"
    assert "linker order" not in tinyprof("report", profile).stdout
    tinyprof("profile", profile, "--symbols", bench.folder / "plain", "-o", kept)
    said = tinyprof("report", kept)
    (row,) = json.loads(tinyprof("report", kept, "--json").stdout)["orders"]
    assert row["path"] == PATH
    assert row["used"] == len(json.loads(profile.read_text())["files"][0]["pages"])
    assert row["saved_most"] == row["used"] - row["least"]
    # It is a bound: what the recording link shows can be had is less.
    fields = json.loads(bench.order("aligned", "names", "--json").stdout)["programs"][0]
    assert row["least"] <= fields["pages_ordered"]
    assert f"could save {row['saved_most']} used pages" in said.stdout


def test_align_refuses_what_is_no_object(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    done = tinyprof("align", tmp_path / "a.txt")
    assert done.returncode == 1
    assert "a.txt: no object file and no archive" in done.stderr
    assert (tmp_path / "a.txt").read_text() == "hello"


def planned(tree: Path, profile: Path, *words: str) -> dict[str, Any]:
    run = tinyprof("plan", tree, "-q", "-p", profile, "--kernel", "patched", "--json", *words)
    assert run.returncode == 0, run.stderr
    document: dict[str, Any] = json.loads(run.stdout)
    return document


def test_a_plan_tells_what_an_order_would_save_before_there_is_one(bench: Bench) -> None:
    folder = bench.folder
    orders = json.loads(bench.order("aligned", "ld", "--json").stdout)["programs"]
    left = next(it["pages_ordered"] for it in orders if it["path"] == PATH)
    said = planned(folder / "plain", folder / "plain.tprof", "--ordered", f"{PATH}={left}")
    made = folder / f"whatif{PATH}"
    made.parent.mkdir(parents=True)
    link(bench.objects, made, "-fuse-ld=bfd", f"-Wl,-T,{bench.file('ld')}")
    really = planned(
        folder / "whatif", bench.profile("whatif", played_profile(made, PATH, SOURCE))
    )
    foretold = said["ordered"]["page_cache_before"]
    # The order begins anywhere on a page.
    assert abs(foretold - really["prediction"]["page_cache_before"]) <= 2 * 4096
    assert foretold < 0.65 * said["prediction"]["page_cache_before"]
    assert said["ordered"]["image"] < said["prediction"]["image"]


def test_without_a_number_a_plan_takes_the_fewest_pages_that_symbols_allow(bench: Bench) -> None:
    words = ("plan", bench.folder / "plain", "-q", "-p", bench.folder / "plain.tprof")
    run = tinyprof(*words, "--ordered", PATH)
    assert run.returncode == 0, run.stderr
    said = planned(bench.folder / "plain", bench.folder / "plain.tprof", "--ordered", PATH)
    programs = said["ordered"]["programs"]
    assert f"{programs[0]['left']}  {PATH}" in run.stdout
    assert 0 < programs[0]["left"] < programs[0]["used"]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--ordered", f"{PATH}=many"], 2, "many is no number of pages"),
        (["--ordered", f"{PATH}=0"], 2, "0 is no number of pages"),
        (["--ordered", f"{PATH}="], 2, "nothing is no number of pages"),
        (["--ordered", f"{PATH}=3=x"], 2, "x is no number of pages"),
        (["--ordered", PATH, "--curve"], 2, "exclude one another"),
        (["--ordered", "/nothing"], 1, "no used pages of such a file"),
    ],
)
def test_a_program_that_cannot_be_planned_as_ordered_is_one_line(
    bench: Bench, words: list[str], code: int, told: str
) -> None:
    run = tinyprof(
        "plan", bench.folder / "plain", "-q", "-p", bench.folder / "plain.tprof", *words
    )
    assert run.returncode == code
    assert told in run.stderr


def renamed(bench: Bench, folder: Path, *paths: str) -> Path:
    """A tree with the program at each of these paths, all different, and a profile beside it."""
    files = []
    for number, path in enumerate(paths):
        program = folder / f"tree{path}"
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_bytes(bench.plain.read_bytes() + bytes([number]))
        fields = played_profile(program, path, SOURCE)
        files += fields["files"]
    (folder / "it.tprof").write_text(json.dumps(fields | {"files": files}))
    return folder / "tree"


def test_a_path_may_have_an_equals_sign(bench: Bench, tmp_path: Path) -> None:
    tree = renamed(bench, tmp_path, "/bin/a=b", "/bin/c")
    for word, left in (("/bin/a=b", None), ("/bin/a=b=3", 3), ("/bin/c=4", 4)):
        (program,) = planned(tree, tmp_path / "it.tprof", "--ordered", word)["ordered"]["programs"]
        assert program["path"] == word.removesuffix(f"={left}")
        assert left in (None, program["left"])


@pytest.mark.parametrize(
    ("words", "reads"), [([], 0), (["--ordered", "/bin/a=3"], 0), (["--ordered", "/bin/a"], 1)]
)
def test_a_plan_reads_the_symbols_of_no_other_program(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], reads: int
) -> None:
    read: list[bytes] = []

    def reading(data: bytes) -> tuple[NamedRange, ...]:
        read.append(data)
        return read_symbols(data)

    monkeypatch.setattr(plan, "read_symbols", reading)
    tree = renamed(bench, tmp_path, "/bin/a", "/bin/b")
    words = ["plan", str(tree), "-q", "-p", str(tmp_path / "it.tprof"), "--json", *words]
    run = CliRunner().invoke(cli, words, standalone_mode=False)
    assert run.exception is None
    assert read == [(tree / "bin/a").read_bytes()] * reads


def test_a_stripped_program_needs_a_number_of_pages(tmp_path: Path, bench: Bench) -> None:
    program = tmp_path / f"tree{PATH}"
    program.parent.mkdir(parents=True)
    program.write_bytes(bench.plain.read_bytes())
    profile = tmp_path / "it.tprof"
    profile.write_text(json.dumps(played_profile(program, PATH, SOURCE)))
    subprocess.run(["strip", program], check=True)
    run = tinyprof("plan", tmp_path / "tree", "-q", "-p", profile, "--ordered", PATH)
    assert run.returncode == 1
    assert "no symbols of it are known" in run.stderr
    assert "no used pages" not in run.stderr
