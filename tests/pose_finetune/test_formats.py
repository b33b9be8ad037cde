"""Labels survive the way through every tool's format, and wrong files are told apart."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pycocotools.coco import COCO

from fidgety.config.labelling import LabelFormat
from fidgety.errors import FidgetyError
from fidgety.files import write_json
from fidgety.pose.finetune.deeplabcut import KEY, read_deeplabcut, to_table, write_h5
from fidgety.pose.finetune.kit import Content, cvat_labels, kit_files, png, write_kit
from fidgety.pose.finetune.labelme import read_labelme, to_labelme
from fidgety.pose.finetune.labels import (
    HIDDEN,
    UNLABELLED,
    VISIBLE,
    LabelError,
    LabelledFrame,
    Labels,
    frame_name,
    marked_box,
    merge,
    pairs_of,
    read_coco,
    reorder,
    source_of,
    to_coco,
)
from fidgety.pose.finetune.pick import body_box
from fidgety.pose.finetune.picked import Picked, marks, read_picked, write_picked
from fidgety.pose.tracks import Origin
from fidgety.skeletons import BLAZEPOSE_33, COCO_17
from fidgety.storage import Provenance
from tests.pose.infant import infant_pose

K = len(COCO_17.keypoints)
SIZE = (64, 48)


def frame(
    number: int = 3, recording: str = "rec-1", infant: str = "inf-1", seed: int = 0
) -> LabelledFrame:
    rng = np.random.default_rng(seed + number)
    position = rng.uniform((0, 0), SIZE, (K, 2)).round(3)
    flag = rng.choice([UNLABELLED, HIDDEN, VISIBLE], K, p=[0.2, 0.2, 0.6])
    flag[:2] = VISIBLE
    position[flag == UNLABELLED] = np.nan
    box = (1.0, 2.0, 50.0, 40.5)
    return LabelledFrame(
        frame_name(recording, number), *SIZE, position, flag, box, recording, infant, number
    )


def labels(*frames: LabelledFrame) -> Labels:
    return Labels(COCO_17.keypoints, frames or (frame(3), frame(9)), COCO_17.bones)


def picked(recording: str = "rec-1", n: int = 2) -> Picked:
    frames = [frame(10 * k, recording) for k in range(n)]
    rng = np.random.default_rng(5)
    return Picked(
        recording,
        "inf-1",
        COCO_17.keypoints,
        rng.integers(0, 255, (n, SIZE[1], SIZE[0], 3), dtype=np.uint8),
        np.array([f.frame for f in frames]),
        np.arange(n) * 0.4,
        np.ones(n),
        np.stack([f.position for f in frames]),
        np.stack([f.flag for f in frames]),
        np.stack([f.box for f in frames]),
    )


def same(one: LabelledFrame, other: LabelledFrame, *, flags: bool = True) -> None:
    np.testing.assert_allclose(one.position, other.position, atol=6e-4)
    if flags:
        np.testing.assert_array_equal(one.flag, other.flag)
    assert (one.recording, one.frame) == (other.recording, other.frame)
    assert (one.width_px, one.height_px) == (other.width_px, other.height_px)


def test_coco_and_back(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", to_coco(labels()))
    back = read_coco(tmp_path / "a.json")
    assert back.keypoints == COCO_17.keypoints
    assert set(back.bones) == set(COCO_17.bones)
    for one, other in zip(labels().frames, back.frames, strict=True):
        same(one, other)
        assert other.infant == "inf-1"
        assert other.box == pytest.approx(one.box)


def test_pycocotools_reads_what_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_json(tmp_path / "a.json", to_coco(labels()))
    coco = COCO(str(tmp_path / "a.json"))
    capsys.readouterr()
    annotation = coco.loadAnns(coco.getAnnIds(imgIds=1))[0]
    marked = labels().frames[0].marked
    assert annotation["num_keypoints"] == marked.sum()
    assert coco.loadCats([1])[0]["keypoints"] == list(COCO_17.keypoints)


def as_cvat_exports(content: dict[str, Any]) -> dict[str, Any]:
    """Return a file as CVAT writes it: own keys gone, more categories, attributes added."""
    out = json.loads(json.dumps(content))
    for image in out["images"]:
        for key in ("recording", "infant", "frame"):
            del image[key]
        image |= {"license": 0, "flickr_url": "", "coco_url": "", "date_captured": 0}
        image["file_name"] = f"default/{image['file_name']}"
    for annotation in out["annotations"]:
        annotation["attributes"] = {"occluded": False, "keyframe": False}
    out["categories"].insert(0, {"id": 2, "name": "hand", "supercategory": "", "keypoints": []})
    return out | {"licenses": [{"name": "", "id": 0, "url": ""}], "info": {"description": ""}}


def test_a_file_of_cvat_is_read_and_its_recording_known(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", as_cvat_exports(to_coco(labels())))
    back = read_coco(tmp_path / "a.json")
    for one, other in zip(labels().frames, back.frames, strict=True):
        same(one, other)
        assert other.group == "rec-1"


def test_of_two_persons_the_fuller_one_counts(tmp_path: Path) -> None:
    content = to_coco(labels(frame(3)))
    hand = json.loads(json.dumps(content["annotations"][0])) | {"id": 7}
    hand["keypoints"] = [0] * (3 * K - 3) + [1, 1, 2]
    content["annotations"].insert(0, hand)
    write_json(tmp_path / "a.json", content)
    same(frame(3), read_coco(tmp_path / "a.json").frames[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("images"), "no COCO keypoints file"),
        (lambda c: c["categories"][0].pop("keypoints"), "no category has keypoints"),
        (lambda c: c["annotations"][0]["keypoints"].pop(), "50 numbers for 17 keypoints"),
        (lambda c: c["annotations"][0].update(image_id=99), "not among `images`"),
        (lambda c: c["annotations"][0]["keypoints"].__setitem__(2, 5), "none of 0, 1 and 2"),
        (lambda c: c["images"][0].update(width=0), "size is 0 x 48"),
        (lambda c: c["categories"][0]["keypoints"].__setitem__(1, "nose"), "stands twice"),
    ],
)
def test_a_wrong_coco_file_is_refused_with_its_name(
    tmp_path: Path, change: Any, message: str
) -> None:
    content = to_coco(labels())
    change(content)
    write_json(tmp_path / "wrong.json", content)
    with pytest.raises(LabelError, match=message) as error:
        read_coco(tmp_path / "wrong.json")
    assert "wrong.json" in str(error.value)


def test_labelme_and_back(tmp_path: Path) -> None:
    for one in labels().frames:
        content = to_labelme(one, COCO_17.keypoints, f"../images/{one.file}")
        write_json(tmp_path / f"{Path(one.file).stem}.json", content)
    back = read_labelme(tmp_path)
    assert back.keypoints == COCO_17.keypoints
    for one, other in zip(labels().frames, back.frames, strict=True):
        same(one, other)
        assert other.box == pytest.approx(one.box)
        assert other.file == f"../images/{one.file}"


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"label": "nose", "points": [[1, 1]], "shape_type": "point"}, "marked twice"),
        ({"label": "tail", "points": [[1, 1]], "shape_type": "point"}, "'tail' is none of"),
        ({"label": "nose", "shape_type": "point"}, "no labelme file"),
    ],
)
def test_a_wrong_labelme_file_is_refused(
    tmp_path: Path, shape: dict[str, Any], message: str
) -> None:
    content = to_labelme(frame(), COCO_17.keypoints, "a.png")
    content["shapes"].append(shape)
    write_json(tmp_path / "a.json", content)
    with pytest.raises(LabelError, match=message):
        read_labelme(tmp_path, COCO_17.keypoints)


def test_a_folder_without_labelme_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="no labelme file"):
        read_labelme(tmp_path)
    write_json(tmp_path / "a.json", {"images": []})
    with pytest.raises(LabelError, match=r"a\.json: is no labelme file"):
        read_labelme(tmp_path)


def write_deeplabcut(folder: Path, frames: tuple[LabelledFrame, ...]) -> Path:
    folder.mkdir(parents=True)
    for one in frames:
        (folder / one.file).write_bytes(png(np.zeros((SIZE[1], SIZE[0], 3), np.uint8)))
    path = folder / "CollectedData_lab.csv"
    to_table(frames, COCO_17.keypoints, "lab").to_csv(path)
    return path


def test_deeplabcut_and_back(tmp_path: Path) -> None:
    frames = labels().frames
    path = write_deeplabcut(tmp_path / "labeled-data" / "rec-1", frames)
    back = read_deeplabcut(path)
    assert back.keypoints == COCO_17.keypoints
    for one, other in zip(frames, back.frames, strict=True):
        same(one, other, flags=False)
        np.testing.assert_array_equal(one.marked, other.marked)
    # DeepLabCut counts from the centre of the first pixel.
    table = pd.read_csv(path, header=[0, 1, 2], index_col=[0, 1, 2])
    assert table.iloc[0, 0] == pytest.approx(frames[0].position[0, 0] - 0.5)


def test_deeplabcut_s_older_single_index_is_read(tmp_path: Path) -> None:
    path = write_deeplabcut(tmp_path / "labeled-data" / "some video", labels().frames)
    table = pd.read_csv(path, header=[0, 1, 2], index_col=[0, 1, 2])
    table.index = pd.Index(["labeled-data/some video/" + i[2] for i in table.index])
    table.to_csv(path)
    same(labels().frames[0], read_deeplabcut(path).frames[0], flags=False)


def test_deeplabcut_s_h5_holds_the_table_and_no_time(tmp_path: Path) -> None:
    pytest.importorskip("tables")
    table = to_table(labels().frames, COCO_17.keypoints, "lab")
    write_h5(tmp_path / "a.h5", table)
    pd.testing.assert_frame_equal(pd.read_hdf(tmp_path / "a.h5", KEY), table)
    import h5py

    with h5py.File(tmp_path / "a.h5") as file:
        times: list[int] = []
        file.visititems(lambda _, o: times.append(h5py.h5g.get_objinfo(o.id).mtime))
    assert times
    assert not any(times)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no CollectedData file"),
        ("a,b\n1,2\n", "no CollectedData file"),
        ("scorer,s,s\nindividuals,i,i\nbodyparts,n,n\ncoords,x,y\n", "several animals"),
        ("scorer,s,s\nbodyparts,n,n\ncoords,x,z\na.png,1,2\n", "columns x and y"),
        ("scorer,s,s\nbodyparts,n,n\ncoords,x,y\na.png,1,dog\n", "table of numbers"),
        ("scorer,s,s\nbodyparts,n,n\ncoords,x,y\na.png,1,2\n", r"a\.png is missing"),
    ],
)
def test_a_wrong_deeplabcut_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "CollectedData_lab.csv"
    path.write_text(text)
    with pytest.raises(LabelError, match=message):
        read_deeplabcut(path)


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("a-1_b__f000123.png", ("a-1_b", 123)),
        ("a__f000001__f1234567.png", ("a__f000001", 1234567)),
        ("labeled-data/baby 3/img0042.png", ("baby 3", 42)),
        ("images/default/img7.jpg", ("", 7)),
        ("../images/x.png", ("", None)),
    ],
)
def test_a_picture_s_name_says_its_recording(file: str, source: tuple[str, int | None]) -> None:
    assert source_of(file) == source


def test_files_of_several_tools_are_joined_and_contradictions_found() -> None:
    one, two = labels(frame(3)), labels(frame(4, "rec-2", "inf-2"))
    turned = reorder(two, COCO_17.keypoints[::-1])
    joined = merge([one, turned])
    assert joined.groups == ("inf-1", "inf-2")
    same(joined.frames[1], two.frames[0])
    with pytest.raises(LabelError, match="labelled twice"):
        merge([one, one])
    fewer = reorder(two, COCO_17.keypoints[:5])
    assert all(set(b) <= set(fewer.keypoints) for b in fewer.bones)
    with pytest.raises(LabelError, match="different keypoints"):
        merge([one, fewer])
    with pytest.raises(LabelError, match="no picture"):
        merge([])


@given(margin=st.floats(0, 1))
def test_the_box_around_marks_holds_them_and_stays_in_the_picture(margin: float) -> None:
    x, y, width, height = marked_box(frame(), margin)
    points = frame().position[frame().marked]
    assert (points >= np.array([x, y]) - 1e-9).all()
    assert (points <= np.array([x + width, y + height]) + 1e-9).all()
    assert x >= 0 <= y
    assert x + width <= SIZE[0] + 1e-9
    assert y + height <= SIZE[1] + 1e-9


def test_sides_are_partners() -> None:
    pairs = pairs_of((*BLAZEPOSE_33.keypoints, "left_tail"))
    assert pairs["left_wrist"] == "right_wrist"
    assert pairs["mouth_left"] == "mouth_right"
    assert pairs["nose"] == "nose"
    assert pairs["left_tail"] == "left_tail"


def test_picked_frames_are_kept_whole(tmp_path: Path) -> None:
    write_picked(tmp_path / "p.h5", picked(), Provenance())
    back = read_picked(tmp_path / "p.h5")
    np.testing.assert_array_equal(back.picture, picked().picture)
    for one, other in zip(picked().labelled(), back.labelled(), strict=True):
        same(one, other)


ALL: tuple[LabelFormat, ...] = ("cvat", "labelme", "deeplabcut")


def kit(
    *recordings: str,
    formats: tuple[LabelFormat, ...] = ALL,
    pictures_of: Callable[[str], NDArray[np.uint8]] = lambda name: picked(name).picture,
) -> dict[str, Content]:
    frames = {name: picked(name).labelled() for name in recordings}
    return kit_files(frames, pictures_of, COCO_17, formats, "lab")


def test_pictures_are_asked_for_when_they_are_written_a_recording_at_a_time(
    tmp_path: Path,
) -> None:
    asked: list[str] = []

    def pictures_of(recording: str) -> NDArray[np.uint8]:
        asked.append(recording)
        return picked(recording).picture

    files = kit("rec-1", "rec-2", formats=("labelme",), pictures_of=pictures_of)
    assert asked == []
    write_kit(tmp_path, files)
    n = len(picked().frame)
    assert asked == ["rec-1"] * n + ["rec-2"] * n
    for k, frame in enumerate(picked("rec-2").labelled()):
        assert (tmp_path / "images" / frame.file).read_bytes() == png(picked("rec-2").picture[k])


def test_the_kit_closes_the_circle_in_every_format(tmp_path: Path) -> None:
    pytest.importorskip("tables")
    files = kit("rec-1", "rec-2")
    again = kit("rec-1", "rec-2")
    assert {n: make() for n, make in files.items()} == {n: make() for n, make in again.items()}
    write_kit(tmp_path, files)
    wanted = [*picked().labelled(), *picked("rec-2").labelled()]
    found = {
        "cvat": read_coco(tmp_path / "cvat/annotations.json").frames,
        "labelme": read_labelme(tmp_path / "labelme").frames,
        "deeplabcut": tuple(
            f
            for r in ("rec-1", "rec-2")
            for f in read_deeplabcut(
                tmp_path / f"deeplabcut/labeled-data/{r}/CollectedData_lab.csv"
            ).frames
        ),
    }
    for tool, frames in found.items():
        for one, other in zip(wanted, frames, strict=True):
            same(one, other, flags=tool != "deeplabcut")
    assert "identify" in (tmp_path / "README.txt").read_text()


def test_work_by_hand_is_never_overwritten(tmp_path: Path) -> None:
    first = kit("rec-1", "rec-2", formats=("labelme",))
    write_kit(tmp_path, first)
    write_kit(tmp_path, first)
    fewer = kit("rec-1", formats=("labelme",))
    write_kit(tmp_path, fewer)
    assert not (tmp_path / "labelme/rec-2__f000000.json").exists()
    mine = tmp_path / "labelme/rec-1__f000000.json"
    mine.write_text("{}")
    for files in (fewer, first, {}):
        with pytest.raises(FidgetyError, match="move this folder"):
            write_kit(tmp_path, files)
        assert mine.read_text() == "{}"
        assert (tmp_path / "labelme/rec-1__f000010.json").is_file()


def test_cvat_s_skeleton_names_every_point_and_joins_the_bones() -> None:
    label = cvat_labels(labels())[0]
    drawing = ElementTree.fromstring(f"<svg>{label['svg']}</svg>")
    names = [c.get("data-label-name") for c in drawing.iter("circle")]
    assert names == [s["name"] for s in label["sublabels"]] == list(COCO_17.keypoints)
    joined = {
        (names[int(e.get("data-node-from", 0)) - 1], names[int(e.get("data-node-to", 0)) - 1])
        for e in drawing.iter("line")
    }
    assert joined == set(COCO_17.bones)
    numbers = [float(v) for v in re.findall(r'c[xy]="([\d.]+)"', label["svg"])]
    assert 0 <= min(numbers) < max(numbers) <= 100


def test_writing_for_the_tools_needs_no_opencv_and_planning_no_numpy() -> None:
    for module, absent in (
        ("fidgety.pose.finetune.kit", ("cv2", "av", "torch", "sklearn")),
        ("fidgety.pose.finetune.inputs", ("cv2", "numpy", "torch", "mmengine", "pandas")),
    ):
        blocked = "; ".join(f"sys.modules[{name!r}] = None" for name in absent)
        code = f"import sys; {blocked}; import {module}"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_marks_are_converted_guesses_are_hidden_and_nothing_lies_outside() -> None:
    pose = infant_pose(30.0, 10.0, seed=3)
    origin = np.full(pose.confidence.shape, int(Origin.MEASURED), dtype=np.uint8)
    knee = pose.keypoints.index("left_knee")
    origin[5, knee] = int(Origin.IMPUTED)
    pose.position[7, :, knee] = np.nan
    pose = replace(pose, origin=origin)
    frames = np.array([5, 7, 9])
    wanted = (*COCO_17.keypoints, "pelvis", "tail")
    size = (370, 4000)
    position, flag = marks(pose, frames, wanted, size)
    left = wanted.index("left_knee")
    assert flag[0, left] in (UNLABELLED, HIDDEN)
    assert flag[1, left] == UNLABELLED
    assert (flag[:, -1] == UNLABELLED).all()
    known = position[flag > 0]
    assert (known >= 0).all()
    assert (known <= size).all()
    assert (flag == UNLABELLED).sum() > 5  # some of this infant lies beyond the right edge
    whole, flags = marks(pose, frames, wanted, (4000, 4000))
    assert flags[0, left] == HIDDEN
    assert flags[2, left] == VISIBLE
    assert np.isfinite(whole[2, :-1]).all()
    hips = [pose.keypoints.index(f"{s}_hip") for s in ("left", "right")]
    np.testing.assert_allclose(whole[:, -2], pose.position[frames][:, :, hips].mean(axis=2))


def test_the_box_of_a_body_is_that_of_its_mask() -> None:
    mask = np.zeros((60, 80), np.uint8)
    assert body_box(mask, 0.5) is None
    mask[10:30, 20:70] = 255
    assert body_box(mask, 0.5) == pytest.approx((40.0, 20.0, 100.0, 40.0), abs=0.4)
