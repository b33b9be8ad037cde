"""Skeletons: laws of conversion, users' files, and that every stage takes every one."""

from __future__ import annotations

import itertools
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fidgety import skeleton_docs
from fidgety.config.cleaning import CleaningConfig
from fidgety.config.features import FeaturesConfig
from fidgety.config.report import ReportConfig
from fidgety.errors import ConfigError, NotAssessable, Outcome, Reason
from fidgety.features.contract import Tracks
from fidgety.features.registry import FEATURE_SETS
from fidgety.files import dumps
from fidgety.pose.cleaning import clean
from fidgety.pose.importers.reader import read_track
from fidgety.pose.lifters.base import Lifter
from fidgety.pose.lifters.registry import LIFTERS
from fidgety.pose.lifting import lift
from fidgety.pose.tracks import Pose, read_pose, to_dataset, write_pose
from fidgety.report.overlay import bones_of, head_covers, overlay_frames
from fidgety.report.plots import draw_trajectories
from fidgety.skeleton_file import load_skeleton, load_skeletons
from fidgety.skeletons import (
    BLAZEPOSE_33,
    BODY_21,
    COCO_17,
    DERIVED,
    HALPE_26,
    HUMAN36M_17,
    KAUR_24,
    OPENPOSE_18,
    OPENPOSE_25,
    SKELETONS,
    SMPL_24,
    Skeleton,
    as_dict,
    conversion_matrix,
    convert,
    from_dict,
    identify,
    kinematic_tree,
    match,
    opposite,
    own_or_none,
    plain_name,
)
from fidgety.storage import Provenance
from tests.pose.infant import infant_world

ALL = list(SKELETONS.values())
PAIRS = list(itertools.product(ALL, ALL))
PAGE = skeleton_docs.PAGE.read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.S)

each = pytest.mark.parametrize("skeleton", ALL, ids=lambda s: s.name)
pairs = pytest.mark.parametrize(
    ("source", "target"), PAIRS, ids=lambda s: s.name if isinstance(s, Skeleton) else None
)


# ---- what skeletons are ----


@pytest.mark.parametrize(
    ("skeleton", "n"),
    [
        (COCO_17, 17),
        (HUMAN36M_17, 17),
        (BODY_21, 21),
        (BLAZEPOSE_33, 33),
        (OPENPOSE_18, 18),
        (OPENPOSE_25, 25),
        (KAUR_24, 24),
        (HALPE_26, 26),
        (SMPL_24, 24),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_skeletons_have_the_number_that_names_them(skeleton: Skeleton, n: int) -> None:
    assert len(skeleton.keypoints) == len(set(skeleton.keypoints)) == n
    assert str(n) in skeleton.name
    assert {k for k in skeleton.keypoints if k.startswith("left_")} == {
        opposite(k) for k in skeleton.keypoints if k.startswith("right_")
    }


def test_the_order_is_the_trackers_own() -> None:
    # OpenPose, "Pose Output Format (BODY_25)": {8, MidHip}, {19, LBigToe}, {24, RHeel}; and (COCO):
    # {1, Neck}, {8, RHip}, {17, LEar}. Halpe: {17, Head}, {19, Hip}, {24, LHeel}. SMPL: joint 12
    # is the neck, 13 and 14 the collars, 22 and 23 the hands.
    for skeleton, places in (
        (OPENPOSE_25, {1: "thorax", 8: "pelvis", 19: "left_big_toe", 24: "right_heel"}),
        (OPENPOSE_18, {1: "thorax", 8: "right_hip", 17: "left_ear"}),
        (HALPE_26, {17: "crown", 19: "pelvis", 24: "left_heel"}),
        (SMPL_24, {12: "neck", 13: "left_collar", 14: "right_collar", 23: "right_hand"}),
        (BLAZEPOSE_33, {0: "nose", 4: "right_eye_inner", 9: "mouth_left", 32: "right_foot_index"}),
    ):
        assert {i: skeleton.keypoints[i] for i in places} == places


def test_mmposes_own_order_is_the_same() -> None:
    configs = pytest.importorskip("mmpose").__path__[0]
    for name, skeleton in (
        ("coco", COCO_17),
        ("halpe26", HALPE_26),
        ("h36m", HUMAN36M_17),
        ("coco_openpose", OPENPOSE_18),
    ):
        path = Path(configs) / ".mim" / "configs" / "_base_" / "datasets" / f"{name}.py"
        scope: dict[str, Any] = {}
        exec(path.read_text(), scope)
        info = scope["dataset_info"]["keypoint_info"]
        labels = [info[i]["name"] for i in range(len(info))]
        found, order = match(labels)
        assert found is skeleton
        assert order == tuple(range(len(labels)))


@each
def test_mirroring_twice_is_nothing(skeleton: Skeleton) -> None:
    mirror = np.array(skeleton.mirror)
    np.testing.assert_array_equal(mirror[mirror], np.arange(len(mirror)))
    moved = np.flatnonzero(mirror != np.arange(len(mirror)))
    assert len(moved) == 2 * len(skeleton.pairs)
    assert {frozenset(opposite(k) for k in bone) for bone in skeleton.bones} == {
        frozenset(bone) for bone in skeleton.bones
    }


@each
def test_a_tree_has_one_root_and_reaches_all(skeleton: Skeleton) -> None:
    assert skeleton.root == "pelvis"
    order = skeleton.tree_order
    assert len(order) == len(set(order))
    assert set(skeleton.keypoints) <= set(order)
    assert all(order.index(p) < order.index(c) for c, p in skeleton.parents.items())
    assert {opposite(c): opposite(p) for c, p in skeleton.parents.items()} == skeleton.parents
    assert conversion_matrix(skeleton, order)[1] == ()


@each
def test_angles_are_of_what_is_there(skeleton: Skeleton) -> None:
    for name, triple in skeleton.angles.items():
        assert triple[1] == name
        assert conversion_matrix(skeleton, triple)[1] == ()
    hands = not conversion_matrix(skeleton, ("left_hand",))[1]
    feet = not conversion_matrix(skeleton, ("left_foot",))[1]
    assert len(skeleton.angles) == 8 + 2 * hands + 2 * feet


def test_what_carries_a_keypoint_must_be_known() -> None:
    with pytest.raises(ValueError, match="left_wing"):
        kinematic_tree(("pelvis", "left_wing"))


# ---- conversion ----


@pairs
def test_conversion_rows_sum_to_one_or_are_named(source: Skeleton, target: Skeleton) -> None:
    weights, missing = conversion_matrix(source, target)
    assert weights.shape == (len(target.keypoints), len(source.keypoints))
    expected = [k not in missing for k in target.keypoints]
    np.testing.assert_allclose(weights.sum(axis=1), expected)
    if source is target:
        np.testing.assert_array_equal(weights, np.eye(len(source.keypoints)))
    if missing:
        with pytest.raises(NotAssessable, match=missing[0]) as caught:
            convert(np.zeros((1, 2, len(source.keypoints))), source, target)
        assert caught.value.reason is Reason.SKELETON_MISMATCH


@pairs
def test_mirroring_commutes_with_conversion(source: Skeleton, target: Skeleton) -> None:
    weights, _ = conversion_matrix(source, target)
    mirrored = weights[np.array(target.mirror)][:, np.array(source.mirror)]
    np.testing.assert_allclose(mirrored, weights, atol=1e-15)


def test_derived_recipes_are_means_and_the_same_on_both_sides() -> None:
    for name, recipes in DERIVED.items():
        for recipe in recipes:
            assert sum(recipe.values()) == pytest.approx(1.0)
        assert {opposite(k) for r in DERIVED[opposite(name)] for k in r} == {
            k for r in recipes for k in r
        }


def test_derived_points_are_where_they_should_be(rng: np.random.Generator) -> None:
    position = rng.normal(size=(3, 2, 25))
    at = dict(zip(OPENPOSE_25.keypoints, np.moveaxis(position, 2, 0), strict=True))
    got = convert(position, OPENPOSE_25, HUMAN36M_17)
    want = {
        "pelvis": at["pelvis"],  # measured wins over the mean of the hips
        "thorax": at["thorax"],
        "spine": (at["pelvis"] + at["thorax"]) / 2,
        "neck": (at["thorax"] + at["nose"]) / 2,
        "head": (at["left_ear"] + at["right_ear"]) / 2,
    }
    for name, value in want.items():
        np.testing.assert_allclose(got[:, :, HUMAN36M_17.index(name)], value)
    weights, missing = conversion_matrix(COCO_17, ("mid_hip", "sternum"))
    assert missing == ()
    assert (
        weights[0, COCO_17.index("left_hip")] == weights[1, COCO_17.index("left_shoulder")] == 0.5
    )


def test_recipes_that_need_each_other_come_to_an_end() -> None:
    assert conversion_matrix(("nose",), ("pelvis", "mid_hip", "left_big_toe"))[1] == (
        "pelvis",
        "mid_hip",
        "left_big_toe",
    )


# ---- names ----


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("LBigToe", "left_big_toe"),
        ("Left Shoulder", "left_shoulder"),
        ("left-shoulder", "left_shoulder"),
        ("R_Wrist", "right_wrist"),
        ("MidHip", "mid_hip"),
        (" Nose ", "nose"),
        ("leg", "leg"),
        ("rhip", "rhip"),
    ],
)
def test_labels_come_in_many_spellings(label: str, name: str) -> None:
    assert plain_name(label) == name


@given(st.text(max_size=20))
def test_a_plain_name_stays(label: str) -> None:
    plain = plain_name(label)
    assert plain_name(plain) == plain
    assert re.fullmatch(r"[a-z0-9]*(_[a-z0-9]+)*", plain)


@given(st.from_regex(r"[a-z]{1,6}(_[a-z]{1,6}){0,3}", fullmatch=True))
def test_the_opposite_of_the_opposite(name: str) -> None:
    assert opposite(opposite(name)) == name


@settings(max_examples=40)
@given(st.sampled_from(ALL), st.randoms(use_true_random=False), st.integers(0, 3))
def test_any_order_and_spelling_is_recognised(skeleton: Skeleton, random: Any, style: int) -> None:
    order = list(range(len(skeleton.keypoints)))
    random.shuffle(order)
    spell = [
        str,
        str.upper,
        lambda k: k.replace("_", " ").title(),
        lambda k: f"{k.removeprefix('left_')}_L" if k.startswith("left_") else k,
    ][style]
    labels = [spell(skeleton.keypoints[i]) for i in order]
    found, back = match(labels)
    assert found is skeleton
    assert [order[i] for i in back] == list(range(len(order)))


def test_openposes_names_are_recognised() -> None:
    arm, leg = ("Shoulder", "Elbow", "Wrist"), ("Hip", "Knee", "Ankle")
    foot = ("BigToe", "SmallToe", "Heel")
    labels = ["Nose", "Neck", *(s + k for s in "RL" for k in arm), "MidHip"]
    labels += [*(s + k for s in "RL" for k in leg), "REye", "LEye", "REar", "LEar"]
    labels += [s + k for s in "LR" for k in foot]
    assert match(labels) == (OPENPOSE_25, tuple(range(25)))


def test_a_label_that_stands_twice_is_named() -> None:
    with pytest.raises(NotAssessable, match="named twice: nose"):
        identify((*COCO_17.keypoints, "Nose"))


# ---- a user's own ----


def own(tmp_path: Path, text: str | dict[str, Any] = EXAMPLES[0], name: str = "own.yaml") -> Path:
    path = tmp_path / name
    path.write_text(text if isinstance(text, str) else yaml.safe_dump(text), encoding="utf-8")
    return path


def test_the_pages_example_loads(tmp_path: Path) -> None:
    skeleton = load_skeleton(own(tmp_path))
    assert (skeleton.name, len(skeleton.keypoints)) == ("marks16", 16)
    assert skeleton.derived["left_hand"] == {"left_knuckle": 0.8, "left_wrist": 0.2}
    assert skeleton.derived["sternum"] == {"chest": 1.0}
    assert set(skeleton.angles) == {
        *(k for k in BODY_21.angles if "ankle" not in k),
        "left_armpit",
        "right_armpit",
    }
    assert skeleton.canonical("brow") == "forehead"
    assert from_dict(yaml.safe_load(dumps(as_dict(skeleton)))) == skeleton
    assert own_or_none(skeleton) is skeleton
    assert own_or_none(COCO_17) is None
    settings = yaml.safe_load(EXAMPLES[1])["pose"]["skeletons"]
    (tmp_path / "skeletons").mkdir()
    own(tmp_path / "skeletons", name="marks16.yaml")
    assert load_skeletons(settings, tmp_path) == (skeleton,)


def test_own_ways_to_derive_come_first(tmp_path: Path) -> None:
    skeleton = load_skeleton(own(tmp_path))
    weights, missing = conversion_matrix(skeleton, ("sternum", "thorax", "head"))
    assert missing == ()
    assert weights[0, skeleton.index("chest")] == 1.0
    assert weights[1, skeleton.index("left_shoulder")] == 0.5
    assert weights[2, skeleton.index("forehead")] == 1.0
    assert conversion_matrix(skeleton.keypoints, ("head",))[1] == ("head",)


SMALL: dict[str, Any] = {
    "name": "small",
    "keypoints": ["nose", "left_hip", "right_hip"],
    "bones": [["left_hip", "right_hip"]],
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bones": [["left_hip", "left_knee"]]}, r"bones, number 1 .*'left_knee' is no keypoint"),
        ({"bones": [["left_hip", "left_hop"]]}, "Did you mean 'left_hip'"),
        ({"bones": [["nose", "nose"]]}, "joins a keypoint to itself"),
        ({"bones": [["nose", "left_hip"], ["left_hip", "nose"]]}, "number 2 .* twice"),
        ({"bones": [["nose"]]}, r"bones\.0"),
        ({"keypoints": ["nose", "nose"], "bones": []}, "'nose' stands there 2 times"),
        ({"keypoints": ["nose", "left_hip"], "bones": []}, "has no 'right_hip'"),
        ({"keypoints": ["Nose"], "bones": []}, "write 'Nose' as 'nose'"),
        ({"keypoints": [], "bones": []}, "keypoints"),
        ({"name": "coco17"}, "known already"),
        ({"name": "My Marks"}, "small letters"),
        ({"derived": {"nose": ["left_hip"]}}, "is a keypoint itself"),
        ({"derived": {"pelvis": {"left_hip": 0.5, "right_hip": 0.4}}}, "sum to 0.9"),
        ({"derived": {"pelvis": ["left_hp"]}}, "Did you mean 'left_hip'"),
        ({"derived": {"left_foot": ["left_hip"]}}, "has no 'right_foot'"),
        ({"derived": {"a": ["b"], "b": ["a"]}}, "circle: a from b from a"),
        ({"derived": {"a": {}}}, r"derived\.a"),
        ({"angles": {"bend": ["nose", "left_hip", "tail"]}}, "angles.bend: 'tail'"),
        ({"angles": {"bend": ["nose", "left_hip", "nose"]}}, "three different"),
        (
            {"parents": {"left_hip": "right_hip", "right_hip": "left_hip"}},
            "circle: left_hip under right_hip under left_hip",
        ),
        ({"parents": {"nose": "left_hip"}}, "right_hip are not in the tree"),
        ({"parents": {"nose": "left_hip", "right_hip": "pelvis"}}, "2 roots"),
        ({"parents": {"nose": "tail"}}, "'tail' is no keypoint"),
        ({"aliases": {"Snout": "nos"}}, "Did you mean 'nose'"),
        ({"aliases": {"nose": "left_hip"}}, "name of another keypoint"),
        ({"bone": []}, "Did you mean 'bones'"),
        ({"name": None}, "name: "),
    ],
)
def test_mistakes_in_a_file_are_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load_skeleton(own(tmp_path, {**SMALL, **change}), "own.yaml")
    assert all(line.startswith("own.yaml: ") for line in str(caught.value).splitlines())
    load_skeleton(own(tmp_path, SMALL))


@pytest.mark.parametrize(
    "text", ["", "[1, 2]", "a: [", "\xff\xfe", "just text", "a: " + "9" * 5000]
)
def test_files_that_are_no_skeleton(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"a\.yaml"):
        load_skeleton(path)
    with pytest.raises(ConfigError, match="No such file"):
        load_skeleton(tmp_path / "none.yaml")


def test_a_pipe_is_no_skeleton(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="it is no file"):
        load_skeleton(tmp_path / "pipe")


def test_all_files_findings_come_at_once(tmp_path: Path) -> None:
    own(tmp_path, {**SMALL, "name": "coco17"}, "a.yaml")
    own(tmp_path, {**SMALL, "bones": [["x", "nose"]]}, "b.yaml")
    own(tmp_path, SMALL, "c.yaml")
    own(tmp_path, {**SMALL, "name": "other"}, "d.yaml")
    own(tmp_path, {**SMALL, "keypoints": ["nose"], "bones": []}, "e.yaml")
    with pytest.raises(ConfigError) as caught:
        load_skeletons(["a.yaml", "b.yaml", "c.yaml", "d.yaml", "e.yaml"], tmp_path)
    lines = str(caught.value).splitlines()
    assert len(lines) == 4
    assert "d.yaml and c.yaml have the same keypoints" in lines[2]
    assert "e.yaml and c.yaml have one name" in lines[3]


# ---- every stage takes every skeleton ----


def truth() -> dict[str, NDArray[np.float64]]:
    """Give places in metres (frame, 3) of every known keypoint of a smooth infant."""
    points = {k: v[:100] for k, v in infant_world(30.0, seed=3).items()}
    head = (points["left_ear"] + points["right_ear"]) / 2
    thorax = (points["left_shoulder"] + points["right_shoulder"]) / 2
    pelvis = (points["left_hip"] + points["right_hip"]) / 2
    up = (thorax - pelvis) / np.linalg.norm(thorax - pelvis, axis=1, keepdims=True)
    points |= {"crown": head + 0.05 * up, "forehead": head + 0.03 * up, "chest": thorax}
    points |= {f"spine{i}": pelvis + i / 4 * (thorax - pelvis) for i in (1, 2, 3)}
    for side in ("left", "right"):
        points[f"{side}_small_toe"] = points[f"{side}_foot_index"] + [0.008, 0.0, 0.0]
        points[f"{side}_collar"] = (thorax + points[f"{side}_shoulder"]) / 2
        points[f"{side}_knuckle"] = points[f"{side}_index"]
    return points


TRUTH = truth()


def lifter() -> Lifter:
    """Give the lifter that takes what a pose brings along."""
    return LIFTERS.get("estimator")(LIFTERS.options("estimator")())


def pose_in(skeleton: Skeleton, space: int = 2, **more: Any) -> Pose:
    """Express the truth in a skeleton: pixels from above, or metres in 3D."""
    weights, missing = conversion_matrix(tuple(TRUTH), skeleton)
    assert missing == ()
    world = np.stack(list(TRUTH.values()), axis=2) @ weights.T
    n, _, k = world.shape
    return Pose(
        position=360.0 + 900.0 * world[:, :2] if space == 2 else world,
        confidence=np.ones((n, k)),
        time_s=np.arange(n) / 25.0,
        keypoints=skeleton.keypoints,
        fps=25.0,
        units="pixels" if space == 2 else "metres",
        world=world if space == 2 else None,
        skeleton=skeleton.name,
        own_skeleton=own_or_none(skeleton),
        **more,
    )


@pytest.fixture(scope="module")
def marks(tmp_path_factory: pytest.TempPathFactory) -> Skeleton:
    return load_skeleton(own(tmp_path_factory.mktemp("skeletons")))


@pytest.fixture(params=[*SKELETONS, "marks16"])
def known(request: pytest.FixtureRequest, marks: Skeleton) -> Skeleton:
    return SKELETONS.get(request.param, marks)


#: Feature sets that a 2D recording of each skeleton does not give, and the first point missing.
NO_HANDS = {"coco17", "human36m17", "openpose18", "openpose25", "halpe26"}
NO_FEET = {"coco17", "human36m17", "openpose18", "marks16"}


def test_every_stage_takes_every_skeleton(known: Skeleton, tmp_path: Path) -> None:
    raw = pose_in(known)
    write_pose(tmp_path / "raw.h5", raw, Provenance(recording="a"))
    raw = read_pose(tmp_path / "raw.h5")
    assert raw.anatomy == replace(known, keypoints=raw.keypoints)

    # A jump of one keypoint and a short exchange of sides are put right in every skeleton.
    truth_px = raw.position.copy()
    spoiled = raw.position.copy()
    spoiled[30, :, known.index("left_wrist")] += 400.0
    mirror = list(known.mirror)
    spoiled[50:60] = spoiled[50:60][:, :, mirror]
    cleaned = clean(replace(raw, position=spoiled), CleaningConfig())
    assert cleaned.pose.skeleton == known.name
    assert cleaned.pose.own_skeleton == raw.own_skeleton
    details = cleaned.pose.details["cleaning"]
    assert [(s["start_s"], s["end_s"]) for s in details["swaps"]] == [(2.0, 2.36)]
    error = np.linalg.norm(cleaned.pose.position - truth_px, axis=1)
    assert np.nanmax(error) < 10.0  # a fourteenth of a trunk
    assert np.isfinite(error).mean() > 0.99

    lifted = lift(cleaned, CleaningConfig(), lifter())
    assert lifted.keypoints == HUMAN36M_17.keypoints
    want = convert(raw.world, known, HUMAN36M_17) if raw.world is not None else None
    assert want is not None
    limb = np.linalg.norm(lifted.position[:, :, 1] - lifted.position[:, :, 2], axis=1)
    np.testing.assert_allclose(
        np.nanmedian(limb),
        np.median(np.linalg.norm(want[:, :, 1] - want[:, :, 2], axis=1)),
        rtol=0.02,
    )

    tracks = Tracks(cleaned.pose, lifted, Outcome())
    for name in FEATURE_SETS:
        builder = FEATURE_SETS.get(name)()
        lacks = known.name in NO_HANDS | NO_FEET and "3d" not in name
        if name == "landmarks_2d":
            lacking = conversion_matrix(cleaned.pose.anatomy, KAUR_24)[1]
            if lacking:
                with pytest.raises(NotAssessable, match=f"give {', '.join(lacking)}"):
                    builder.build(tracks, FeaturesConfig())
                continue
        if not lacks:
            assert np.isfinite(builder.build(tracks, FeaturesConfig()).values).any()
            continue
        with pytest.raises(NotAssessable) as caught:
            builder.build(tracks, FeaturesConfig())
        assert caught.value.reason is Reason.FEATURE_UNAVAILABLE
        assert ("left_hand" in caught.value.detail) == (known.name in NO_HANDS)
        assert ("left_foot" in caught.value.detail) == (known.name in NO_FEET)

    # The overlay draws its bones and hides its face.
    assert len(bones_of(cleaned.pose)) == len(known.bones)
    covers = head_covers(cleaned.pose)
    assert all(cover is not None for cover in covers)
    white = np.full((720, 720, 3), 255, dtype=np.uint8)
    image = next(overlay_frames([white], cleaned.pose, (720, 720), ReportConfig()))
    nose = (360.0 + 900.0 * TRUTH["nose"][0, :2]).round().astype(int)
    assert not (image[nose[1] + 4, nose[0] + 8] == 255).all()
    for a, b in known.bones:
        if not {"left_elbow", "right_elbow", "left_knee", "right_knee"} & {a, b}:
            continue
        ends = cleaned.pose.position[0][:, [known.index(a), known.index(b)]]
        middle = ends.mean(axis=1).astype(int)
        assert not (image[middle[1], middle[0]] == 255).all(), (a, b)
    assert "<svg" in draw_trajectories(cleaned.pose)


@each
def test_every_skeleton_comes_in_as_a_3d_track(skeleton: Skeleton) -> None:
    lifted = lift(clean(pose_in(skeleton, space=3), CleaningConfig()), CleaningConfig(), lifter())
    assert lifted.details["lifting"]["method"] == "track"
    assert np.isfinite(lifted.position).all()


def test_tracks_of_an_own_skeleton_are_imported(tmp_path: Path, marks: Skeleton) -> None:
    pose = pose_in(marks)
    dataset = to_dataset(replace(pose, own_skeleton=None, skeleton=""))
    labels = ["Brow" if k == "forehead" else k.title().replace("_", "") for k in marks.keypoints]
    dataset = dataset.assign_coords(keypoints=labels).isel(keypoints=slice(None, None, -1))
    dataset.to_netcdf(tmp_path / "t.nc", engine="h5netcdf")
    with pytest.raises(NotAssessable, match="skeleton_mismatch"):
        read_track(tmp_path / "t.nc")
    back = read_track(tmp_path / "t.nc", (marks,))
    assert (back.keypoints, back.skeleton, back.own_skeleton) == (
        marks.keypoints,
        "marks16",
        marks,
    )
    np.testing.assert_allclose(back.position, pose.position, atol=1e-3)


def test_keypoints_of_no_skeleton_have_no_bones() -> None:
    pose = replace(pose_in(COCO_17), keypoints=tuple(f"k{i}" for i in range(17)), skeleton="")
    assert pose.anatomy.bones == ()
    assert bones_of(pose) == []
    assert head_covers(pose) == [None] * pose.n_frames


# ---- the page ----


def test_pictures_and_lists_are_up_to_date() -> None:
    for path, text in skeleton_docs.pages().items():
        assert path.read_text(encoding="utf-8") == text, f"run python -m {skeleton_docs.__name__}"


@each
def test_a_picture_shows_every_keypoint_and_bone(skeleton: Skeleton) -> None:
    svg = skeleton_docs.draw(skeleton)
    assert svg.count("<text ") == len(skeleton.keypoints)
    assert svg.count("<line ") == len(skeleton.bones)
    places = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', svg)
    assert len(places) == len(set(skeleton.tree_order))
    assert len(set(places)) == len(places), "two keypoints in one place"
    assert all(0 < float(x) < 220 and 0 < float(y) < 260 for x, y in places)
