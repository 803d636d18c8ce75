# SPDX-License-Identifier: MIT
"""The functions that a recording link finds against those that the processor executed, and the
bytes that are executed of each used page.

    .venv/bin/python tests/bench/ordering_witness.py build/demo-order

FOLDER is what `make demo-order` left. A plugin of QEMU tells the bytes that are executed, with the
programs in place.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "firmware/board")]

from demos.programs import LINKED  # noqa: E402
from target.booting import RECORD_FROM_THE_START  # noqa: E402
from target.witness import SOURCE, build_witness, watched  # noqa: E402
from tinyprof.cramfs.format import EntryKind  # noqa: E402
from tinyprof.cramfs.reading.reader import Image, read_image  # noqa: E402
from tinyprof.cramfs.tree import Tree  # noqa: E402
from tinyprof.cramfs.writing.writer import WriteOptions, write_image  # noqa: E402
from tinyprof.pages import PAGE_SIZE  # noqa: E402
from tinyprof.plan.ordering.decide import decide  # noqa: E402
from tinyprof.plan.ordering.program import read_program  # noqa: E402
from tinyprof.profile.tprof import load_profile  # noqa: E402

CELLS = 32
"""Characters of the picture of a page, each of 128 bytes."""

PICTURES = 6
"""Pages that are drawn of each program."""


def executed_of(folder: Path, tree: Tree, words: tuple[str, ...]) -> dict[str, bytearray]:
    """A flag for each byte of each program that was linked: it was executed. All others stay
    compressed, or the recording links would not fit into the flash."""
    linked = {f"/{it.path}" for it in LINKED}
    in_place = {node.path: range(node.pages) for node in tree.files() if node.path in linked}
    image = write_image(tree, in_place, WriteOptions()).image
    (folder / "image").write_bytes(image)
    witness = build_witness(folder / "witness", SOURCE.with_name("executed.c"))
    flags = bytearray(len(image))
    for line in watched(witness, folder / "image", *words).splitlines():
        at, size = map(int, line.split())
        flags[at : at + size] = b"\1" * size
    return dict(_by_file(read_image(image), flags))


def _by_file(image: Image, flags: bytearray) -> Iterator[tuple[str, bytearray]]:
    """Pages of the same bytes, as those of functions that only return, are one in the image. Of
    these nobody knows which was executed, so none was."""
    files = [entry for entry in image.entries if entry.kind is EntryKind.FILE]
    offsets = Counter(block.offset for it in files for block in image.blocks(it) if block.in_place)
    for entry in files:
        if any(block.in_place for block in image.blocks(entry)):
            found = bytearray()
            for block in image.blocks(entry):
                alone = offsets[block.offset] == 1
                known = flags[block.offset : block.offset + PAGE_SIZE]
                found += known if alone else bytes(PAGE_SIZE)
            yield entry.path, found[: entry.size]


def check_functions(folder: Path, name: str, executed: dict[str, bytearray]) -> None:
    """Print recall and precision of the functions that the recording found, by program."""
    profile = load_profile((folder / f"{name}.tprof").read_text())
    for it in LINKED:
        path = f"/{it.path}"
        program = read_program((folder / name / it.path).read_bytes())
        file = next(file for file in profile.files if file.path == path)
        assert program
        flags = executed[path]
        code = {(it.offset, it.size): it.name for it in program.functions if it.code}
        ran = {place for place in code if any(flags[place[0] : place[0] + place[1]])}
        decision = decide(program, file.pages, profile.steady_of(file))
        judged = [it for it in decision.judgements if it.function.code]
        found = {(it.function.offset, it.function.size) for it in judged if it.sure}
        perhaps = {(it.function.offset, it.function.size) for it in judged} - found
        seen = {place for place in ran if place[0] // PAGE_SIZE in file.pages}
        print(
            f"{path}: executed {len(ran)}, found {len(ran & found)}, ambiguous "
            f"{len(ran & perhaps)}, on pages that the recording does not hold {len(ran - seen)}; "
            f"recall {len(ran & (found | perhaps)) / len(ran):.1%}, too many {len(found - ran)}, "
            f"precision {len(ran & found) / max(1, len(found)):.1%}"
        )
        for kind, places in (
            ("ambiguous", ran & perhaps),
            ("not recorded", ran - seen),
            ("too many", found - ran),
        ):
            print(f"  {kind}: {sorted(code[place] for place in places)}")


def show_pages(executed: dict[str, bytearray]) -> None:
    """Print the share of executed bytes of the programs' executed pages, and a picture of some."""
    total = ran = 0
    for it in LINKED:
        flags = executed[f"/{it.path}"]
        pages = [flags[at : at + PAGE_SIZE] for at in range(0, len(flags), PAGE_SIZE)]
        used = [page for page in pages if any(page)]
        total, ran = total + PAGE_SIZE * len(used), ran + sum(map(sum, used))
        print(f"/{it.path}: {len(used)} executed pages")
        for page in used[:: max(1, len(used) // PICTURES)][:PICTURES]:
            size = PAGE_SIZE // CELLS
            cells = (sum(page[at : at + size]) for at in range(0, PAGE_SIZE, size))
            print("  " + "".join(" ░▒▓█"[-(-4 * cell // size)] for cell in cells))
    print(f"of the bytes of executed pages {ran / total:.1%} are executed")


def main() -> None:
    folder = Path(sys.argv[1])
    words = ("--append", RECORD_FROM_THE_START)
    for name in ("recording", "ordinary", "ordered"):
        print(f"{name}:")
        tree = Tree.from_directory(folder / name, squash=True)
        with tempfile.TemporaryDirectory() as made:
            executed = executed_of(Path(made), tree, words)
        if name == "recording":
            check_functions(folder, name, executed)
        else:
            show_pages(executed)


if __name__ == "__main__":
    main()
