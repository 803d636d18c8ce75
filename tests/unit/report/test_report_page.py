# SPDX-License-Identifier: MIT
"""The report of the recorded boot: what a reader finds on it, in which order, and on paper."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from tinyprof.capture.index import stored_sizes
from tinyprof.capture.reader import CaptureReader
from tinyprof.pages import PAGE_SIZE
from tinyprof.plan.what_if import Step, WhatIf, what_if
from tinyprof.profile.model import FileUse, NamedRange
from tinyprof.profile.resolve import make_profile
from tinyprof.record.sim import RECORDED
from tinyprof.report.html.files import FIGURES, count_of_large
from tinyprof.report.html.functions import functions_by_worth
from tinyprof.report.html.headline import headline
from tinyprof.report.html.page import Programs, html_report
from tinyprof.report.html.timeline import columns
from tinyprof.report.origin import Origin, Recorded
from tinyprof.rootfs.elf_names import Names
from tinyprof.tables.rows import file_rows
from tinyprof.tables.verdict import base_of, cost_words, saved_words

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
in_browser = pytest.mark.skipif(not BROWSER, reason="chromium is not installed")
AXE = Path.home() / ".cache/tinyprof/axe/axe.min.js"
"""From the package axe-core of npm. Nothing fetches it for a test."""

with RECORDED.open("rb") as _file:
    _READER = CaptureReader(_file)
    PROFILE = make_profile([_READER])
    assert _READER.index
    INDEX = _READER.index
STORED = stored_sizes(INDEX)


def names_of(use: FileUse) -> Names:
    """A function for each page, and two names for the first."""
    named = tuple(NamedRange(f"work_{page}", page * PAGE_SIZE, 4000) for page in sorted(use.pages))
    first = named[0]
    return Names((), (first, replace(first, name=f"also_{first.name}"), *named[1:]), True)


def report(origin: Origin | None = None) -> str:
    programs = Programs(names_of, lambda use: b"no program")
    origin = origin or Origin(
        (Recorded("boot.tpcap", 1_700_000_000, "/dev/ttyACM0", "0.1.0"),),
        "plain.cramfs",
        INDEX.size,
        "9.8.7",
        "tinyprof report boot.tpcap --html boot.html",
    )
    return html_report(PROFILE, STORED, programs=programs, origin=origin)


def text_of(page: str) -> str:
    page = re.sub(r"<(script|style)[^>]*>.*?</\1>", "", page, flags=re.S)
    return " ".join(unescape(re.sub("<[^>]*>", " ", page)).split())


def browse(page: Path, *words: str) -> str:
    command = [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu"]
    command.append(f"--user-data-dir={page.with_suffix('.profile')}")
    done = subprocess.run(
        [*command, *words, page.as_uri()], check=True, capture_output=True, text=True, timeout=120
    )
    return done.stdout


def scripted(page: str, *scripts: str) -> str:
    """The page with scripts of a test, which its own policy would refuse."""
    page = re.sub('<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    harmless = (it.replace("</script", "<\\/script") for it in scripts)
    added = "".join(f"<script>{it}</script>" for it in harmless)
    return page.replace("</body>", f"{added}</body>")


def test_the_saving_and_the_cost_come_before_all_else_as_the_live_view_reckons_them() -> None:
    text = text_of(report())
    most = what_if(PROFILE, STORED).everything
    base = base_of(file_rows(PROFILE, STORED), INDEX.size)
    saved, cost = saved_words(most, base), cost_words(most, base, exact=True)
    size, share = saved.split(", ")
    assert f"RAM, steady state · patched kernel −{size} −{share} before" in text
    assert "flash · patched kernel +" in text
    assert f"takes {saved} less RAM, for {cost} more flash" in text
    assert text.index("RAM, steady state") < text.index("Nothing was lost")
    assert text.index("Nothing was lost") < text.index("Flash against RAM") < text.index("Files")


def test_the_advice_tells_the_saving_of_a_mainline_kernel_where_all_files_are_at_hand() -> None:
    size = INDEX.size
    curves = {"patched": WhatIf([Step(9000, 8192, "/a", (0, 1), 2, 0)])}
    rows, base = file_rows(PROFILE, STORED), base_of(file_rows(PROFILE, STORED), size)

    def told(mainline: WhatIf) -> str:
        return text_of(
            "".join(
                headline(PROFILE, rows, [{}] * len(rows), base, {**curves, "mainline": mainline})
            )
        )

    known = WhatIf([Step(2048, 4096, "/a", (0,), 1, 0)])
    assert "On a mainline kernel: 4 KiB less RAM for 2 KiB more flash." in told(known)
    assert "On a mainline kernel no page pays." in told(WhatIf([]))
    assert "mainline" not in told(WhatIf([], unknown=1))
    parts = headline(PROFILE, rows, [{}] * len(rows), base, curves)
    assert "mainline" not in text_of("".join(parts))


def test_the_first_screen_names_the_files_that_hold_most_of_the_saving() -> None:
    page, text = report(), text_of(report())
    rows = sorted(file_rows(PROFILE, STORED), key=lambda row: -row.saves)
    found = re.search(r"(\d) files? of (\d+) holds? (\d+) % of the saving: (.*?) All files", text)
    assert found
    number, whole = int(found[1]), sum(row.saves for row in rows)
    share = sum(row.saves for row in rows[:number]) / whole
    assert number <= 5
    assert (int(found[2]), int(found[3])) == (len(rows), round(100 * share))
    assert number == 5 or share >= 2 / 3 > share - rows[number - 1].saves / whole
    for row in rows[:number]:
        assert f"{row.path.rpartition('/')[2]} {row.saves / 1024:,.0f} KiB" in found[4]
    assert '<a href="#files-head">All files</a>' in page
    assert '<h2 id="files-head">' in page
    assert text.index("All files") < text.index("Nothing was lost")
    assert page.index('id="files-head"') < page.index("Boots, phases and losses")


def test_long_names_on_the_first_screen_are_cut_and_escaped() -> None:
    row = max(file_rows(PROFILE, STORED), key=lambda row: row.saves)
    rows = [replace(row, path=f"/lib/{'<b>' * 100}")]
    values = [dict.fromkeys(row.use.pages, PAGE_SIZE)]
    point = Step(row.cost, row.saves, row.path, tuple(row.use.pages), len(row.use.pages), 0)
    page = "".join(headline(PROFILE, rows, values, base_of(rows, 0), {"patched": WhatIf([point])}))
    assert "<b><b>" not in page
    assert f"{('<b>' * 100)[:31]}…" in unescape(page)


def test_it_says_why_the_pages_to_store_are_not_the_hot_pages() -> None:
    text, rows = text_of(report()), file_rows(PROFILE, STORED)
    found = re.search(r"(\d+) pages pay: (\d+) hot and (\d+) seldom used\.", text)
    assert found
    most = what_if(PROFILE, STORED).everything
    assert int(found[1]) == most.pages == int(found[2]) + int(found[3])
    idle = sum(row.hot for row in rows) - int(found[2])
    assert (f"{idle} hot page" in text) == bool(idle)


def test_it_says_where_it_comes_from() -> None:
    text = text_of(report())
    assert "boot.tpcap: recorded 2023-11-14 22:13 UTC on /dev/ttyACM0, by tinyprof 0.1.0" in text
    assert "made by tinyprof 9.8.7" in text
    assert "command tinyprof report boot.tpcap --html boot.html" in text


def test_a_date_beyond_all_calendars_is_no_traceback() -> None:
    text = text_of(report(Origin((Recorded("x", 1 << 63),))))
    assert "recorded at a time that no calendar has" in text


def test_functions_stand_by_worth_and_names_of_the_same_bytes_are_one() -> None:
    rows = file_rows(PROFILE, STORED)[:2]
    worth = [dict.fromkeys(sorted(row.use.pages), 4096) for row in rows]
    first = min(worth[1])
    worth[1] = {first: 40_960, **{page: 1 for page in worth[1] if page != first}}
    found = functions_by_worth(rows, worth, [names_of(row.use) for row in rows])
    assert (found[0].file, found[0].name, found[0].aliases) == (1, f"also_work_{first}", 1)
    assert found[0].worth == pytest.approx(40_960 * 4000 / 4096)
    assert [it.worth for it in found] == sorted((it.worth for it in found), reverse=True)


def test_a_page_is_in_use_from_its_first_to_its_last_epoch() -> None:
    rows = file_rows(PROFILE, STORED)
    found = columns(rows, PROFILE.epochs)
    seen = [use.any for row in rows for use in row.use.pages.values()]
    for epoch, (hot, other, fresh) in enumerate(found, 1):
        assert hot + other == sum(it.first <= epoch <= it.last for it in seen)
        assert fresh == sum(it.first == epoch for it in seen)


def test_a_timeline_of_many_epochs_keeps_each_new_page_in_one_column() -> None:
    rows = file_rows(PROFILE, STORED)
    found = columns(rows, 1_000_003)
    assert len(found) <= 240
    assert sum(fresh for _, _, fresh in found) == sum(len(row.use.pages) for row in rows)


def test_small_files_are_the_last_ones_and_hold_few_of_the_used_pages() -> None:
    rows = sorted(file_rows(PROFILE, STORED), key=lambda row: -row.used)
    large = count_of_large(rows)
    assert large < len(rows)
    assert sum(row.used for row in rows[large:]) <= 0.05 * sum(row.used for row in rows)


def test_it_stays_below_a_megabyte() -> None:
    assert len(report().encode()) < 1_000_000


PROBE = """
const field = document.querySelector("input[type=search]");
const seen = () => [...document.querySelectorAll("#files tbody tr")]
  .filter((row) => getComputedStyle(row).display !== "none").length;
const found = [seen()];
for (const word of ["WORD", "", "no such thing"]) {
  field.value = word; field.dispatchEvent(new Event("input")); found.push(seen()); }
field.value = ""; field.dispatchEvent(new Event("input"));
document.querySelector(".tools button").click(); found.push(seen());
document.querySelector("#files thead th:nth-child(3) button").click();
found.push(document.querySelector("#files thead th:nth-child(3)").getAttribute("aria-sort"));
const knob = document.querySelector(".knob");
knob.value = 0; knob.dispatchEvent(new Event("input"));
found.push(document.querySelector("output").textContent.split("\\n").length);
document.title = JSON.stringify(found);
"""


@in_browser
def test_search_finds_functions_small_files_fold_and_the_curve_has_values_by_keys(
    tmp_path: Path,
) -> None:
    page = tmp_path / "report.html"
    rows = file_rows(PROFILE, STORED)
    last = max(max(row.use.pages) for row in rows)
    having = sum(last in row.use.pages for row in rows)
    page.write_text(scripted(report(), PROBE.replace("WORD", f"work_{last}")))
    title = re.search("<title>(.*?)</title>", browse(page, "--dump-dom"))
    assert title
    folded, searched, again, none, unfolded, order, kernels = json.loads(unescape(title[1]))
    assert (searched, none, unfolded) == (having, 0, len(rows))
    assert folded == again < len(rows)
    assert (order, kernels) == ("descending", 4)


@in_browser
@pytest.mark.skipif(not shutil.which("pdftotext"), reason="pdftotext is not installed")
@pytest.mark.parametrize("paper", ["A4", "letter"])
def test_paper_has_every_column_and_its_heads_on_each_page(tmp_path: Path, paper: str) -> None:
    page, pdf = tmp_path / "report.html", tmp_path / "report.pdf"
    # Six times the rows: the table goes on over several pages.
    text = report()
    body = re.search('<table id="files">.*?<tbody>(.*?)</tbody>', text, re.S)
    assert body
    text = text.replace(body[1], body[1] * 6)
    page.write_text(text.replace("</style>", f"@page {{ size: {paper} portrait }}</style>"))
    browse(page, "--no-pdf-header-footer", f"--print-to-pdf={pdf}")
    words = ["pdftotext", "-layout", str(pdf), "-"]
    pages = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split("\f")
    heads = {word for head, _ in FIGURES for word in head.replace(",", "").split()}
    rows = [it for it in pages if len(re.findall(r"^/\S+ .*\d %", it, re.M)) > 3]
    assert len(rows) > 2
    for printed in rows:
        assert heads | {"path", "heat"} <= set(printed.replace(",", "").split())
    figures = [f"{row.cost / 1024:,.0f}" for row in file_rows(PROFILE, STORED)]
    assert all(figure in "".join(rows) for figure in figures)


@in_browser
@pytest.mark.skipif(not AXE.exists(), reason=f"npm's axe-core is not at {AXE}")
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_axe_finds_no_fault_that_keeps_anybody_out(tmp_path: Path, scheme: str) -> None:
    page = tmp_path / "report.html"
    tell = """axe.run().then((result) => { document.title = JSON.stringify(
      result.violations.map((it) => [it.id, it.impact, it.nodes[0].html])); });"""
    page.write_text(scripted(report(), AXE.read_text(), tell))
    # Blink's settings count the schemes: 0 is dark.
    colours = f"--blink-settings=preferredColorScheme={int(scheme == 'light')}"
    dom = browse(page, colours, "--virtual-time-budget=60000", "--dump-dom")
    title = re.search("<title>(.*?)</title>", dom, re.S)
    assert title
    assert json.loads(unescape(title[1])) == []
