# SPDX-License-Identifier: MIT
"""The view on a recording of files that are in no image."""

from __future__ import annotations

from pathlib import Path

from textual.pilot import Pilot

from support.stock_target import StockTarget
from tinyprof.cramfs.tree import Tree
from tinyprof.live.playback import FinishedCapture
from tinyprof.pages import Kind
from tinyprof.rootfs.contents import contents_of_tree
from tinyprof.rootfs.indexing import index_tree
from tinyprof.tui.app import LiveApp
from tinyprof.tui.top.header import StatusHeader
from unit.tui.conftest import Told, all_news, write
from unit.tui.driving import drive


def test_the_header_names_the_source_and_the_files_have_their_names(
    tmp_path: Path, rootfs: Path
) -> None:
    size = (rootfs / "lib/libc.so").stat().st_size
    target = StockTarget({"/lib/libc.so": size}, [[("/lib/libc.so", 7, Kind.EXEC)]])
    tree = index_tree(Tree.from_directory(rootfs), len)
    capture = target.write(tmp_path / "stock.tpcap", tree)
    news = all_news(FinishedCapture([capture]))[-1]
    app = LiveApp(Told([news], capture), write, contents=contents_of_tree(rootfs))

    async def act(pilot: Pilot[None]) -> None:
        await pilot.pause()
        header = app.query_one(StatusHeader).render_line(0).text
        assert "by page-fault events" in header
        assert "00000000" not in header

    drive(app, act)
    assert any("recorded by page-fault events; read() is not seen" in line for line in news.log)
    assert [row.path for row in news.snapshot.rows] == ["/lib/libc.so"]
    assert news.snapshot.counts[0] == 1
