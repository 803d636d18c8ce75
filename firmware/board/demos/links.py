# SPDX-License-Identifier: MIT
"""The links of the programs that are built anew: objects in, a root filesystem with them out."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from demos.programs import CC, CROSS, LINKED, MODULES, Linked
from demos.steps import DemoError
from qemu_board.tool import output_of

LINKERS = {
    "gold": ("-fuse-ld=gold", "-Wl,--section-ordering-file={}"),
    "ld": ("-fuse-ld=bfd", "-Wl,-T,{}"),
}
"""The options of a linker: the one that chooses it, and the one for an order."""


@dataclass(frozen=True, slots=True)
class Links:
    """The folder of all objects, and the linker's name."""

    objects: Path
    linker: str

    def into(self, tree: Path, orders: Path | None = None, *, strip: bool = True) -> None:
        """Link all programs into a root filesystem, which has other builds of them. `orders` is a
        folder that `tinyprof order` wrote. Raises DemoError with the linker's words, and
        BoardError with those of strip."""
        for it in LINKED:
            objects = sorted((self.objects / it.objects).glob("*.o"))
            order = orders and orders / f"{it.path}.{self.linker}"
            self._link(it, objects, tree, order if order and order.exists() else None)
            if strip:
                _strip(tree / it.path)
        for name in MODULES:
            module = tree / "usr/lib/lighttpd" / name
            shutil.copy(self.objects / "modules" / name, module)
            _strip(module)

    def _link(self, it: Linked, objects: Sequence[Path], tree: Path, order: Path | None) -> None:
        choose, ordering = LINKERS[self.linker]
        words = [CC, choose, *map(str, objects), "-o", str(tree / it.path)]
        words += [word.format(root=tree) for word in it.words]
        words += [ordering.format(order)] if order else []
        (tree / it.path).unlink(missing_ok=True)
        run = subprocess.run(words, capture_output=True, text=True, check=False)
        if run.returncode:
            raise DemoError(f"cannot link {it.path}: {run.stderr.strip()[-400:]}")
        print(f"linked {it.path}{f' by {order.name}' if order else ''}", flush=True)


def _strip(program: Path) -> None:
    output_of([f"{CROSS}strip", program], f"cannot strip {program.name}")


def aligned(objects: Path, into: Path, tinyprof: str) -> Path:
    """A copy of the objects in which every function begins a page. Raises DemoError."""
    shutil.copytree(objects, into)
    for folder in sorted({it.objects for it in LINKED}):
        files = sorted(str(path) for path in (into / folder).glob("*.o"))
        print(f"$ tinyprof align {shlex.quote(folder)}/*.o", flush=True)
        run = subprocess.run(
            [tinyprof, "align", "--data", *files], capture_output=True, text=True, check=False
        )
        print(run.stderr.strip(), flush=True)
        # Some objects hold data alone, which tinyprof tells.
        if run.returncode not in (0, 3):
            raise DemoError(f"tinyprof align ended with exit code {run.returncode}")
    return into
