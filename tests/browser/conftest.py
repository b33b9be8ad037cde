"""Debian's Chromium, headless, without a network; it fails a test by any word in its console."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Return a browser, or skip where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Debian's chromium is not installed")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=chromium, args=arguments)
        yield found
        found.close()


@pytest.fixture(params=[{}])
def page(browser: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Give a page that asks for files alone and says nothing in its console.

    A parameter is what the browser's context is made with: a tablet's screen, a scheme.
    """
    said: list[str] = []
    context = browser.new_context(offline=True, accept_downloads=True, **request.param)
    shown = context.new_page()
    shown.on("console", lambda message: said.append(message.text))
    shown.on("pageerror", lambda error: said.append(str(error)))
    shown.on("dialog", lambda dialog: (said.append("a dialog"), dialog.dismiss()))
    shown.on(
        "request",
        lambda asked: (
            None if asked.url.startswith(("file:", "data:", "blob:")) else said.append(asked.url)
        ),
    )
    yield shown
    context.close()
    assert said == []


def until(page: Any, expression: str, seconds: float = 30) -> None:
    """Wait until an expression is true. Asked from outside: the page forbids itself to evaluate."""
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"never came: {expression}"
        page.wait_for_timeout(50)


def serious(page: Any) -> list[str]:
    """Return what axe finds that keeps somebody from using a page."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    found = axe.Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {[node['target'] for node in one['nodes']][:3]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
