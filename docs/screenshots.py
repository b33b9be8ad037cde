"""Take the README's pictures of the report: the study's page, and an infant's with a video.

``make screenshots`` runs it on ``results/report``.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

IMAGES = Path(__file__).resolve().parent / "images"
WIDTH, HEIGHT = 1100, 1250


def take(page: Page, path: Path, name: str) -> None:
    """Take a picture of the upper part of a page, its first video in the middle of the action."""
    page.goto(path.resolve().as_uri())
    for video in page.query_selector_all("video"):
        page.evaluate("(video) => { video.preload = 'auto'; video.currentTime = 2; }", video)
    page.wait_for_timeout(1500)
    page.screenshot(path=IMAGES / name)
    print(f"{name}: {(IMAGES / name).stat().st_size / 1e3:.0f} kB")


def main(report: Path) -> None:
    """Take both."""
    # One who was filmed, if there is any: of tracks alone there is a skeleton on black.
    filmed = {path.stem for path in report.parent.glob("background/*.h5")}
    with_clips = sorted(report.glob("clips/*/01.mp4"), key=lambda clip: clip.parent.name in filmed)
    if not with_clips:
        sys.exit(f"{report}: no infant with clips; run the workflow first (make run)")
    infant = with_clips[-1].parent.name
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox"] if os.geteuid() == 0 else [],
        )
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        take(page, report / "index.html", "report.png")
        take(page, report / "infants" / f"{infant}.html", "infant.png")
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "results/report"))
