// Lets a reader sort, filter and copy the tables that investigate/display.py writes, and copy what
// a point of a figure says. Runs in JupyterLab and in a report; asks no host, makes up no ids.
"use strict";
(() => {
  if (window.investigateDisplay) return; // JupyterLab runs this again whenever it shows the output
  window.investigateDisplay = true;

  const FEW = 10; // rows that are found without a filter
  const SAID_FOR = 4000; // milliseconds that it stands there what a button did
  const WEIGHT = ["escalate", "dangerous", "suspect", "error", "not-evaluated", "expected", "passed"];
  const ORDER = ["none", "ascending", "descending"];
  const IDS = /^key: |(^|_)id$|^s3_key$|^event$/;
  const NOTHING = "–";

  const make = (tag, properties, ...inside) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...inside);
    return element;
  };
  const textOf = (cell) => cell.textContent.replace(/\s+/g, " ").trim();
  const texts = (row) => [...row.cells].map(textOf);
  const rowsOf = (table) => [...table.tBodies[0].rows];
  const heads = (table) => [...table.tHead.rows[0].cells];

  // ---- copying

  // A spreadsheet would run a text that begins like a formula. A plain number is none.
  const number = (text) => (/^-?[\d,]*\.?\d+$/.test(text) ? Number(text.replaceAll(",", "")) : NaN);
  const harmless = (text) => (/^[=+\-@]/.test(text) && Number.isNaN(number(text)) ? `'${text}` : text);
  const asTsv = (lines) => lines.map((line) => line.map(harmless).join("\t")).join("\n");

  async function copied(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Not allowed here, or no clipboard: the older way.
      const field = make("textarea", { value: text });
      document.body.append(field);
      field.select();
      const done = document.execCommand("copy");
      field.remove();
      return done;
    }
  }

  const status = () => {
    const said = make("span", { className: "inv-count" });
    said.setAttribute("role", "status"); // a screen reader says what changes here
    return said;
  };

  // A button, and what it says of its work. `read` gives the text, and what to add to "Copied".
  function copyButton(label, read) {
    const button = make("button", { type: "button", textContent: label });
    const said = status();
    button.addEventListener("click", async () => {
      const { text, rest = "" } = read();
      const outcome = text && (await copied(text)) ? "Copied" : "Not copied";
      button.focus();
      said.textContent = outcome + rest;
      setTimeout(() => (said.textContent = ""), SAID_FOR);
    });
    return [button, said];
  }

  // ---- sorting

  function weightOf(cell) {
    const badge = cell?.querySelector(".inv-badge");
    return badge ? WEIGHT.findIndex((word) => badge.classList.contains(`inv-${word}`)) : -1;
  }

  // By verdict, by number or by letter, whichever all cells of the column allow.
  function keysOf(rows, column) {
    const cells = rows.map((row) => row.cells[column]);
    if (cells.every((cell) => weightOf(cell) >= 0)) return cells.map(weightOf);
    const told = cells.map(textOf).map((text) => (text === NOTHING ? "" : text));
    const numbers = told.map((text) => (text === "" ? null : number(text)));
    if (numbers.every((value) => !Number.isNaN(value))) return numbers;
    return told.map((text) => (text === "" ? null : text));
  }

  function compare(one, other) {
    if (one === null || other === null) return 0; // empty cells are put last, whatever the order
    return one < other ? -1 : Number(one > other);
  }

  function sort(table, column) {
    const head = heads(table)[column];
    const order = ORDER[(ORDER.indexOf(head.getAttribute("aria-sort") ?? "none") + 1) % ORDER.length];
    for (const other of heads(table)) other.removeAttribute("aria-sort");
    if (order !== "none") head.setAttribute("aria-sort", order);
    const rows = rowsOf(table).sort((one, other) => one.dataset.place - other.dataset.place);
    if (order === "none") return table.tBodies[0].append(...rows);
    const keys = keysOf(rows, column);
    const places = rows.map((_, place) => place);
    const sign = order === "ascending" ? 1 : -1;
    places.sort((one, other) =>
      (keys[one] === null) - (keys[other] === null) || sign * compare(keys[one], keys[other]));
    table.tBodies[0].append(...places.map((place) => rows[place]));
  }

  function offerSorting(table) {
    rowsOf(table).forEach((row, place) => (row.dataset.place = place));
    heads(table).forEach((head, column) => {
      const button = make("button", { type: "button", className: "inv-sort" }, ...head.childNodes);
      button.addEventListener("click", () => sort(table, column));
      head.append(button);
    });
  }

  // ---- filtering

  function filterField(table) {
    const count = status();
    const field = make("input", { type: "search", placeholder: "Filter these rows" });
    field.setAttribute("aria-label", "Filter these rows");
    field.addEventListener("input", () => {
      const wanted = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      const rows = rowsOf(table);
      for (const row of rows) {
        const text = texts(row).join("\n").toLowerCase();
        row.hidden = !wanted.every((word) => text.includes(word));
      }
      const left = rows.filter((row) => !row.hidden).length;
      count.textContent = wanted.length ? `${left} of ${rows.length} rows` : "";
    });
    return [field, count];
  }

  // ---- a table, a figure, and whatever appears later

  // The ids as they are, one a line, so that a program can take them: nothing is shielded here, and
  // one that is not shown whole (display.py marks it) or has lines of its own is left out.
  function idsOf(cells) {
    const filled = cells.filter((cell) => cell.textContent !== NOTHING);
    const whole = filled.filter((cell) => !(cell.classList.contains("inv-altered") || /[\n\t]/.test(cell.textContent)));
    const left = filled.length - whole.length;
    return {
      text: whole.map((cell) => cell.textContent).join("\n"),
      rest: left ? `; ${left} not shown as they are, left out` : "",
    };
  }

  function offerTools(table) {
    const shown = () => rowsOf(table).filter((row) => !row.hidden);
    const names = heads(table).map(textOf);
    const ids = names.findIndex((name) => IDS.test(name));
    const tools = make("div", { className: "inv-tools" });
    tools.dataset.lmSuppressShortcuts = "true"; // JupyterLab's keys are not for a field of ours
    if (rowsOf(table).length > FEW) tools.append(...filterField(table));
    tools.append(...copyButton("Copy table", () => ({ text: asTsv([names, ...shown().map(texts)]) })));
    if (ids >= 0) tools.append(...copyButton("Copy ids", () => idsOf(shown().map((row) => row.cells[ids]))));
    table.parentElement.before(tools);
  }

  function offerTable(table) {
    table.dataset.invReady = "true";
    if (!table.tHead || !table.tBodies.length || rowsOf(table).length < 2) return;
    offerSorting(table);
    offerTools(table);
  }

  // What hovers over a point cannot be marked with a mouse; a click keeps it, as text.
  function offerPoints(plot) {
    plot.dataset.invReady = "true";
    const said = make("span", { className: "inv-said" });
    const line = make("p", { className: "inv-point", hidden: true }, said, " ",
      ...copyButton("Copy", () => ({ text: said.textContent })));
    plot.after(line);
    plot.on("plotly_click", () => {
      const lines = [...plot.querySelectorAll(".hoverlayer .hovertext text")].flatMap((text) => {
        const spans = [...text.querySelectorAll("tspan.line")];
        return (spans.length ? spans : [text]).map((span) => span.textContent.trim());
      });
      said.textContent = lines.filter(Boolean).join(" · ");
      line.hidden = !said.textContent;
    });
  }

  function offerAll() {
    document.querySelectorAll("table.inv-table:not([data-inv-ready])").forEach(offerTable);
    for (const plot of document.querySelectorAll(".js-plotly-plot:not([data-inv-ready])")) {
      if (plot.on) offerPoints(plot);
    }
  }

  let waiting = false;
  new MutationObserver(() => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      offerAll();
    });
  }).observe(document.documentElement, { childList: true, subtree: true });
  offerAll();
})();
