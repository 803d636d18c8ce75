# SPDX-License-Identifier: MIT
"""Explains an image: a tree and the result of writing it in, an explanation of each file out."""

from __future__ import annotations

from dataclasses import dataclass

from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.writer import Written


@dataclass(frozen=True, slots=True)
class Explanation:
    """One file that has pages in place, by the plan or by an equal file, or pages refused.

    `pages` counts the file's pages. `refused` has the pages left out by reason. `unplanned` counts
    the pages that the plan does not name.
    """

    path: str
    pages: int
    in_place: tuple[int, ...]
    refused: tuple[tuple[str, tuple[int, ...]], ...]
    unplanned: int


def explain(tree: Tree, written: Written) -> list[Explanation]:
    """An explanation for each file that has pages in place or pages refused, in the order of the
    walk."""
    by_path: dict[str, dict[str, list[int]]] = {}
    for refusal in written.refused:
        by_path.setdefault(refusal.path, {}).setdefault(refusal.reason, []).append(refusal.page)
    explanations: list[Explanation] = []
    for node in tree.files():
        in_place = tuple(sorted(written.in_place.get(node.path, ())))
        refused = by_path.pop(node.path, {})
        if in_place or refused:
            known = set(in_place).union(*refused.values())
            reasons = tuple((reason, tuple(pages)) for reason, pages in refused.items())
            unplanned = sum(page not in known for page in range(node.pages))
            explanations.append(Explanation(node.path, node.pages, in_place, reasons, unplanned))
    for path, refused in by_path.items():
        reasons = tuple((reason, tuple(pages)) for reason, pages in refused.items())
        explanations.append(Explanation(path, 0, (), reasons, 0))
    return explanations
