"""The report in headless Chromium: opened from disk, sorted, searched, paged, played."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from tests.browser.conftest import serious, until
from tests.report.conftest import ATTACK, Site, build_site, index_of

pytestmark = pytest.mark.slow

INFANTS = "#infants ~ .scroll table"
TOOLS = "#infants ~ .table-tools"
TABLET = {"viewport": {"width": 820, "height": 1180}, "has_touch": True}
EVERYWHERE = pytest.mark.parametrize("page", [{}, TABLET], indirect=True, ids=["desk", "tablet"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return build_site(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def thousand(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the index of a study of 1,000 infants."""
    roles = ("external", "new", "new", "new")
    infants = pd.DataFrame(
        {
            "infant": [f"i{k}" for k in range(1000)],
            "role": [roles[k % 4] for k in range(1000)],
            "label": "",
            "model": "cnn1d",
            "probability": ["" if k == 7 else k * 37 % 1000 / 1000 for k in range(1000)],
            "low": "",
            "high": "",
            "threshold": 0.5,
            "decision": "at risk",
            "votes": 1,
            "folds": 1,
            "fms_frequency": "",
            "status": "ok",
            "reason": "",
            "reason_detail": [f"words {k}" for k in range(1000)],
        }
    )
    return index_of(site, infants, tmp_path_factory.mktemp("thousand"))


def first_column(page: Any) -> list[str]:
    """Return the ids in the table of infants as it is shown."""
    return page.locator(f"{INFANTS} >> nth=0").locator("tbody th").all_inner_texts()


def count(page: Any) -> str:
    """Return what the table says of itself."""
    return page.locator(f"{TOOLS} >> nth=0").locator("[role=status]").inner_text()


def test_a_thousand_infants_are_sorted_searched_filtered_and_paged(
    page: Any, thousand: Path
) -> None:
    page.goto(thousand.as_uri())
    tools = page.locator(TOOLS).first
    assert first_column(page) == [f"i{k}" for k in range(100)]
    assert count(page) == "1 to 100 of 1000 rows"
    tools.get_by_role("button", name="Next rows").click()
    assert first_column(page) == [f"i{k}" for k in range(100, 200)]

    page.locator(INFANTS).first.get_by_role("button", name="Probability").click()
    in_order = sorted((k for k in range(1000) if k != 7), key=lambda k: k * 37 % 1000)
    assert first_column(page) == [f"i{k}" for k in in_order[:100]]
    page.keyboard.press("Enter")  # the heading has the focus: the other way round
    assert first_column(page) == [f"i{k}" for k in in_order[::-1][:100]]
    heading = page.locator(f"{INFANTS} thead th").nth(5)
    assert heading.get_attribute("aria-sort") == "descending"
    for _ in range(9):
        tools.get_by_role("button", name="Next rows").press("Enter")
    assert first_column(page)[-1] == "i7", "what is missing comes last, either way"
    assert tools.get_by_role("button", name="Next rows").is_disabled()

    tools.get_by_label("Role").select_option("external")
    assert count(page) == "1 to 100 of 250 rows that match, of 1000"
    tools.get_by_label("Search").fill("MOVEMENTS i48")
    matching = [k for k in in_order[::-1] if k % 4 == 0 and str(k).startswith("48")]
    assert first_column(page) == [f"i{k}" for k in matching]
    tools.get_by_label("Search").fill("nobody is called so")
    assert (first_column(page), count(page)) == ([], "No rows that match, of 1000")


@EVERYWHERE
def test_pages_open_from_disk_and_axe_finds_nothing_serious(page: Any, site: Site) -> None:
    for path in (site.index, site.pages["e1"], site.pages["d5"]):
        page.goto(path.as_uri())
        assert serious(page) == []


def test_text_from_the_sheet_stays_text(page: Any, site: Site) -> None:
    page.goto(site.index.as_uri())
    assert ATTACK in page.inner_text("body")
    assert page.locator("img[src=x]").count() == 0
    page.goto(site.pages["e1"].as_uri())
    assert ATTACK in page.locator("body").text_content()
    assert page.locator("img[src=x]").count() == 0


@EVERYWHERE
def test_the_timeline_moves_the_video_and_the_video_the_timeline(page: Any, site: Site) -> None:
    page.goto(site.pages["e1"].as_uri())
    until(page, "document.querySelector('.recording video').readyState >= 1")
    strip = page.locator(".recording .strip").first
    box = strip.locator("svg").bounding_box()
    strip.click(position={"x": box["width"] / 20, "y": 5})
    seconds = page.evaluate("document.querySelector('.recording video').currentTime")
    length = float(strip.get_attribute("aria-valuemax"))
    assert seconds == pytest.approx(length / 20, abs=0.05 * length)
    strip.press("Home")
    assert page.evaluate("document.querySelector('.recording video').currentTime") == 0
    page.evaluate("document.querySelector('.recording video').currentTime = 1.5")
    until(
        page, "+document.querySelector('.recording .strip').getAttribute('aria-valuenow') === 1.5"
    )


@EVERYWHERE
def test_lanes_lie_under_the_timeline_and_move_with_it(page: Any, site: Site) -> None:
    page.goto(site.pages["e1"].as_uri())
    until(page, "document.querySelector('.recording video').readyState >= 1")
    boxes = page.evaluate(
        "[...document.querySelectorAll('.recording .strip svg')]"
        ".map((svg) => svg.getBoundingClientRect()).map(({ left, width }) => [left, width])"
    )
    assert len(boxes) > 10
    assert all(box == pytest.approx(boxes[0], abs=0.5) for box in boxes), "one looks straight down"

    lanes = page.locator(".recording .lanes").nth(1)
    picture = lanes.locator("svg").last
    picture.scroll_into_view_if_needed()
    length = float(lanes.get_attribute("aria-valuemax"))
    # The video is three seconds long, the timeline longer.
    picture.click(position={"x": 2.0 / length * picture.bounding_box()["width"], "y": 5})
    now = "document.querySelector('.recording video').currentTime"
    assert page.evaluate(now) == pytest.approx(2.0, abs=0.02 * length)
    lines = (
        "[...document.querySelectorAll('.recording line.now')].map((l) => +l.getAttribute('x1'))"
    )
    assert len({round(x, 3) for x in page.evaluate(lines)}) == 1, "one time in all of them"

    lanes.press("Home")
    lanes.press("ArrowRight")
    assert page.evaluate(now) == 1
    assert lanes.get_attribute("aria-valuetext") == "1.0 seconds, imputed: left wrist"
    page.evaluate("document.querySelector('.recording video').currentTime = 2.5")
    until(
        page, "+document.querySelector('.recording .lanes').getAttribute('aria-valuenow') === 2.5"
    )
    assert set(page.evaluate(lines)) == {2.5}
    assert lanes.get_attribute("aria-valuetext") == "2.5 seconds, missing: left wrist"


def test_lanes_are_reached_and_moved_by_the_keyboard(page: Any, site: Site) -> None:
    page.goto(site.pages["e1"].as_uri())
    until(page, "document.querySelector('.recording video').readyState >= 1")
    page.locator(".recording .strip").nth(1).focus()
    reached = []
    for _ in range(8):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.getAttribute('aria-label') || ''"))
    assert any(text.startswith("Quality of e1-r over time") for text in reached)
    assert any(text.startswith("Trajectories of wrist") for text in reached)


def test_a_clip_is_shown_in_its_recording(page: Any, site: Site) -> None:
    page.goto(site.pages["e1"].as_uri())
    until(page, "document.querySelector('.recording video').readyState >= 1")
    page.evaluate("document.querySelector('.recording video').currentTime = 2")
    button = page.get_by_role("button", name="Show in the recording").first
    start = float(button.get_attribute("data-start"))
    button.press("Enter")
    assert page.evaluate("document.querySelector('.recording video').currentTime") == start != 2
    assert page.evaluate("document.activeElement.closest('.recording') !== null")


@EVERYWHERE
def test_a_poster_stands_where_a_video_is_not_loaded(page: Any, site: Site) -> None:
    page.goto(site.pages["e1"].as_uri())
    video = page.locator(".recording video")
    # Without its file, as before a tablet loads it.
    video.evaluate("(one) => { one.removeAttribute('src'); one.controls = false; one.load(); }")
    bright = {}
    for poster in (True, False):
        if not poster:
            video.evaluate("(one) => one.removeAttribute('poster')")
        page.wait_for_timeout(200)
        shown = np.frombuffer(video.screenshot(), dtype=np.uint8)
        bright[poster] = (cv2.imdecode(shown, cv2.IMREAD_GRAYSCALE) > 200).mean()
    # The video is white but for the infant's head.
    assert bright[True] > 0.2
    assert bright[False] < 0.02, "without a poster it is black"


def test_without_scripts_all_rows_are_there(browser: Any, thousand: Path) -> None:
    context = browser.new_context(java_script_enabled=False, offline=True)
    shown = context.new_page()
    shown.goto(thousand.as_uri())
    assert len(first_column(shown)) == 1000
    context.close()
