"""How long the report's table of infants takes in a browser: to open, to sort, to search.

A page is made with a row an infant and model, and driven in headless Chromium. The baseline is the
same table without the report's script: what the browser itself takes to lay it out.

``python -m benchmarks.report_table --rows 1000 10000``
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from fidgety.report.pages import HERE

ROW = (
    '<tr><th scope="row"><a href="infants/i{k}.html">i{k}</a></th><td>{role}</td><td>normal</td>'
    '<td>cnn1d</td><td>ok</td><td class="num" data-sort="{p}">{p}</td><td>words of i{k}</td></tr>'
)
HEADS = ("Infant", "Role", "Label", "Model", "Status", "Probability", "In words")
#: A click, and the time until the browser has drawn what came of it.
TIMED = """([selector, text]) => new Promise((done) => {
  const start = performance.now();
  const target = document.querySelector(selector);
  if (text === null) target.click();
  else { target.value = text; target.dispatchEvent(new Event("input")); }
  requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
})"""


def table(rows: int, script: bool) -> str:
    """Return a page with a table of so many rows, with or without the report's script."""
    heads = "".join(f'<th scope="col"{" data-choose" * (h == "Role")}>{h}</th>' for h in HEADS)
    body = "".join(
        ROW.format(k=k, role="new" if k % 4 else "external", p=k * 37 % rows / rows)
        for k in range(rows)
    )
    style = (HERE / "assets" / "style.css").read_text(encoding="utf-8")
    code = (HERE / "assets" / "script.js").read_text(encoding="utf-8") if script else ""
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><style>{style}</style></head>'
        f'<body><div class="scroll"><table class="sortable"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div><script>{code}</script></body></html>"
    )


def opened_s(page: Page, path: Path) -> float:
    """Return the seconds until a page is loaded and drawn."""
    start = time.perf_counter()
    page.goto(path.as_uri())
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    return time.perf_counter() - start


def timed_s(page: Page, selector: str, text: str | None = None) -> float:
    """Return the seconds that a click, or a text that is typed, takes to be seen."""
    return float(page.evaluate(TIMED, [selector, text])) / 1000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[1000, 10000])
    asked = parser.parse_args()
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as driver, tempfile.TemporaryDirectory() as folder:
        browser: Any = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=arguments
        )
        for rows in asked.rows:
            page = browser.new_page()
            plain, whole = Path(folder, "plain.html"), Path(folder, "whole.html")
            plain.write_text(table(rows, script=False), encoding="utf-8")
            whole.write_text(table(rows, script=True), encoding="utf-8")
            opened_s(page, plain)  # the first page of all starts the browser's processes
            base, ours = opened_s(page, plain), opened_s(page, whole)
            print(f"{rows} rows, {whole.stat().st_size / 1e6:.1f} MB")
            print(
                f"  open: {ours:.2f} s; without the script {base:.2f} s ({ours / base:.2f} times)"
            )
            print(f"  sort by number: {timed_s(page, 'th:nth-child(6) button'):.2f} s")
            print(f"  sort by text: {timed_s(page, 'th:nth-child(7) button'):.2f} s")
            print(f"  search: {timed_s(page, 'input[type=search]', 'i99'):.2f} s")
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
