"use strict";
// Sortable tables: a button in every heading, numbers as numbers, missing values last.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const rising = head.getAttribute("aria-sort") !== "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", rising ? "ascending" : "descending");
      const key = (row) => row.cells[column].dataset.sort ?? row.cells[column].textContent.trim();
      const rows = [...body.rows].sort((a, b) => {
        const x = key(a), y = key(b);
        if (x === "" || y === "") return (x === "") - (y === "");
        const p = Number(x), q = Number(y);
        const order = Number.isNaN(p) || Number.isNaN(q)
          ? x.localeCompare(y, undefined, { numeric: true }) : p - q;
        return rising ? order : -order;
      });
      body.append(...rows);
    });
  });
}

// Timelines: a strip is a slider over its instances; it seeks the video, the video moves it.
for (const section of document.querySelectorAll(".recording")) {
  const video = section.querySelector("video");
  const strips = [...section.querySelectorAll(".strip")];
  const show = (strip, seconds) => {
    const slots = [...strip.querySelectorAll("rect.slot")];
    const now = strip.querySelector("line.now");
    now.setAttribute("x1", seconds);
    now.setAttribute("x2", seconds);
    const at = slots.find((s) => seconds >= +s.dataset.left && seconds < +s.dataset.right);
    strip.setAttribute("aria-valuenow", seconds.toFixed(1));
    strip.setAttribute("aria-valuetext", at
      ? `${seconds.toFixed(1)} seconds, ${at.dataset.text}` : `${seconds.toFixed(1)} seconds, no instance`);
    strip.dataset.now = seconds;
  };
  const seek = (seconds) => {
    if (video) video.currentTime = seconds;
    strips.forEach((strip) => show(strip, seconds));
  };
  for (const strip of strips) {
    const slots = [...strip.querySelectorAll("rect.slot")];
    const end = Number(strip.getAttribute("aria-valuemax"));
    strip.addEventListener("click", (event) => {
      const box = strip.querySelector("svg").getBoundingClientRect();
      seek(Math.min(end, Math.max(0, (event.clientX - box.left) / box.width * end)));
    });
    strip.addEventListener("keydown", (event) => {
      const now = Number(strip.dataset.now || 0);
      const lefts = slots.map((s) => Number(s.dataset.left));
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
  if (video) video.addEventListener("timeupdate", () => strips.forEach((s) => show(s, video.currentTime)));
}
