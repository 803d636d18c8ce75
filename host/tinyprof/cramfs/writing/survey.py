# SPDX-License-Identifier: MIT
"""Surveys a tree: its nodes and a plan in, its distinct contents and their pages in place out.

Two files share one content, and so one inode number, only if their owner and mode are equal too. A
kernel makes one inode for each number (iget_locked()), and would show the owner and mode of the
first file for both.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from tinyprof.cramfs.format import EntryKind
from tinyprof.cramfs.kernel import KernelModel, judge
from tinyprof.cramfs.programs import head_of
from tinyprof.cramfs.tree import Node
from tinyprof.pages import PAGE_SIZE

Placement = Mapping[str, Collection[int]]
"""The pages to store in place: page indices by absolute path."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A page that the plan wants in place and that is not stored so, with the reason.

    `missing`: the tree has no such page.
    """

    path: str
    page: int
    reason: str
    missing: bool = False


@dataclass(slots=True)
class Content:
    """One distinct content: the node to read it from, and its pages in place.

    `keys` has the digest of each page. It is empty where the survey did not read the content.
    """

    node: Node
    in_place: set[int] = field(default_factory=set)
    keys: list[bytes] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Survey:
    """The distinct contents in the order of the walk, the content of each path, and the pages
    refused."""

    contents: list[Content]
    of_path: dict[str, Content]
    refused: tuple[Refusal, ...]

    def page_counts(self) -> Counter[bytes]:
        """The number of times that each page occurs among the pages that are not in place."""
        counts: Counter[bytes] = Counter()
        for content in self.contents:
            if content.in_place:
                counts.update(
                    key for index, key in enumerate(content.keys) if index not in content.in_place
                )
            else:
                counts.update(content.keys)
        return counts


def keys_in(node: Node) -> list[bytes]:
    """The keys of a node's pages, by reading them."""
    return page_keys(node.chunks())


def survey(
    nodes: Iterable[Node],
    plan: Placement,
    kernel: KernelModel,
    *,
    keyed: bool,
    keys_of: Callable[[Node], list[bytes]] = keys_in,
    riscv_code: bool = False,
) -> Survey:
    """Find the distinct contents. Raises TreeError for a file that cannot be read or has changed.

    With `keyed`, every page is read and gets its digest. Without, only files that may be equal to
    another are read. `keys_of` may know the keys of a file that was read before.
    """
    stored = [node for node in nodes if node.has_content]
    twins = Counter(_likeness(node) for node in stored)
    distinct: dict[object, Content] = {}
    of_path: dict[str, Content] = {}
    refused: list[Refusal] = []
    for node in stored:
        content = Content(node)
        identity: object = node.path
        if keyed or twins[_likeness(node)] > 1:
            content.keys = keys_of(node)
            identity = (_likeness(node), b"".join(content.keys))
        content = of_path[node.path] = distinct.setdefault(identity, content)
        wanted = plan.get(node.path)
        if wanted and node.kind is EntryKind.FILE:
            head = head_of(node)
            verdict = judge(kernel, head, node.size, wanted, riscv_code=riscv_code)
            content.in_place |= verdict.in_place
            refused += (
                Refusal(node.path, page, reason, not 0 <= page < node.pages)
                for page, reason in sorted(verdict.refused.items())
            )
    refused += _of_no_file(plan, {node.path: node for node in stored})
    return Survey(list(distinct.values()), of_path, tuple(refused))


def _likeness(node: Node) -> tuple[int, int, int, int]:
    """The properties that two nodes must have in common to share a content."""
    return node.size, node.mode, node.uid, node.gid


def page_keys(chunks: Iterable[bytes]) -> list[bytes]:
    """The keys of the pages of a content, which comes in pieces of whole pages."""
    return [
        page_key(chunk[at : at + PAGE_SIZE])
        for chunk in chunks
        for at in range(0, len(chunk), PAGE_SIZE)
    ]


def page_key(page: bytes) -> bytes:
    """The SHA-256 of a page, as long as the file has it."""
    return hashlib.sha256(page).digest()


def _of_no_file(plan: Placement, stored: Mapping[str, Node]) -> Iterable[Refusal]:
    for path in sorted(plan):
        node = stored.get(path)
        if node is None or node.kind is not EntryKind.FILE:
            for page in sorted(plan[path]):
                yield Refusal(path, page, "no such file", missing=True)
