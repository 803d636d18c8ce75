# SPDX-License-Identifier: MIT
"""Measures the HTML report in Chromium. Prints one line a figure, `name value unit`.

The profile is made up: 65,000 pages in 2,000 files with functions on their pages. `interactive` is
the time from the start of the load until the page with the
files that a search finds is laid out.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from time import process_time

from tinyprof.heat.losses import Losses
from tinyprof.pages import PAGE_SIZE
from tinyprof.profile.model import (
    BootFacts,
    FileUse,
    NamedRange,
    PageUse,
    PhaseFacts,
    Profile,
    Seen,
)
from tinyprof.record.sim import RECORDED
from tinyprof.report.html.page import Programs, html_report
from tinyprof.rootfs.elf_names import Names

SEED = 20261128
FILES, USED_PAGES = 2000, 65_000
EPOCHS, STEADY = 600, 500
FSID = "0a0b0c0d/0/65000/2000"
ALL_SEEN = 100
TIMES = 3
TINYPROF = Path(sys.executable).with_name("tinyprof")

PROBE = """<script>addEventListener("load", () => {
document.body.offsetHeight;
const field = document.querySelector("input[type=search]");
field.value = "function_1"; field.dispatchEvent(new Event("input"));
document.body.offsetHeight;
document.title = "interactive " + Math.round(performance.now()); });</script>"""
"""Types into the search once the page is laid out, has it laid out again, and puts the time in ms
into the title."""


def show(name: str, value: float | str, unit: str) -> None:
    print(f"{name} {value} {unit}", flush=True)


def file_use(number: int, rng: random.Random) -> FileUse:
    used = USED_PAGES // FILES + (number < USED_PAGES % FILES)
    places = sorted(rng.sample(range(2 * used), used))
    pages = {}
    for place in places:
        first = rng.randrange(1, ALL_SEEN)
        steady = rng.choice((0, 30, STEADY))
        seen = Seen(steady + 2, steady, first, min(EPOCHS, first + steady + 1), 1, 1, 1)
        pages[place] = PageUse("", {"x": seen})
    path = f"/usr/lib/part{number % 40}/lib{number}.so"
    size = 2 * used * PAGE_SIZE
    return FileUse(path, size, f"{number:064x}", pages, (FSID,))


def made_up() -> Profile:
    rng = random.Random(SEED)
    start = EPOCHS - STEADY
    phases = (
        PhaseFacts("start-up", 1, start, USED_PAGES, False),
        PhaseFacts("steady", start + 1, STEADY, 0, True),
    )
    boot = BootFacts(FSID, "6.1.192", EPOCHS, Losses(), phases)
    return Profile((boot,), 0, tuple(file_use(number, rng) for number in range(FILES)))


def names_of(use: FileUse) -> Names:
    """Four functions a page."""
    quarter = PAGE_SIZE // 4
    return Names(
        (NamedRange(".text", 0, use.size),),
        tuple(
            NamedRange(f"module_function_{place}", place * quarter, quarter)
            for place in range(use.size // quarter)
        ),
        True,
    )


def interactive(page: Path) -> int:
    """Milliseconds, the best of a few."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    assert browser, "chromium is not installed"
    # The probe is a script that the page's own policy would refuse.
    text = re.sub('<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text())
    page.write_text(text.replace("</head>", PROBE + "</head>"))
    words = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    found = []
    for _ in range(TIMES):
        dom = subprocess.run(
            [*words, f"--user-data-dir={page}.profile", "--timeout=20000", page.as_uri()],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        title = re.search(r"<title>interactive (\d+)</title>", dom)
        assert title, "the page never became interactive"
        found.append(int(title[1]))
    return min(found)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        subprocess.run([TINYPROF, "report", RECORDED, "--html", page], check=True)
        show("html-recorded", page.stat().st_size, "bytes")
        began = process_time()
        profile = made_up()
        text = html_report(profile, {}, programs=Programs(names_of, lambda use: None))
        show("html-large-made", round(process_time() - began, 1), "s")
        page.write_text(text)
        show("html-large", page.stat().st_size, "bytes")
        show("html-large-interactive", interactive(page), "ms")


if __name__ == "__main__":
    main()
