"""The clips to look at first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fidgety.evaluation.fm_types import called_type
from fidgety.report.clips import Clip, choose_clips, clip_model, cut_clip, list_clips, read_clips
from fidgety.report.infant import infant_clips
from fidgety.report.pages import to_tsv
from fidgety.report.wording import fms_words
from fidgety.video.read import iter_frames, video_info
from fidgety.video.write import VideoWriter
from tests.evaluation.test_fms import prediction
from tests.report.conftest import Site, write_video
from tests.report.test_pages import soup

LONG = {"r1": 99.0, "r2": 99.0}


def test_the_likeliest_come_first_and_none_overlap() -> None:
    said = prediction([[0.2, 0.9, 0.8, 0.7, 0.95, 0.1]])  # 9.6 s every 6 s
    chosen = choose_clips("mam", said, 3, LONG)
    assert [c.start_s for c in chosen] == [24.0, 6.0], "12 s overlaps 6 s, 18 s overlaps 24 s"
    assert [c.rank for c in chosen] == [1, 2]
    assert chosen[0].probability == pytest.approx(0.95)
    assert [c.start_s for c in choose_clips("mam", said, 1, LONG)] == [24.0]
    # Instances of different recordings do not overlap, whenever they are.
    two = prediction([[0.9, 0.8]], recording="r1", step_s=0.0)
    apart = choose_clips("mam", two.__class__(**{**vars(two), "recording": ("r1", "r2")}), 2, LONG)
    assert [c.recording for c in apart] == ["r1", "r2"]


def test_the_least_likely_come_behind_and_are_none_of_the_likeliest() -> None:
    said = prediction([[0.2, 0.9, 0.8, 0.7, 0.95, 0.1]])  # 9.6 s every 6 s
    chosen = choose_clips("mam", said, 1, LONG, 2)
    assert [(c.start_s, c.rank, c.least, c.file) for c in chosen] == [
        (24.0, 1, False, "01.mp4"),
        (0.0, 1, True, "least-01.mp4"),
        (12.0, 2, True, "least-02.mp4"),
    ], "30 s overlaps 24 s, 6 s overlaps 0 s, 18 s overlaps 24 s"
    few = choose_clips("mam", prediction([[0.3]]), 3, LONG, 3)
    assert [c.least for c in few] == [False]


def test_one_of_the_least_likely_has_a_place() -> None:
    said = prediction([[0.9, 0.7, 0.8, 0.6, 0.95, 0.7]])  # three lie apart
    chosen = choose_clips("mam", said, 3, LONG, 1)
    assert [(c.start_s, c.least) for c in chosen] == [(24.0, False), (0.0, False), (12.0, True)]
    assert [c.least for c in choose_clips("mam", said, 3, LONG)] == [False] * 3


def test_equal_ones_keep_the_order_of_time() -> None:
    chosen = choose_clips("mam", prediction([[0.5] * 6]), 3, LONG)
    assert [c.start_s for c in chosen] == [0.0, 12.0, 24.0]


def test_what_is_not_in_the_video_is_no_clip() -> None:
    said = prediction([[0.1, 0.2, 0.9]])
    assert [c.start_s for c in choose_clips("mam", said, 3, {"r1": 12.5})] == [6.0]
    assert choose_clips("mam", said, 3, {}) == []


def test_whose_clips_are_cut() -> None:
    finds, other = prediction([[0.5]]), prediction([[0.5]], detects_fidgety=False)
    assert clip_model({"a": other, "c": finds, "b": finds}) == "b"
    assert clip_model({"a": other, "c": finds, "b": finds}, "c") == "c"
    assert clip_model({"a": other}) is None
    assert clip_model({"a": finds}, "absent") is None


def test_a_clip_holds_the_very_frames(tmp_path: Path) -> None:
    source = tmp_path / "overlay.mp4"
    with VideoWriter(source, 25, 64, 48, crf=4) as writer:
        for k in range(100):
            writer.write(np.full((48, 64, 3), 2 * k, dtype=np.uint8))
    clip = Clip(1, "mam", "r", 1.0, 2.6, 0.9)
    cut_clip(source, clip, tmp_path / clip.file)
    info = video_info(tmp_path / clip.file)
    assert (info.n_frames, info.fps, info.width_px, info.height_px) == (40, 25.0, 64, 48)
    grey = [float(frame.mean()) for frame in iter_frames(tmp_path / clip.file)]
    np.testing.assert_allclose(grey, 2 * np.arange(25, 65), atol=4)


def test_the_list_is_read_as_it_was_written(tmp_path: Path) -> None:
    clips = [Clip(1, "mam", "007", 1.0, 2.5, 0.9), Clip(1, "mam", "NA", 4.0, 5.5, 0.25, True)]
    (tmp_path / "clips.tsv").write_text(to_tsv(list_clips(clips)))
    assert read_clips(tmp_path) == clips
    (tmp_path / "clips.tsv").write_text(to_tsv(list_clips([])))
    assert read_clips(tmp_path) == []


def test_an_infants_page_shows_them(site: Site) -> None:
    page = soup(site.text("d1"))
    videos = page.select(".clips video")
    assert len(videos) == 1, "the others begin behind the end of the video"
    for video in videos:
        assert (site.pages["d1"].parent / str(video["src"])).resolve().is_file()
    assert "no finding" in page.get_text()
    assert not soup(site.text("d5")).select(".clips"), "who is not assessable has none"


def test_the_type_is_told_in_words() -> None:
    assert fms_words(0.7, called_type(0.7, False, 0.603), 0.603) == (
        "Share of instances with fidgety movements: 70 %, so they would be called continuous "
        "(at or above 0.603)."
    )
    assert fms_words(0.7, "", "development").endswith("70 %.")


def test_none_found_is_said_where_the_clips_stand(tmp_path: Path) -> None:
    def headings(probability: float) -> list[str]:
        own = [
            Clip(1, "mam", "r1", 0.0, 9.0, probability),
            Clip(1, "mam", "r1", 9.0, 18.0, 0, True),
        ]
        (tmp_path / "clips.tsv").write_text(to_tsv(list_clips(own)), encoding="utf-8")
        for clip in own:
            write_video(tmp_path / clip.file, 3)
        return [kind["heading"] for kind in infant_clips(tmp_path, tmp_path / "page.html")]

    assert headings(0.51)[0] == "Most like fidgety movements"
    none, least = headings(0.5)
    assert none == "The model found none; these are the highest of all"
    assert least == "Least like fidgety movements"
