// SPDX-License-Identifier: MIT
// Sorts, searches and folds the files, and says what is known of the point or page under the pointer. The page can be
// read without it: everything that it adds, it adds itself.
"use strict";
(() => {
  const make = (name, words = {}) => Object.assign(document.createElement(name), words);
  const pages = JSON.parse(document.getElementById("pages").textContent);
  const tip = make("div", { id: "tip", hidden: true });
  document.body.append(tip);
  const showTip = (event, text) => {
    tip.hidden = false;
    tip.textContent = text;
    tip.style.left = `${Math.max(4, Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 8))}px`;
    tip.style.top = `${event.clientY + 18 + tip.offsetHeight > innerHeight ? event.clientY - 12 - tip.offsetHeight : event.clientY + 18}px`;
  };

  // Sorting: each table whose heads say so.
  const valueOf = (row, column) => {
    const cell = row.cells[column];
    return "v" in cell.dataset ? Number(cell.dataset.v) : cell.textContent;
  };
  const sortBy = (table, head, column) => {
    // Figures are of interest from the highest, paths from the first.
    const before = head.getAttribute("aria-sort");
    const rising = before ? before === "descending" : column === 0;
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", rising ? "ascending" : "descending");
    const rows = [...table.tBodies[0].rows].map((row) => [valueOf(row, column), row]);
    rows.sort(([x], [y]) => {
      const order = typeof x === "number" ? x - y : x < y ? -1 : y < x ? 1 : 0;
      return rising ? order : -order;
    });
    table.tBodies[0].append(...rows.map(([, row]) => row));
  };
  for (const table of document.querySelectorAll("table")) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      if (head.dataset.sort === undefined) return;
      const button = make("button", { type: "button" });
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => sortBy(table, head, column));
    });
  }

  // Search and folding.
  const table = document.getElementById("files");
  if (table) {
    const rows = [...table.tBodies[0].rows];
    const functions = pages.functions || {};
    const texts = rows.map((row) => row.cells[0].textContent.toLowerCase());
    const named = rows.map((row) => (functions[row.dataset.file] || "").toLowerCase());
    const others = new Map();
    for (const it of document.querySelectorAll(".map, #functions tbody tr")) {
      others.set(it.dataset.file, [...(others.get(it.dataset.file) || []), it]);
    }
    const tools = make("div", { className: "tools" });
    const by = Object.keys(functions).length ? "path or function" : "path";
    const filter = make("input", { type: "search", placeholder: `search by ${by}` });
    filter.setAttribute("aria-label", `search the files by ${by}`);
    const count = make("span", { className: "dim" });
    count.setAttribute("role", "status");
    const fold = make("button", { type: "button" });
    const minor = rows.filter((row) => row.classList.contains("minor")).length;
    let isFolded = minor > 0;
    tools.append(filter, fold, count);
    table.closest(".scroll").before(tools);
    const show = () => {
      const wanted = filter.value.trim().toLowerCase();
      let found = 0;
      rows.forEach((row, at) => {
        row.hidden = wanted !== "" && !texts[at].includes(wanted) && !named[at].includes(wanted);
        found += !row.hidden;
        for (const it of others.get(row.dataset.file) || []) {
          it.hidden = it.cells ? !it.textContent.toLowerCase().includes(wanted) : row.hidden;
        }
      });
      // Whoever searches wants small files, too.
      document.body.classList.toggle("folded", isFolded && !wanted);
      fold.hidden = !minor || wanted !== "";
      fold.textContent = isFolded ? `show ${minor} small files` : `fold ${minor} small files`;
      fold.setAttribute("aria-expanded", String(!isFolded));
      count.textContent = wanted ? `${found} of ${rows.length} files` : "";
    };
    filter.addEventListener("input", show);
    fold.addEventListener("click", () => { isFolded = !isFolded; show(); });
    show();
  }

  // Values of the curve: under the pointer, and by keys.
  const plot = document.getElementById("plot");
  if (plot) {
    const curves = Object.entries(JSON.parse(plot.dataset.curves));
    const [left, right, cost] = [plot.dataset.left, plot.dataset.right, plot.dataset.cost].map(Number);
    const width = plot.viewBox.baseVal.width;
    const kib = (bytes) => `${Math.round(bytes / 1024).toLocaleString("en")} KiB`;
    const textAt = (flash) => curves.map(([name, points]) => {
      const [spent, saves, count] = points.filter(([at]) => at <= flash).at(-1) || [0, 0, 0];
      return `${name}: ${kib(saves)} RAM saved for ${kib(spent)} flash, ${count.toLocaleString("en")} pages`;
    }).join("\n");
    const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
    line.setAttribute("class", "at");
    line.setAttribute("y1", 12);
    line.setAttribute("y2", plot.viewBox.baseVal.height - 40);
    plot.append(line);
    const knob = make("input", { type: "range", className: "knob", min: 0, max: 200, value: 200 });
    knob.setAttribute("aria-label", "flash budget");
    const told = make("output");
    const set = (share) => {
      const x = left + (width - left - right) * share;
      line.setAttribute("x1", x);
      line.setAttribute("x2", x);
      told.textContent = textAt(cost * share);
      knob.setAttribute("aria-valuetext", told.textContent);
      return told.textContent;
    };
    knob.addEventListener("input", () => set(knob.value / 200));
    plot.addEventListener("pointermove", (event) => {
      const box = plot.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * width;
      const share = Math.max(0, Math.min(1, (x - left) / (width - left - right)));
      knob.value = share * 200;
      showTip(event, set(share));
    });
    plot.addEventListener("pointerleave", () => { tip.hidden = true; });
    plot.after(knob, told);
    set(1);
  }

  // The page under the pointer.
  for (const map of document.querySelectorAll(".map")) {
    const svg = map.querySelector("svg");
    const { cells, pages: count } = svg.dataset;
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const lines = Math.ceil(count / cells);
      const columns = Math.min(count, cells);
      const column = Math.min(columns - 1, Math.floor(((event.clientX - box.left) / box.width) * columns));
      const line = Math.min(lines - 1, Math.floor(((event.clientY - box.top) / box.height) * lines));
      const page = line * cells + column;
      if (page >= count) { tip.hidden = true; return; }
      showTip(event, (pages[map.dataset.file] || {})[page] || `page ${page}, offset 0x${(page * 4096).toString(16)}: cold`);
    });
    svg.addEventListener("pointerleave", () => { tip.hidden = true; });
  }

  // On paper everything is open.
  const closed = [];
  addEventListener("beforeprint", () => {
    for (const it of document.querySelectorAll("details:not([open])")) { closed.push(it); it.open = true; }
  });
  addEventListener("afterprint", () => { for (const it of closed.splice(0)) it.open = false; });
})();
