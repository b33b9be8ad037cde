"""The reading page in headless Chromium: from disk, no network, all by keyboard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fidgety.config.reading import ReadingConfig
from fidgety.reading.page import page_name, reading_page, video_folder
from fidgety.reading.plan import Coded, Key, plan_reading
from fidgety.reading.returned import read_returned, tabulate
from fidgety.video.write import VideoWriter
from tests.browser.conftest import serious, until

pytestmark = pytest.mark.slow

CONFIG = ReadingConfig(raters=("r1",), order="first_without", mos_r=True)
HELP = {"cells": [[0.0, 2.0, 0.9], [2.0, 4.0, 0.2]], "clips": [[0.0, 2.0, 0.9]]}
LENGTH_S = 4.0


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Key]:
    """Write the pages of one rater, with grey videos."""
    folder = tmp_path_factory.mktemp("reading")
    coded = [Coded(f"rec-{k}", f"infant-{k}", LENGTH_S) for k in range(2)]
    key = plan_reading(coded, CONFIG, seed=3)
    for helped in (False, True):
        place = folder / video_folder(helped)
        place.mkdir()
        for code in key.codes:
            with VideoWriter(place / f"{code}.mp4", 10, 64, 64) as writer:
                for shade in range(round(10 * LENGTH_S)):
                    writer.write(np.full((64, 64, 3), 4 * shade, dtype=np.uint8))
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


def test_marks_by_keyboard_come_back_as_annotations(
    page: Any, study: tuple[Path, Key], tmp_path: Path
) -> None:
    folder, key = study
    page.goto((folder / "r1-1.html").as_uri())
    until(page, "document.getElementById('video').readyState >= 1")
    press = page.keyboard.press
    for one in ("ArrowRight", "f", "ArrowRight", "ArrowRight", "f"):
        press(one)
    for one in ("o", "4", "t", "n", "r", "5", "t", "t"):
        press(one)
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


@pytest.mark.parametrize("name", ["r1-1.html", "r1-2.html"])
def test_axe_finds_nothing_serious(page: Any, study: tuple[Path, Key], name: str) -> None:
    folder, _ = study
    page.goto((folder / name).as_uri())
    assert serious(page) == []
