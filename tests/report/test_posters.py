"""Stills that stand in a video's place: of the video itself, small, and hiding what it hides."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from fidgety.pose.tracks import write_pose
from fidgety.report.overlay import Image
from fidgety.report.posters import MOST_BYTES, clearest_frame, encode, poster
from fidgety.storage import Provenance
from fidgety.video.read import iter_frames
from fidgety.video.write import VideoWriter
from tests.report.conftest import SIDE, Site, body_pose, job, write_video
from tests.report.test_pages import one, soup
from workflow_scripts import draw_overlay


def decoded(link: str) -> Image:
    """The picture of a ``data:`` link, RGB."""
    kind, _, content = link.partition(";base64,")
    assert kind == "data:image/jpeg"
    raw = np.frombuffer(base64.b64decode(content), dtype=np.uint8)
    return np.asarray(cv2.imdecode(raw, cv2.IMREAD_COLOR)[..., ::-1], dtype=np.uint8)


def grey_ramp(path: Path, n: int = 20) -> None:
    """A video whose frame ``k`` is of brightness ``10 k``."""
    with VideoWriter(path, 25, 64, 48) as writer:
        for k in range(n):
            writer.write(np.full((48, 64, 3), 10 * k, dtype=np.uint8))


@pytest.mark.parametrize(("frame", "shown"), [(None, 10), (0, 0), (7, 7), (19, 19), (400, 19)])
def test_it_is_the_frame_that_is_asked_for(frame: int | None, shown: int, tmp_path: Path) -> None:
    grey_ramp(tmp_path / "ramp.mp4")
    picture = decoded(poster(tmp_path / "ramp.mp4", frame))
    assert picture.shape == (48, 64, 3)
    assert np.abs(picture.astype(int) - 10 * shown).max() <= 4


def test_red_stays_red() -> None:
    picture = np.zeros((40, 40, 3), dtype=np.uint8)
    picture[..., 0] = 200
    link = f"data:image/jpeg;base64,{base64.b64encode(encode(picture)).decode()}"
    np.testing.assert_allclose(decoded(link).mean(axis=(0, 1)), (200, 0, 0), atol=5)


def test_a_restless_picture_gives_way_and_a_plain_one_does_not() -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (1080, 1920, 3), dtype=np.uint8)
    for picture in (noise, noise[:270, :360], noise[:, :200]):
        assert len(encode(np.ascontiguousarray(picture))) <= MOST_BYTES
    plain = np.zeros((1080, 1920, 3), dtype=np.uint8)
    plain[:] = np.linspace(0, 255, 1920)[None, :, None]
    assert cv2.imdecode(np.frombuffer(encode(plain), np.uint8), cv2.IMREAD_COLOR).shape[1] == 360


def test_the_clearest_frame_has_all_keypoints_that_any_has() -> None:
    pose = body_pose(3.0)
    position = pose.position.copy()
    position[:5] = np.nan
    position[5:9, :, 0] = np.nan
    assert clearest_frame(pose) == 0
    assert clearest_frame(replace(pose, position=position)) == 9
    assert clearest_frame(replace(pose, position=np.full_like(position, np.nan))) == 0


def test_of_a_skeleton_alone_the_poster_shows_no_more(tmp_path: Path) -> None:
    pose = body_pose(1.0)
    write_pose(tmp_path / "clean.h5", pose, Provenance())
    write_video(tmp_path / "video.mp4", pose.n_frames)
    bright = {}
    for overlay in ("skeleton", "video"):
        made = tmp_path / f"{overlay}.mp4"
        draw_overlay.main(
            job(
                input={"clean": tmp_path / "clean.h5", "video": tmp_path / "video.mp4"},
                output={"video": made},
                params={"config": {"overlay": overlay}},
            )
        )
        picture = decoded(poster(made, clearest_frame(pose)))
        assert picture.shape == (SIDE, SIDE, 3)
        assert picture.max() > 100, "the skeleton is there"
        bright[overlay] = (picture.min(axis=2) > 200).mean()
    # The video is white all over.
    assert bright["skeleton"] < 0.01
    assert bright["video"] > 0.3


def test_every_video_of_a_page_has_a_poster_out_of_itself(site: Site) -> None:
    for infant in ("d1", "e1"):
        page = soup(site.text(infant))
        videos = page.find_all("video")
        assert len(videos) >= 2, "the recording and a clip"
        for video in videos:
            picture = decoded(str(video["poster"])).astype(int)
            path = site.pages[infant].parent / str(video["src"])
            nearest = min(np.abs(picture - frame).mean() for frame in iter_frames(path))
            assert nearest < 6, video["src"]
        # The picture is white but for the head: what hides it is in the poster, too.
        own = decoded(str(one(page, ".recording > video")["poster"])).astype(int)
        head = own[round(0.2 * len(own)) : round(0.28 * len(own)), 55:75]
        assert np.median(head) < 40
        assert np.median(own) > 200


def test_without_a_video_there_is_no_poster(site: Site) -> None:
    assert not soup(site.text("d5")).select("[poster]")
