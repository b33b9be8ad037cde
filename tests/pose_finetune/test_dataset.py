"""What mmpose trains on: by infant, upright, in its pixels, and never a picture too few."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fidgety.config.labelling import LabellingConfig
from fidgety.config.pose_training import PoseTrainingConfig
from fidgety.errors import ConfigError
from fidgety.files import file_sha256, write_json
from fidgety.pose.crop import Crop
from fidgety.pose.finetune.dataset import (
    SEEN_SHARE,
    SHAKE_DEG,
    find_pictures,
    frame_angle,
    frame_crop,
    known_names,
    metainfo,
    name_infants,
    prepare,
    shake,
    split,
    usable,
)
from fidgety.pose.finetune.inputs import (
    check_labelling,
    check_pose_training,
    label_files,
    named_recordings,
    network_inputs,
    read_infants,
    read_labels,
    taken_for_infants,
)
from fidgety.pose.finetune.labels import LabelError, Labels, to_coco
from fidgety.skeletons import COCO_17, OPENPOSE_25
from tests.pose_finetune.drawings import SIZE, draw


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Labels, dict[str, Path]]:
    return draw(tmp_path_factory.mktemp("drawn"), infants=6, frames=2)


@given(share=st.floats(0.01, 0.99), seed=st.integers(0, 1000), n=st.integers(2, 6))
def test_no_infant_is_on_both_sides(share: float, seed: int, n: int) -> None:
    frames = tuple(replace(f, infant=f"inf-{k % n}") for k, f in enumerate(_six_infants().frames))
    labels = replace(_six_infants(), frames=frames)
    training, validation = split(labels, share, seed)
    assert set(training.groups).isdisjoint(validation.groups)
    assert set(training.groups) | set(validation.groups) == set(labels.groups)
    assert len(training) + len(validation) == len(labels)
    assert training.groups
    assert validation.groups
    assert split(labels, share, seed)[1].groups == validation.groups


_CACHE: list[Labels] = []


def _six_infants() -> Labels:
    if not _CACHE:
        rng = np.random.default_rng(0)
        from fidgety.pose.finetune.labels import LabelledFrame

        frames = tuple(
            LabelledFrame(
                f"{k}.png", 9, 9, rng.uniform(0, 9, (17, 2)), np.full(17, 2), None, "r", "i"
            )
            for k in range(12)
        )
        _CACHE.append(Labels(COCO_17.keypoints, frames))
    return _CACHE[0]


def test_frames_of_one_infant_alone_cannot_be_judged() -> None:
    with pytest.raises(LabelError, match="of one infant"):
        split(_six_infants(), 0.2, 0)


def test_the_sheet_names_the_infants_and_two_recordings_of_one_stay_together() -> None:
    labels = _six_infants()
    frames = tuple(replace(f, recording=f"rec-{k}", infant="") for k, f in enumerate(labels.frames))
    named = name_infants(
        replace(labels, frames=frames), {f"rec-{k}": f"i{k // 2}" for k in range(8)}
    )
    assert named.groups == ("i0", "i1", "i2", "i3", "rec-10", "rec-11", "rec-8", "rec-9")
    nobody = replace(labels, frames=(replace(labels.frames[0], recording="", infant=""),))
    with pytest.raises(LabelError, match=r"pose_training\.infants"):
        name_infants(nobody, {})


def test_an_infant_is_turned_upright_and_fills_its_share(
    drawn: tuple[Labels, dict[str, Path]],
) -> None:
    labels, _ = drawn
    for frame in labels.frames:
        crop = frame_crop(frame, labels.keypoints, SEEN_SHARE, 144)
        inside = crop.to_crop(frame.position.T[None])
        turned = replace(frame, position=inside[0].T)
        assert abs((frame_angle(turned, labels.keypoints) + 180) % 360 - 180) < 1e-6
        extent = np.ptp(inside[0], axis=1).max()
        # The keypoints take the body's share but for what a mask has around them.
        assert extent == pytest.approx(144 / 1.2, rel=0.02)
        assert crop.size_px == 200


def test_crops_show_the_labels_and_mmpose_s_pixels_begin_in_the_middle_of_ours(
    drawn: tuple[Labels, dict[str, Path]], tmp_path: Path
) -> None:
    labels, pictures = drawn
    found = prepare(labels, pictures, tmp_path, share=0.5, body_px=96, name="training")
    content = json.loads(found.annotations.read_text())
    for k, (annotation, crop) in enumerate(zip(content["annotations"], found.crops, strict=True)):
        back = np.array(annotation["keypoints"]).reshape(-1, 3)[:, :2] + 0.5
        position = crop.to_video(back.T[None])[0].T
        np.testing.assert_allclose(position, labels.frames[k].position, atol=1e-3)
        assert annotation["bbox"] == pytest.approx([47.5, 47.5, 96.0, 96.0])
        picture = cv2.imread(str(found.folder / f"{k:06d}.png"))
        assert picture.shape == (192, 192, 3)
        hip = back[COCO_17.index("left_hip")].astype(int)
        assert picture[hip[1], hip[0]].mean() > 100  # on the bright figure, not on the noise


def test_crops_to_judge_on_are_off_as_a_video_s_are_and_always_alike() -> None:
    crop = Crop(30.0, (80.0, 60.0), 100.0, 200)
    moved = [shake(crop, f"{k}.png", 7) for k in range(200)]
    assert moved == [shake(crop, f"{k}.png", 7) for k in range(200)]
    assert moved[0] != shake(crop, "0.png", 8)
    turned = np.array([m.angle_deg - 30.0 for m in moved])
    assert np.abs(turned).max() <= SHAKE_DEG
    assert turned.std() == pytest.approx(SHAKE_DEG / np.sqrt(3), rel=0.15)
    assert abs(turned.mean()) < 3
    away = np.array([m.centre_px for m in moved]) - (80.0, 60.0)
    assert 3 < np.abs(away).max() <= 5
    assert {m.size_px for m in moved} == {200}


def test_frames_with_too_few_marks_are_left_out_by_name() -> None:
    labels = _six_infants()
    flag = np.zeros(17, dtype=np.int64)
    flag[:3] = 2
    frames = (replace(labels.frames[0], flag=flag), *labels.frames[1:])
    kept, left = usable(replace(labels, frames=frames))
    assert left == ("0.png",)
    assert len(kept) == 11


def test_a_picture_of_another_size_or_none_at_all_is_refused(
    drawn: tuple[Labels, dict[str, Path]], tmp_path: Path
) -> None:
    labels, pictures = drawn
    wrong = replace(labels.frames[0], width_px=SIZE + 1)
    with pytest.raises(LabelError, match="label the very pictures"):
        prepare(
            replace(labels, frames=(wrong,)), pictures, tmp_path, share=0.5, body_px=96, name="a"
        )
    (tmp_path / "text.png").write_text("no picture")
    for path, message in (
        (tmp_path / "none.png", "is missing"),
        (tmp_path / "text.png", "read as"),
    ):
        with pytest.raises(LabelError, match=message):
            prepare(
                replace(labels, frames=labels.frames[:1]),
                {labels.frames[0].file: path},
                tmp_path, share=0.5, body_px=96, name="a",
            )  # fmt: skip


def test_keypoints_spelled_otherwise_get_their_names() -> None:
    spelled = tuple(k.title().replace("_", " ") for k in COCO_17.keypoints[::-1])
    labels = replace(_six_infants(), keypoints=spelled)
    found = known_names(labels)
    assert found.keypoints == COCO_17.keypoints
    np.testing.assert_array_equal(found.frames[0].position, labels.frames[0].position[::-1])
    own = replace(_six_infants(), keypoints=tuple(f"point{k}" for k in range(17)))
    assert known_names(own) == own


def test_mmpose_understands_the_description_of_any_keypoints() -> None:
    from fidgety.pose.mmpose_runtime import import_mmpose

    import_mmpose()
    from mmpose.datasets.datasets.utils import parse_pose_metainfo

    for skeleton in (COCO_17, OPENPOSE_25):
        labels = Labels(skeleton.keypoints, (), skeleton.bones)
        parsed = parse_pose_metainfo(metainfo(labels))
        assert parsed["dataset_name"] == skeleton.name
        assert tuple(parsed["flip_indices"]) == skeleton.mirror
        assert {tuple(link) for link in parsed["skeleton_links"]} == {
            (skeleton.index(a), skeleton.index(b)) for a, b in skeleton.bones
        }
    shipped = parse_pose_metainfo({"from_file": "configs/_base_/datasets/coco.py"})
    ours = parse_pose_metainfo(metainfo(Labels(COCO_17.keypoints, (), COCO_17.bones)))
    for key in ("sigmas", "dataset_keypoint_weights", "upper_body_ids", "flip_indices"):
        np.testing.assert_allclose(ours[key], shipped[key])


def test_labels_are_read_with_their_pictures_wherever_tools_put_them(
    drawn: tuple[Labels, dict[str, Path]], tmp_path: Path
) -> None:
    labels, pictures = drawn
    folder = tmp_path / "images"
    folder.mkdir()
    for file, path in pictures.items():
        (folder / file).write_bytes(path.read_bytes())
    (tmp_path / "annotations").mkdir()
    write_json(tmp_path / "annotations" / "a.json", to_coco(labels))
    config = PoseTrainingConfig(labels=(str(tmp_path / "annotations" / "a.json"),))
    found, where = read_labels(config, {"rec-0": "somebody"})
    assert set(where) == set(pictures)
    assert "somebody" in found.groups
    assert taken_for_infants(found, config, {"rec-0": "somebody"}) == []
    (folder / labels.frames[0].file).unlink()
    with pytest.raises(LabelError, match=r"pose_training\.images"):
        read_labels(config, {})
    assert find_pictures(labels, [tmp_path], "x")[1]


def test_mistakes_are_found_before_any_job(tmp_path: Path) -> None:
    assert check_pose_training(PoseTrainingConfig(), file_sha256) == []
    (tmp_path / "a.txt").write_text("?")
    (tmp_path / "empty").mkdir()
    (tmp_path / "infants.tsv").write_text("recording\tinfant\na\tx\na\ty\n")
    (tmp_path / "weights.pth").write_bytes(b"1")
    config = PoseTrainingConfig(
        labels=(str(tmp_path / "none.json"), str(tmp_path / "a.txt"), str(tmp_path / "empty")),
        images=str(tmp_path / "pictures"),
        infants=str(tmp_path / "infants.tsv"),
        config="rtmpose-t_8xb256-420e_coco-256x191",
        checkpoint=str(tmp_path / "weights.pth"),
        checkpoint_sha256="0" * 64,
    )
    findings = "\n".join(check_pose_training(config, file_sha256))
    for words in (
        "no such file or folder",
        "is neither COCO keypoints",
        "has no labelme files",
        "there is no folder",
        "row 3: a is of two infants",
        "expected 0000",
        "'rtmpose-t_8xb256-420e_coco-256x192'",
    ):
        assert words in findings
    missing = PoseTrainingConfig(checkpoint=str(tmp_path / "none.pth"))
    (told,) = check_pose_training(missing, file_sha256)
    assert "pose_training.checkpoint: there is no file" in told
    assert "Download https://download.openmmlab.com/" in told
    right = file_sha256(tmp_path / "weights.pth").upper()
    start = PoseTrainingConfig(checkpoint=str(tmp_path / "weights.pth"), checkpoint_sha256=right)
    assert check_pose_training(start, file_sha256) == []
    strange = LabellingConfig(recordings=("baby-02",), skeleton="coco18")
    found = check_labelling(strange, ["baby-01"], ["coco17", "kaur24"])
    assert "'baby-01'" in found[0]
    assert "'coco17'" in found[1]


def test_recordings_of_nobody_are_named(tmp_path: Path) -> None:
    """Two recordings of one infant would be on both sides of the split, and nobody would know."""
    plain = _six_infants()
    strange = replace(plain, frames=tuple(replace(f, infant="") for f in plain.frames))
    known = {"rec-0": "rec-0", "rec-1": "somebody"}
    named = name_infants(strange, known)
    config = PoseTrainingConfig()
    recordings = sorted({f.recording for f in plain.frames} - set(known))
    assert recordings
    assert taken_for_infants(named, config, known) == recordings
    table = tmp_path / "infants.tsv"
    table.write_text("recording\tinfant\n" + "".join(f"{r}\ta\n" for r in recordings))
    config = PoseTrainingConfig(infants=str(table))
    told = name_infants(strange, known | dict.fromkeys(recordings, "a"))
    assert taken_for_infants(told, config, known) == []


def test_the_network_s_own_files_decide_as_the_labels_do(tmp_path: Path) -> None:
    own = tmp_path / "own.py"
    own.write_text("model = {}\n")
    config = PoseTrainingConfig(config=str(own), checkpoint=str(tmp_path / "start.pth"))
    assert set(network_inputs(config)) == {own, tmp_path / "start.pth"}
    assert network_inputs(PoseTrainingConfig()) == []


def test_pipes_are_neither_labels_nor_infants(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    where = str(tmp_path / "pipe")
    config = PoseTrainingConfig(labels=(where,), infants=where)
    findings = check_pose_training(config, file_sha256)
    assert [
        line.endswith(("is a device or a pipe, not a file.", "is no file."))
        for line in findings[:2]
    ] == [True] * 2


def test_a_table_of_infants_needs_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "infants.tsv"
    path.write_text("recording,infant\na,x\n")
    with pytest.raises(ConfigError, match="separated by tabs"):
        read_infants(path)
    path.write_text("recording\tinfant\nr 1\tx\nr-2\tx\n")
    assert read_infants(path) == {"r 1": "x", "r-2": "x"}


def test_files_of_labels_say_which_rows_of_the_sheet_count(tmp_path: Path) -> None:
    (tmp_path / "me").mkdir()
    (tmp_path / "me" / "rec-1__f000001.json").write_text("{}")
    write_json(tmp_path / "a.json", {"images": [{"file_name": "rec-3__f000001.png"}]})
    config = PoseTrainingConfig(labels=(str(tmp_path / "me"), str(tmp_path / "a.json")))
    files = label_files(config)
    assert [f.name for f in files] == ["rec-1__f000001.json", "a.json"]
    assert named_recordings(files, ["rec-1", "rec-2", "rec-3"]) == ["rec-1", "rec-3"]
