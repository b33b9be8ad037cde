"use strict";
// Sortable tables: a button in every heading, numbers as numbers, missing values last. Long ones
// can be searched, are filtered by the headings that say so, and show a page at a time. Without
// scripts all rows are there.
const TABLE = {
  perPage: 100,
  searchFrom: 12, // rows that are too many to be read at a glance
  search: "Search this table",
  any: "all",
  count: (from, to, n, all) => `${n ? `${from} to ${to} of ${n}` : "No"} rows${n < all ? ` that match, of ${all}` : ""}`,
  previous: "Previous rows",
  next: "Next rows",
};
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const names = heads.map((head) => head.textContent.trim());
  const value = (row, column) => row.cells[column].dataset.sort ?? row.cells[column].textContent.trim();
  const all = [...body.rows].map((row) => ({ row, text: row.textContent.toLowerCase() }));
  const chosen = new Map(); // column to the value that rows must have
  let order = all, matching = all, first = 0, query = "";

  const make = (name, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };
  const count = make("span", { className: "count" });
  count.setAttribute("role", "status");
  const previous = make("button", { type: "button", textContent: TABLE.previous });
  const next = make("button", { type: "button", textContent: TABLE.next });
  const show = () => {
    const last = Math.min(first + TABLE.perPage, matching.length);
    body.replaceChildren(...matching.slice(first, last).map((one) => one.row));
    count.textContent = TABLE.count(first + 1, last, matching.length, all.length);
    previous.disabled = first === 0;
    next.disabled = last === matching.length;
  };
  const filter = () => {
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    matching = order.filter(({ row, text }) => words.every((word) => text.includes(word))
      && [...chosen].every(([column, wanted]) => value(row, column) === wanted));
    first = 0;
    show();
  };
  const turn = (step) => {
    first = Math.max(0, Math.min(first + step * TABLE.perPage, matching.length - 1));
    show();
    table.scrollIntoView({ block: "nearest" });
  };

  heads.forEach((head, column) => {
    const button = make("button", { type: "button" });
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const rising = head.getAttribute("aria-sort") !== "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", rising ? "ascending" : "descending");
      const keyed = all.map((one) => {
        const text = value(one.row, column);
        return { one, text, missing: text === "" || text === "–", number: Number(text) };
      });
      keyed.sort((a, b) => {
        if (a.missing || b.missing) return a.missing - b.missing;
        const order = Number.isNaN(a.number) || Number.isNaN(b.number)
          ? a.text.localeCompare(b.text, undefined, { numeric: true }) : a.number - b.number;
        return rising ? order : -order;
      });
      order = keyed.map(({ one }) => one);
      filter();
    });
  });
  if (all.length < TABLE.searchFrom) continue;

  const search = make("input", { type: "search" });
  search.addEventListener("input", () => { query = search.value; filter(); });
  const tools = make("div", { className: "table-tools" }, make("label", {}, `${TABLE.search} `, search));
  heads.forEach((head, column) => {
    if (!("choose" in head.dataset)) return;
    const values = [...new Set(all.map(({ row }) => value(row, column)))].sort();
    const select = make("select", {}, make("option", { value: "", textContent: TABLE.any }),
      ...values.map((text) => make("option", { value: text, textContent: text })));
    select.addEventListener("change", () => {
      if (select.selectedIndex) chosen.set(column, select.value); else chosen.delete(column);
      filter();
    });
    tools.append(make("label", {}, `${names[column]} `, select));
  });
  previous.addEventListener("click", () => turn(-1));
  next.addEventListener("click", () => turn(1));
  tools.append(count);
  if (all.length > TABLE.perPage) tools.append(previous, next);
  (table.closest(".scroll") ?? table).before(tools);
  show();
}

// Timelines: a strip is a slider over its instances, a group of lanes one over its seconds; each
// seeks the video, and the video moves the line of the present time in all of them.
for (const section of document.querySelectorAll(".recording")) {
  const video = section.querySelector("video");
  const strips = [...section.querySelectorAll(".strip")].map((strip) => ({
    strip,
    end: Number(strip.getAttribute("aria-valuemax")),
    lines: [...strip.querySelectorAll("line.now")],
    slots: strip.dataset.slots ? JSON.parse(strip.dataset.slots)
      : [...strip.querySelectorAll("rect.slot")].map(({ dataset }) => [+dataset.left, +dataset.right, dataset.text]),
  }));
  let now = 0;
  const show = ({ strip, lines, slots }) => {
    for (const line of lines) {
      line.setAttribute("x1", now);
      line.setAttribute("x2", now);
    }
    const at = slots.find(([left, right]) => now >= left && now < right);
    strip.setAttribute("aria-valuenow", now.toFixed(1));
    strip.setAttribute("aria-valuetext", `${now.toFixed(1)} seconds, ${at ? at[2] : "no instance"}`);
  };
  const go = (seconds) => {
    now = seconds;
    strips.forEach(show);
  };
  const seek = (seconds) => {
    if (video) video.currentTime = seconds;
    go(seconds);
  };
  for (const { strip, end, slots } of strips) {
    strip.addEventListener("click", (event) => {
      // All pictures of a group have one axis; beside them stand the names.
      const box = strip.querySelector("svg").getBoundingClientRect();
      if (event.clientX < box.left || event.clientX > box.right) return;
      seek(Math.min(end, Math.max(0, (event.clientX - box.left) / box.width * end)));
    });
    strip.addEventListener("keydown", (event) => {
      const lefts = slots.map(([left]) => left);
      const target = {
        ArrowRight: lefts.find((t) => t > now + 0.01),
        ArrowUp: lefts.find((t) => t > now + 0.01),
        ArrowLeft: lefts.findLast((t) => t < now - 0.01),
        ArrowDown: lefts.findLast((t) => t < now - 0.01),
        Home: lefts[0],
        End: lefts.at(-1),
      }[event.key];
      if ((event.key === " " || event.key === "Enter") && video) {
        event.preventDefault();
        if (video.paused) video.play(); else video.pause();
      } else if (target !== undefined) {
        event.preventDefault();
        seek(target);
      }
    });
  }
  if (video) video.addEventListener("timeupdate", () => go(video.currentTime));
}

// Clips: a button shows where in its recording a clip lies, with what is before and behind it.
for (const button of document.querySelectorAll("button.jump")) {
  const section = [...document.querySelectorAll(".recording")]
    .find((one) => one.dataset.recording === button.dataset.recording);
  const video = section?.querySelector("video");
  button.hidden = !video;
  button.addEventListener("click", () => {
    video.currentTime = Number(button.dataset.start);
    video.scrollIntoView({ block: "center" });
    video.focus({ preventScroll: true });
  });
}
