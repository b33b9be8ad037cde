// The reading page: marks and answers by keyboard or touch, kept in the browser, saved as a file.
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($("data").textContent);
  const { texts, recordings } = data;
  const name = `reading-${data.rater}-${data.period}.json`;
  const place = `fidgety-reading/${data.study}/${data.rater}/${data.period}`;
  const video = $("video");
  const form = $("answers");
  const blank = (code) => ({ code, intervals: [], answers: {}, spent_s: 0, note: "" });
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, key) => values[key]);
  const seconds = (value) => value.toFixed(1);
  let state = { started: null, at: 0, readings: {} };
  let keeps = true;

  // Browsers may forbid storage to files: then the file is all there is, and the page says so.
  function load() {
    try {
      const kept = JSON.parse(localStorage.getItem(place));
      if (kept && kept.readings) state = kept;
    } catch { keeps = false; }
  }
  function keep() {
    try { localStorage.setItem(place, JSON.stringify(state)); } catch { keeps = false; }
    $("kept").textContent = keeps ? texts.kept : texts.not_kept;
  }

  const shown = () => recordings[state.at];
  const reading = () => (state.readings[shown().code] ??= blank(shown().code));
  // An open interval is part of the state: to leave a recording, or the page, does not lose it.
  const isOpen = (one) => typeof one?.open === "number";
  // Who cannot judge a recording has nothing to say of its movements.
  const isJudged = (one) => one.answers.verdict !== data.not_judged;
  const isDone = (one) => !isOpen(one) && (!isJudged(one) || data.needed.every((item) => one.answers[item]));
  const nDone = () => Object.values(state.readings).filter(isDone).length;

  const say = (words) => { $("told").textContent = words; };

  function button(words, act) {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = words;
    made.addEventListener("click", act);
    return made;
  }
  function seek(to) {
    const end = Number.isFinite(video.duration) ? video.duration : shown().duration_s;
    video.currentTime = Math.min(Math.max(to, 0), end);
  }
  function remove(interval) {
    const one = reading();
    one.intervals = one.intervals.filter((other) => other !== interval);
    const [start, stop] = interval.map(seconds);
    $("open").textContent = fill(texts.removed, { start, stop });
    keep();
    showMarks();
  }
  function showMarks() {
    showDoubt();
    $("done").textContent = fill(texts.done, { n: nDone(), all: recordings.length });
    if (!data.marks) return;
    $("marks").replaceChildren(...reading().intervals.map((interval) => {
      const [start, stop] = interval.map(seconds);
      const row = document.createElement("li");
      row.append(`${start}–${stop} s `, button(fill(texts.go_to, { start }), () => seek(interval[0])),
        button(fill(texts.remove, { start, stop }), () => remove(interval)));
      return row;
    }));
    $("mark").setAttribute("aria-pressed", String(isOpen(reading())));
  }
  function showDoubt() {
    const { type, mos_fidgety: points } = reading().answers;
    const wrong = isJudged(reading()) && data.contradictions[type]?.includes(points);
    const chosen = form.querySelector("input[name=type]:checked");
    $("doubt").textContent = wrong
      ? fill(texts.contradiction, { type: chosen.parentElement.textContent.trim(), points }) : "";
  }
  function showOpen() {
    if (!data.marks) { $("open").textContent = ""; return; }
    const { open } = reading();
    $("open").textContent = isOpen(reading()) ? fill(texts.mark_on, { start: seconds(open) }) : texts.mark_off;
  }
  function undo() {
    if (!data.marks) return;
    const one = reading();
    if (isOpen(one)) {
      $("open").textContent = fill(texts.dropped, { start: seconds(one.open) });
      delete one.open;
      keep();
      showMarks();
    } else if (one.intervals.length) remove(one.intervals.at(-1));
  }
  function mark() {
    if (!data.marks) return;
    const now = Math.round(video.currentTime * 1000) / 1000;
    const one = reading();
    if (!isOpen(one)) {
      one.open = now;
      showOpen();
    } else {
      const [start, stop] = [one.open, now];
      delete one.open;
      const others = one.intervals;
      if (stop <= start) $("open").textContent = texts.too_short;
      else if (others.some(([a, b]) => start < b && a < stop)) $("open").textContent = texts.overlap;
      else {
        others.push([start, stop]);
        $("open").textContent = fill(texts.marked, { start: seconds(start), stop: seconds(stop) });
      }
    }
    keep();
    showMarks();
  }

  function showHelp() {
    if (!data.help) return;
    const help = shown().help;
    $("no-help").hidden = Boolean(help);
    $("clips").replaceChildren();
    $("cells").replaceChildren();
    if (!help) return;
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const length = Math.max(shown().duration_s, ...help.cells.map((cell) => cell[1]));
    svg.setAttribute("viewBox", `0 0 ${length} 1`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true"); // the clips say it in words
    for (const [start, stop, p] of help.cells) {
      const bar = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      for (const [key, value] of Object.entries(
        { x: start, y: 1 - p, width: stop - start, height: p, fill: "#0b5394", "fill-opacity": 0.5 }
      )) bar.setAttribute(key, value);
      svg.append(bar);
    }
    svg.addEventListener("click", (event) => seek(event.offsetX / svg.clientWidth * length));
    $("cells").append(svg);
    $("clips").append(...help.clips.map(([start, stop, p]) => {
      const row = document.createElement("li");
      const words = { start: seconds(start), stop: seconds(stop), p: p.toFixed(2) };
      row.append(button(fill(texts.clip, words), () => { seek(start); video.play(); }));
      return row;
    }));
  }
  function show() {
    const one = reading();
    $("at").textContent = fill(texts.at, { n: state.at + 1, all: recordings.length });
    showOpen();
    video.src = `${data.videos}/${shown().code}.mp4`;
    for (const input of form.querySelectorAll("input")) input.checked = one.answers[input.name] === input.value;
    $("note").value = one.note;
    showMarks();
    showHelp();
    keep();
  }
  function go(step) {
    const to = state.at + step;
    if (to < 0 || to >= recordings.length) return;
    const left = reading();
    say(isOpen(left) ? fill(texts.left_open, { n: state.at + 1, start: seconds(left.open) }) : "");
    state.at = to;
    show();
    $("at").focus();
  }
  function answer(item, value) {
    const input = [...form.elements].find((one) => one.name === item && one.value === value);
    if (!input) return false;
    input.checked = true;
    reading().answers[item] = value;
    keep();
    showMarks();
    say(fill(texts.answered, { question: questionOf(input), answer: input.parentElement.textContent.trim() }));
    return true;
  }
  const questionOf = (input) => input.closest("fieldset").querySelector("legend").textContent;
  // A digit is for the group of answers that has the focus, if its answers are digits.
  function digit(key, target) {
    const own = target.matches("#answers input[type=radio]")
      ? [...form.elements].filter((one) => one.name === target.name) : [];
    const item = own.some((one) => /^\d+$/.test(one.value)) ? target.name : "confidence";
    if (answer(item, key)) {
      if (item === target.name) own.find((one) => one.checked).focus();
    } else say(fill(texts.no_answer, { question: questionOf(target), answer: key }));
  }
  function nextType() {
    const all = [...form.elements].filter((one) => one.name === "type");
    const at = all.findIndex((one) => one.checked);
    answer("type", all[(at + 1) % all.length].value);
  }
  function save() {
    const { format, study, rater, period, help } = data;
    const all = recordings.map(({ code }) => state.readings[code]);
    const readings = all.filter(Boolean).map(({ open: _, ...one }) => one)
      .filter((one) => Object.keys(one.answers).length || one.intervals.length || one.note);
    const open = all.flatMap((one, k) => (isOpen(one) ? [k + 1] : []));
    const saved = new Date().toISOString();
    const file = { format, study, rater, period, help, started: state.started, saved, readings };
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([JSON.stringify(file, null, 1)], { type: "application/json" }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    $("saved").textContent = fill(texts.saved, { name, open: recordings.length - nDone() })
      + (open.length ? ` ${fill(texts.saved_open, { recordings: open.join(", ") })}` : "");
  }

  const acts = {
    play: () => (video.paused ? video.play() : video.pause()),
    back: () => seek(video.currentTime - 1),
    forward: () => seek(video.currentTime + 1),
    mark,
    undo,
    previous: () => go(-1),
    next: () => go(1),
    save,
  };
  const verdicts = { r: "at_risk", o: "not_at_risk", x: "not_judged" };
  const letters = { f: "mark", u: "undo", p: "previous", n: "next", s: "save" };
  function press(event) {
    const { target, key } = event;
    if ($("reading").hidden || event.ctrlKey || event.metaKey || event.altKey) return;
    if (target.matches("textarea, input[type=file]")) return;
    const low = key.toLowerCase();
    // A button takes the space bar, a group of answers and the player take the arrows.
    const arrows = !target.matches("input, video");
    const step = event.shiftKey ? 5 : 1;
    // Keys of one character may come from speech or a slip of the hand: they can be turned off.
    const single = !state.no_single_keys;
    // Space does nothing to an answer that is chosen already: there it plays, too.
    const takesSpace = target.matches("button, input:not([type=radio]:checked), video, summary");
    if (!single && key.length === 1 && key !== " ") return;
    if (low in letters) acts[letters[low]]();
    else if (low in verdicts) answer("verdict", verdicts[low]);
    else if (low === "t") nextType();
    else if (/^[1-5]$/.test(key)) digit(key, target);
    else if (key === " " && !takesSpace) acts.play();
    else if (key === "ArrowLeft" && arrows) seek(video.currentTime - step);
    else if (key === "ArrowRight" && arrows) seek(video.currentTime + step);
    else return;
    event.preventDefault();
  }

  function open() {
    $("lock").hidden = true;
    $("reading").hidden = false;
    state.started ??= new Date().toISOString();
    show();
    setInterval(() => {
      if (document.hidden) return;
      reading().spent_s += 1;
      keep();
    }, 1000);
  }
  function unlock(text) {
    let first;
    try { first = JSON.parse(text); } catch { first = {}; }
    const saved = Date.parse(first?.saved);
    const fits = first?.study === data.study && first.rater === data.rater && first.period === 1;
    if (!fits || Number.isNaN(saved)) { $("wait").textContent = texts.wrong_file; return; }
    const day = 86400000;
    const days = (Date.now() - saved) / day;
    if (days >= data.washout_days) { open(); return; }
    const date = new Date(saved + data.washout_days * day).toLocaleDateString();
    $("wait").textContent = fill(texts.wait, { days: seconds(days), washout: data.washout_days, date });
    $("early").hidden = false;
  }

  document.addEventListener("keydown", press);
  // After a click by pointer the space bar is to play, not to press the same button again; who
  // came by keyboard keeps the focus (such a click has no detail).
  document.addEventListener("click", ({ target, detail }) => { if (detail) target.closest("button, summary")?.blur(); });
  $("single").addEventListener("change", ({ target }) => { state.no_single_keys = !target.checked; keep(); });
  for (const one of document.querySelectorAll("[data-do]")) one.addEventListener("click", acts[one.dataset.do]);
  form.addEventListener("change", ({ target }) => { if (target.type === "radio") answer(target.name, target.value); });
  form.addEventListener("submit", (event) => event.preventDefault());
  $("note").addEventListener("input", () => { reading().note = $("note").value; keep(); });
  video.addEventListener("error", () => { $("open").textContent = texts.no_video; });
  $("early").addEventListener("click", open);
  $("first").addEventListener("change", async () => {
    const [file] = $("first").files;
    if (!file) return;
    const text = await file.text();
    $("first").value = ""; // so that the same file can be chosen again
    unlock(text);
  });
  load();
  $("single").checked = !state.no_single_keys;
  if (data.period === 1 || state.started) open();
  else $("lock").hidden = false;
})();
