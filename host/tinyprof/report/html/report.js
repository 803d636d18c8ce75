// SPDX-License-Identifier: MIT
// Sorts and filters the table of files, and says what is known of the page under the pointer. The page can be
// read without it: everything that it adds, it adds itself.
"use strict";
(() => {
  const table = document.getElementById("files");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const maps = new Map([...document.querySelectorAll(".map")].map((map) => [map.dataset.file, map]));

  const filter = document.createElement("input");
  filter.type = "search";
  filter.placeholder = "filter by path";
  filter.setAttribute("aria-label", "filter the files by path");
  table.parentElement.before(filter);
  filter.addEventListener("input", () => {
    const wanted = filter.value.toLowerCase();
    for (const row of rows) {
      row.hidden = !row.cells[0].textContent.toLowerCase().includes(wanted);
      const map = maps.get(row.dataset.file);
      if (map) map.hidden = row.hidden;
    }
  });

  const valueOf = (row, column) => {
    const cell = row.cells[column];
    return "v" in cell.dataset ? Number(cell.dataset.v) : cell.textContent;
  };
  const sortBy = (head, column) => {
    // Figures are of interest from the highest, paths from the first.
    const before = head.getAttribute("aria-sort");
    const rising = before ? before === "descending" : column === 0;
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", rising ? "ascending" : "descending");
    rows.sort((a, b) => {
      const [x, y] = [valueOf(a, column), valueOf(b, column)];
      const order = typeof x === "number" ? x - y : x < y ? -1 : y < x ? 1 : 0;
      return rising ? order : -order;
    });
    body.append(...rows);
  };
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    if (head.dataset.sort === undefined) return;
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sortBy(head, column));
  });

  const pages = JSON.parse(document.getElementById("pages").textContent);
  const tip = document.createElement("div");
  tip.id = "tip";
  tip.hidden = true;
  document.body.append(tip);
  for (const [file, map] of maps) {
    const svg = map.querySelector("svg");
    const { cells, pages: count } = svg.dataset;
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const lines = Math.ceil(count / cells);
      const columns = Math.min(count, cells);
      const column = Math.min(columns - 1, Math.floor(((event.clientX - box.left) / box.width) * columns));
      const line = Math.min(lines - 1, Math.floor(((event.clientY - box.top) / box.height) * lines));
      const page = line * cells + column;
      tip.hidden = page >= count;
      tip.textContent = (pages[file] || {})[page] || `page ${page}, offset 0x${(page * 4096).toString(16)}: cold`;
      tip.style.left = `${Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 8)}px`;
      tip.style.top = `${event.clientY + 18}px`;
    });
    svg.addEventListener("pointerleave", () => { tip.hidden = true; });
  }
})();
