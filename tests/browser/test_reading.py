"""The reading page in headless Chromium: from disk, no network, all by keyboard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fidgety.config.reading import ReadingConfig
from fidgety.reading.page import page_name, reading_page, video_folder
from fidgety.reading.plan import Coded, Key, Shown, plan_reading
from fidgety.reading.returned import read_returned, tabulate
from fidgety.video.write import VideoWriter
from tests.browser.conftest import serious, until

pytestmark = pytest.mark.slow

CONFIG = ReadingConfig(raters=("r1",), order="first_without", mos_r=True)
HELP = {"cells": [[0.0, 2.0, 0.9], [2.0, 4.0, 0.2]], "clips": [[0.0, 2.0, 0.9]]}
LENGTH_S = 4.0


def write_grey(place: Path, key: Key) -> None:
    """Write grey videos under all codes."""
    place.mkdir()
    for code in key.codes:
        with VideoWriter(place / f"{code}.mp4", 10, 64, 64) as writer:
            for shade in range(round(10 * LENGTH_S)):
                writer.write(np.full((64, 64, 3), 4 * shade, dtype=np.uint8))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Key]:
    """Write the pages of one rater, with grey videos."""
    folder = tmp_path_factory.mktemp("reading")
    coded = [Coded(f"rec-{k}", f"infant-{k}", LENGTH_S) for k in range(2)]
    key = plan_reading(coded, CONFIG, 3, Shown("hidden", 64, 64))
    for sitting in key.sittings:
        write_grey(folder / video_folder(sitting), key)
    for sitting in key.sittings:
        page = reading_page(sitting, key, dict.fromkeys(key.codes, HELP), CONFIG, phantoms=True)
        (folder / page_name(sitting)).write_text(page, encoding="utf-8")
    return folder, key


def save(page: Any, folder: Path) -> Path:
    """Press the key that saves, and return the file."""
    with page.expect_download() as waiting:
        page.keyboard.press("s")
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def give_points(page: Any) -> None:
    """Answer all of MOS-R."""
    for name, points in {"fidgety": 12, "patterns": 4, "repertoire": 2, "postures": 1}.items():
        page.check(f"input[name=mos_{name}][value='{points}']")
    page.check("input[name=mos_character][value='4']")


def test_what_contradicts_itself_is_said_at_once(page: Any, study: tuple[Path, Key]) -> None:
    opened(page, study[0])
    page.check("input[name=type][value=absent]")
    page.check("input[name=mos_fidgety][value='12']")
    assert "Absent, and 12 points" in page.inner_text("#doubt")
    page.check("input[name=mos_fidgety][value='1']")
    assert page.inner_text("#doubt") == ""


def test_at_the_age_of_writhing_nothing_is_marked(page: Any, tmp_path: Path) -> None:
    config = ReadingConfig(raters=("r1",), age="writhing")
    key = plan_reading([Coded("r", "i", 4.0)], config, 1, Shown("hidden", 64, 64))
    write_grey(tmp_path / video_folder(key.sittings[0]), key)
    path = tmp_path / "page.html"
    path.write_text(reading_page(key.sittings[0], key, {}, config, phantoms=False))
    page.goto(path.as_uri())
    assert not page.query_selector_all("#mark, #marks")
    page.click("summary")
    shown = page.inner_text("main")
    assert not any(word in shown.lower() for word in ("interval", "fidgety"))
    for one in ("f", "u", "x"):
        page.keyboard.press(one)
    assert "1 of 1 done" in page.inner_text("#done")


def test_marks_by_keyboard_come_back_as_annotations(
    page: Any, study: tuple[Path, Key], tmp_path: Path
) -> None:
    folder, key = study
    page.goto((folder / "r1-1.html").as_uri())
    until(page, "document.getElementById('video').readyState >= 1")
    press = page.keyboard.press
    for one in ("ArrowRight", "f", "ArrowRight", "ArrowRight", "f"):
        press(one)
    for one in ("o", "4", "t"):
        press(one)
    assert "0 of 2 done" in page.inner_text("#done")
    give_points(page)
    assert "1 of 2 done" in page.inner_text("#done")
    for one in ("n", "r", "5", "t", "t"):
        press(one)
    give_points(page)
    assert "2 of 2 done" in page.inner_text("#done")
    page.reload()  # what was marked is still there
    assert "2 of 2 done" in page.inner_text("#done")
    intervals, readings = tabulate(read_returned([save(page, tmp_path)], key), key)
    first, second = (key.codes[code].recording for code in key.sittings[0].codes)
    assert intervals.to_numpy().tolist() == [
        [first, 1.0, 3.0, "fidgety", "r1"],
        [second, 0.0, LENGTH_S, "other", "r1"],
    ]
    assert readings["verdict"].tolist() == ["not_at_risk", "at_risk"]
    assert readings["type"].tolist() == ["continuous", "intermittent"]


def test_the_second_reading_opens_after_the_washout_or_says_that_it_did_not(
    page: Any, study: tuple[Path, Key], tmp_path: Path
) -> None:
    folder, _ = study
    page.goto((folder / "r1-1.html").as_uri())
    page.keyboard.press("o")
    saved = save(page, tmp_path)
    page.goto((folder / "r1-2.html").as_uri())
    assert not page.is_visible("#reading")
    page.set_input_files("#first", str(saved))
    page.wait_for_selector("#early")
    assert not page.is_visible("#reading")
    old = {**json.loads(saved.read_text()), "saved": "2020-01-01T00:00:00Z"}
    saved.write_text(json.dumps(old))
    page.set_input_files("#first", str(saved))
    page.wait_for_selector("#reading")
    page.click("#clips button")
    assert page.evaluate("document.getElementById('video').currentTime") < 2


def opened(page: Any, folder: Path) -> Any:
    """Open the first page and wait for its video; return what presses a key."""
    page.goto((folder / "r1-1.html").as_uri())
    until(page, "document.getElementById('video').readyState >= 1")
    return page.keyboard.press


def test_a_digit_answers_the_question_that_has_the_focus(
    page: Any, study: tuple[Path, Key], tmp_path: Path
) -> None:
    press = opened(page, study[0])
    page.focus("input[name=mos_patterns]")
    press("4")
    assert page.is_checked("input[name=mos_patterns][value='4']")
    press("5")  # no points of this question: no answer to another one
    assert "has no answer 5" in page.inner_text("#told")
    assert not page.query_selector_all("input[name=confidence]:checked")
    page.focus("input[name=verdict]")
    press("3")
    read = json.loads(save(page, tmp_path).read_text())["readings"]
    assert [one["answers"] for one in read] == [{"mos_patterns": "4", "confidence": "3"}]


def test_cannot_be_judged_is_all_there_is_to_say(page: Any, study: tuple[Path, Key]) -> None:
    press = opened(page, study[0])
    press("x")
    assert "1 of 2 done" in page.inner_text("#done")
    press("r")
    assert "0 of 2 done" in page.inner_text("#done")


def test_space_plays_after_a_click_on_a_button(page: Any, study: tuple[Path, Key]) -> None:
    press = opened(page, study[0])
    page.click("#mark")
    press(" ")
    until(page, "!document.getElementById('video').paused")
    assert page.get_attribute("#mark", "aria-pressed") == "true", "it is still open"
    press(" ")
    until(page, "document.getElementById('video').paused")
    page.focus("#mark")  # by keyboard the button is pressed, as everywhere
    press(" ")
    assert page.get_attribute("#mark", "aria-pressed") == "false"


def test_an_open_interval_is_kept_and_said(
    page: Any, study: tuple[Path, Key], tmp_path: Path
) -> None:
    press = opened(page, study[0])
    for one in ("o", "4", "t", "f", "n"):
        press(one)
    assert "Recording 1: the interval from 0.0 s is still open" in page.inner_text("#told")
    assert page.get_attribute("#mark", "aria-pressed") == "false"
    assert "0 of 2 done" in page.inner_text("#done")
    saved = json.loads(save(page, tmp_path).read_text())
    assert "open, of recordings 1" in page.inner_text("#saved")
    assert "open" not in saved["readings"][0]
    page.reload()
    until(page, "document.getElementById('video').readyState >= 1")
    press("p")
    until(page, "document.getElementById('video').readyState >= 1")
    assert page.get_attribute("#mark", "aria-pressed") == "true"
    press("ArrowRight")
    press("f")
    assert "Marked 0.0 to 1.0 s" in page.inner_text("#open")


def test_single_keys_can_be_turned_off(page: Any, study: tuple[Path, Key]) -> None:
    press = opened(page, study[0])
    page.click("summary")
    page.uncheck("#single")
    page.evaluate("document.activeElement.blur()")
    for one in ("f", "r", "3", "t", "n"):
        press(one)
    assert not page.query_selector_all("input[type=radio]:checked")
    assert "Recording 1" in page.inner_text("#at")
    press(" ")
    until(page, "!document.getElementById('video').paused")
    page.reload()
    assert not page.is_checked("#single"), "the choice is kept"


@pytest.mark.parametrize("name", ["r1-1.html", "r1-2.html"])
def test_axe_finds_nothing_serious(page: Any, study: tuple[Path, Key], name: str) -> None:
    folder, _ = study
    page.goto((folder / name).as_uri())
    assert serious(page) == []
