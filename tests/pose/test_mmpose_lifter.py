"""Lifting by mmpose's networks: against mmpose itself, gaps, placement, and what is refused."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fidgety.config.cleaning import CleaningConfig
from fidgety.errors import ConfigError, NotAssessable, Reason
from fidgety.pose.cleaning import Cleaned, clean
from fidgety.pose.lifters.mmpose import (
    MMPoseLifter,
    Network,
    fill_in,
    place,
    sequences,
    stretches,
    usable_frames,
)
from fidgety.pose.lifters.mmpose_options import MMPoseLifterOptions
from fidgety.pose.lifting import lift
from fidgety.pose.mmpose_runtime import build_model, find_config, import_mmpose, shipped_configs
from fidgety.pose.normalisation import trunk_length, turn, upright_angle
from fidgety.pose.tracks import Origin, Pose
from fidgety.skeletons import BLAZEPOSE_33, HUMAN36M_17, convert
from tests.pose.infant import infant_pose
from tests.pose.lifting_models import SMALL_TCN, save_random

CLEANING = CleaningConfig()
NAMES = HUMAN36M_17.keypoints
SHIPPED = (
    "image-pose-lift_tcn_8xb64-200e_h36m",
    "video-pose-lift_tcn-1frm-supv-cpn-ft_8xb128-160e_h36m",
    "video-pose-lift_tcn-27frm-supv_8xb128-160e_h36m",
    "video-pose-lift_tcn-27frm-semi-supv_8xb64-200e_h36m",
    "video-pose-lift_tcn-27frm-semi-supv-cpn-ft_8xb64-200e_h36m",
    "video-pose-lift_tcn-81frm-supv_8xb128-160e_h36m",
    "video-pose-lift_tcn-243frm-supv_8xb128-160e_h36m",
    "video-pose-lift_tcn-243frm-supv-cpn-ft_8xb128-200e_h36m",
)
TRANSFORMERS = (
    "motionbert_dstformer-243frm_8xb32-240e_h36m",
    "motionbert_dstformer-243frm_8xb32-240e_h36m-original",
    "motionbert_dstformer-ft-243frm_8xb32-120e_h36m",
    "motionbert_dstformer-ft-243frm_8xb32-120e_h36m-original",
)


def flat_pose(n: int, seed: int = 0) -> NDArray[np.float64]:
    """Make 17 keypoints (frame, 2, 17) that move in a picture of 1000 pixels."""
    rng = np.random.default_rng(seed)
    return rng.uniform(300, 700, (1, 2, 17)) + np.cumsum(rng.normal(0, 2, (n, 2, 17)), axis=0)


def without_world(duration_s: float = 3.0, seed: int = 0) -> Pose:
    return replace(infant_pose(duration_s, seed=seed), world=None)


def one_at_a_time(
    model: Any, flat: NDArray[np.float64], frames: list[int], size: tuple[float, float]
) -> NDArray[np.float64]:
    """Lift frames by mmpose's own function: (frame, 3, 17)."""
    import_mmpose()
    from mmengine.structures import InstanceData
    from mmpose.apis import extract_pose_sequence, inference_pose_lifter_model
    from mmpose.structures import PoseDataSample

    found = []
    for frame in flat.transpose(0, 2, 1):
        sample = PoseDataSample()
        sample.gt_instances = InstanceData()
        sample.pred_instances = InstanceData(
            keypoints=frame[None].astype(np.float32), bboxes=np.array([[0.0, 0.0, 1.0, 1.0]])
        )
        sample.track_id = 0
        found.append([sample])
    dataset = model.cfg.test_dataloader.dataset
    model.dataset_meta = model.dataset_meta or {}
    lifted = []
    for frame in frames:
        window = extract_pose_sequence(found, frame, dataset.get("causal", False), dataset.seq_len)
        result = inference_pose_lifter_model(model, window, image_size=size)
        lifted.append(result[0].pred_instances.keypoints[0].T)
    return np.stack(lifted)


def compare_with_mmpose(config: Path, folder: Path, n: int, frames: list[int]) -> None:
    checkpoint = save_random(config, folder / "weights.pth")
    flat = flat_pose(n)
    ours = Network(config, checkpoint, batch_size=16).lift(flat)
    assert ours.shape == (n, 3, 17)
    theirs = one_at_a_time(build_model(config, checkpoint), flat, frames, (1000, 1000))
    assert np.ptp(theirs) > 0.1
    np.testing.assert_allclose(ours[frames], theirs, atol=1e-5)


@pytest.mark.parametrize("causal", [False, True])
def test_a_stretch_at_once_is_every_frame_by_itself(tmp_path: Path, causal: bool) -> None:
    config = tmp_path / "small.py"
    config.write_text(SMALL_TCN.replace("causal=False", f"causal={causal}"))
    compare_with_mmpose(config, tmp_path, 60, [*range(15), 30, *range(45, 60)])


def test_a_stretch_shorter_than_the_window(tmp_path: Path) -> None:
    config = tmp_path / "small.py"
    config.write_text(SMALL_TCN)
    for n in (1, 2, 5):
        compare_with_mmpose(config, tmp_path, n, list(range(n)))


def test_one_frame_networks_use_their_configs_statistics(tmp_path: Path) -> None:
    compare_with_mmpose(find_config(SHIPPED[0]), tmp_path, 5, [0, 2, 4])


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED[1:])
def test_every_temporal_convolution_that_mmpose_ships(tmp_path: Path, name: str) -> None:
    compare_with_mmpose(find_config(name), tmp_path, 40, [0, 17, 39])


def test_all_lifters_that_mmpose_ships_are_known_here() -> None:
    shipped = {n for n, p in shipped_configs().items() if "body_3d_keypoint" in p[0].parts}
    assert shipped == {*SHIPPED, *TRANSFORMERS}


SMALL_TRANSFORMER = textwrap.dedent(
    """
    default_scope = 'mmpose'
    codec = dict(type='MotionBERTLabel', num_keypoints=17, concat_vis=True, rootrel=True)
    model = dict(
        type='PoseLifter',
        backbone=dict(type='DSTFormer', in_channels=3, feat_size=16, depth=2, num_heads=2,
                      mlp_ratio=2, seq_len=9, att_fuse=True),
        head=dict(type='MotionRegressionHead', in_channels=16, out_channels=3, embedding_size=16,
                  loss=dict(type='MPJPEVelocityJointLoss'), decoder=codec),
        test_cfg=dict(flip_test=True))
    test_dataloader = dict(dataset=dict(
        type='Human36mDataset', seq_len=1, multiple_target=9,
        pipeline=[dict(type='GenerateTarget', encoder=codec), dict(type='PackPoseInputs')]))
    """
)


def by_their_prediction(model: Any, network: Network, flat: NDArray[np.float64]) -> Any:
    """Lift a sequence by the model's own ``predict``, which mmpose's function never reaches."""
    import torch
    from mmpose.structures import PoseDataSample

    encoded = network._encode(flat)
    sample = PoseDataSample()
    sample.set_metainfo(
        {
            "flip_indices": list(HUMAN36M_17.mirror),
            "camera_param": {"w": 1000.0, "h": 1000.0},
            "factor": encoded["factor"],
        }
    )
    inputs = torch.from_numpy(encoded["keypoint_labels"]).float()[None]
    with torch.no_grad():
        found = model.predict(inputs, [sample])
    return found[0].pred_instances.keypoints[0].transpose(0, 2, 1)


def test_a_transformers_sequence_is_its_own_prediction(tmp_path: Path) -> None:
    config = tmp_path / "small.py"
    config.write_text(SMALL_TRANSFORMER)
    checkpoint = save_random(config, tmp_path / "weights.pth")
    network = Network(config, checkpoint)
    flat = flat_pose(9)
    theirs = by_their_prediction(build_model(config, checkpoint), network, flat)
    np.testing.assert_allclose(network.lift(flat), theirs, atol=1e-5)
    # A longer stretch: every frame is that of the sequence whose middle it is nearest to.
    flat = flat_pose(31)
    parts = sequences(31, 9)
    assert len(parts) > 4
    expected = np.concatenate(
        [network.lift(flat[w])[k.start - w.start : k.stop - w.start] for w, k in parts]
    )
    np.testing.assert_allclose(network.lift(flat), expected, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", TRANSFORMERS[::2])  # the others differ in their data alone
def test_every_transformer_that_mmpose_ships(tmp_path: Path, name: str) -> None:
    config = find_config(name)
    checkpoint = save_random(config, tmp_path / "weights.pth")
    network = Network(config, checkpoint)
    flat = flat_pose(3)
    theirs = by_their_prediction(build_model(config, checkpoint), network, flat)
    np.testing.assert_allclose(network.lift(flat), theirs, atol=1e-5)


@given(st.integers(1, 600), st.integers(1, 250))
def test_sequences_cover_a_stretch_once(n: int, length: int) -> None:
    parts = sequences(n, length)
    kept = np.concatenate([np.arange(n)[k] for _, k in parts])
    np.testing.assert_array_equal(kept, np.arange(n))
    for whole, part in parts:
        assert whole.start <= part.start < part.stop <= whole.stop <= n
        assert whole.stop - whole.start == min(n, length)


def test_batches_and_runs_give_the_same(tmp_path: Path) -> None:
    config = tmp_path / "small.py"
    config.write_text(SMALL_TCN)
    checkpoint = save_random(config, tmp_path / "weights.pth")
    flat = flat_pose(50)
    whole = Network(config, checkpoint, batch_size=1000).lift(flat)
    np.testing.assert_array_equal(Network(config, checkpoint, batch_size=1000).lift(flat), whole)
    for batch_size in (1, 7, 50):
        some = Network(config, checkpoint, batch_size=batch_size).lift(flat)
        np.testing.assert_allclose(some, whole, atol=1e-5)


# -- placement ---------------------------------------------------------------------------------


@pytest.mark.parametrize("fit", ["trunk", "box"])
def test_size_place_and_turn_of_the_picture_do_not_count(fit: Any) -> None:
    pose = without_world()
    flat = convert(pose.position, pose.anatomy, HUMAN36M_17)
    here = place(flat, fit).apply(flat)
    other = 3.0 * turn(flat, 2.5) + np.array([[100.0], [-50.0]])
    np.testing.assert_allclose(place(other, fit).apply(other), here, atol=1e-6)
    assert upright_angle(here, NAMES) == pytest.approx(0, abs=1e-9)


def test_the_body_gets_an_adults_size() -> None:
    pose = without_world()
    flat = convert(pose.position, pose.anatomy, HUMAN36M_17)
    by_trunk = place(flat, "trunk").apply(flat)
    assert trunk_length(by_trunk, NAMES) == pytest.approx(101.9)
    np.testing.assert_allclose(np.median(by_trunk[:, :, 0], axis=0), (532.1, 419.7), atol=1)
    by_box = place(flat, "box").apply(flat)
    sides = np.ptp(by_box, axis=2).max(axis=1)
    assert np.median(sides) == pytest.approx(400)
    angle = upright_angle(flat, NAMES)
    by_picture = place(flat, "picture", (640, 480)).apply(flat)
    # As VideoPose3D's codec has it: (x - w / 2) / (w / 2), here in a picture of 1000 pixels.
    middle = np.array([[320.0], [240.0]])
    np.testing.assert_allclose(by_picture, turn(flat - middle, angle) / 0.64 + 500, atol=1e-9)
    with pytest.raises(NotAssessable) as error:
        place(flat, "picture")
    assert error.value.reason is Reason.NO_3D


# -- gaps --------------------------------------------------------------------------------------


def test_stretches_end_at_gaps_and_pauses() -> None:
    usable = np.array([0, 1, 1, 0, 0, 1, 1, 1, 1, 0], dtype=bool)
    time_s = np.arange(10) / 25.0
    assert stretches(usable, time_s) == [slice(1, 3), slice(5, 9)]
    time_s[7:] += 2.0
    assert stretches(usable, time_s) == [slice(1, 3), slice(5, 7), slice(7, 9)]
    assert stretches(np.zeros(10, dtype=bool), time_s) == []


def test_missing_keypoints_are_filled_in_beside_the_pelvis() -> None:
    flat = flat_pose(20)
    flat[:, :, 3] = flat[:, :, 0] + 10.0  # an ankle that keeps its distance
    there = np.ones((20, 17), dtype=bool)
    there[5:9, 3] = there[15:, 3] = False
    holes = flat.copy()
    holes[5:9, :, 3] = holes[15:, :, 3] = np.nan
    usable = usable_frames(there)
    assert usable.all()
    np.testing.assert_allclose(fill_in(holes, there, usable), flat)
    there[7, 1:7] = False  # six more: too many
    there[8, 0] = False  # no pelvis
    assert np.flatnonzero(~usable_frames(there)).tolist() == [7, 8]
    never = np.ones((20, 17), dtype=bool)
    never[:, NAMES.index("left_wrist")] = False
    with pytest.raises(NotAssessable, match="left_wrist") as error:
        fill_in(flat, never, usable_frames(never))
    assert error.value.reason is Reason.NO_3D


@pytest.fixture(scope="module")
def lifter(tmp_path_factory: pytest.TempPathFactory) -> MMPoseLifter:
    folder = tmp_path_factory.mktemp("lifter")
    config = folder / "small.py"
    config.write_text(SMALL_TCN)
    save_random(config, folder / "weights.pth")
    return MMPoseLifter(
        MMPoseLifterOptions(
            config=str(config), checkpoint=str(folder / "weights.pth"), device="cpu"
        )
    )


def test_nothing_is_invented_in_gaps(lifter: MMPoseLifter) -> None:
    pose = without_world(8.0)
    position = pose.position.copy()
    wrist = pose.keypoints.index("left_wrist")
    position[30:60, :, wrist] = np.nan  # longer than what cleaning imputes
    position[100:140] = np.nan
    position[170:175, :, wrist] = np.nan  # imputed
    cleaned = clean(replace(pose, position=position), CLEANING)
    found = lifter.lift(cleaned)
    origin = found.origin
    left_wrist = NAMES.index("left_wrist")
    np.testing.assert_array_equal(np.isnan(found.position).any(axis=1), origin == Origin.MISSING)
    assert (origin[100:140] == Origin.MISSING).all()
    assert (origin[30:60, left_wrist] == Origin.MISSING).all()
    others = [k for k in range(17) if k != left_wrist]
    # The network was given a place for the wrist: what it says of the others is not measured.
    assert (origin[30:60][:, others] == Origin.IMPUTED).all()
    assert (origin[60:100] == Origin.MEASURED).all()
    assert (origin[170:175, left_wrist] == Origin.IMPUTED).all()
    assert (origin[170:175, NAMES.index("right_knee")] == Origin.MEASURED).all()
    assert found.details["stretches"] == 2
    # Nothing reaches across the gap: what is after it is as if nothing had been before.
    later = slice(140, 200)
    flat = convert(cleaned.pose.position, cleaned.pose.anatomy, HUMAN36M_17)
    placement = place(flat, "trunk")
    alone = turn(lifter.network.lift(placement.apply(flat[later])), -placement.angle)
    np.testing.assert_allclose(found.position[later], alone, atol=1e-5)


def test_the_lifted_pose_turns_with_the_picture_and_ends_upright(lifter: MMPoseLifter) -> None:
    cleaned = clean(without_world(), CLEANING)
    here = lifter.lift(cleaned).position
    turned = replace(cleaned.pose, position=2.0 * turn(cleaned.pose.position, 1.3))
    there = lifter.lift(Cleaned(turned)).position
    np.testing.assert_allclose(there, turn(here, 1.3), atol=1e-4)
    out = lift(Cleaned(turned), CLEANING, lifter)
    assert (out.units, out.skeleton, out.n_space) == ("metres", "human36m17", 3)
    assert (out.position[:, :, 0] == 0).all()
    assert upright_angle(out.position, NAMES) == pytest.approx(0, abs=1e-6)
    done = out.details["lifting"]
    assert done["method"] == "mmpose"
    assert done["fit"] == "trunk"
    assert len(done["checkpoint_sha256"]) == 64
    assert "adult" in done["scale"]


def test_a_3d_track_is_left_alone(lifter: MMPoseLifter) -> None:
    pose = infant_pose(3.0)
    assert pose.world is not None
    track = replace(pose, position=pose.world, world=None, units="metres")
    found = lifter.lift(clean(track, CLEANING))
    assert found.details["method"] == "track"


def test_keypoints_that_do_not_give_the_skeleton(lifter: MMPoseLifter) -> None:
    pose = without_world()
    keep = [i for i, k in enumerate(pose.keypoints) if "ankle" not in k]
    cleaned = clean(pose, CLEANING).pose
    assert cleaned.origin is not None
    less = replace(
        cleaned,
        position=cleaned.position[:, :, keep],
        confidence=cleaned.confidence[:, keep],
        origin=cleaned.origin[:, keep],
        keypoints=tuple(pose.keypoints[i] for i in keep),
        skeleton="",
    )
    with pytest.raises(NotAssessable) as error:
        lifter.lift(Cleaned(less))
    assert error.value.reason is Reason.SKELETON_MISMATCH


# -- what is refused ---------------------------------------------------------------------------


def test_what_is_no_lifter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no lifter that runs here.*video_pose_lift"):
        Network(find_config("rtmpose-t_8xb256-420e_coco-256x192"))
    config = tmp_path / "other.py"
    config.write_text(SMALL_TCN.replace("type='PackPoseInputs'", "type='Resample'"))
    with pytest.raises(ConfigError, match="Resample"):
        Network(config)
    config.write_text(SMALL_TCN.replace("num_keypoints=17", "num_keypoints=133"))
    with pytest.raises(ConfigError, match="133"):
        Network(config)
    config.write_text(SMALL_TCN.replace("seq_len=27", "seq_len=27, seq_step=2"))
    with pytest.raises(ConfigError, match="seq_step"):
        Network(config)


def test_weights_that_are_not_there_or_others(tmp_path: Path) -> None:
    options = MMPoseLifterOptions(checkpoint=str(tmp_path / "none.pth"))
    (finding,) = options.check()
    assert "lifting.options.checkpoint" in finding
    assert "videopose_h36m_243frames_fullconv_supervised_cpn_ft" in finding
    with pytest.raises(ConfigError, match="there is no file"):
        MMPoseLifter(options).network  # noqa: B018
    config = tmp_path / "small.py"
    config.write_text(SMALL_TCN)
    save_random(config, tmp_path / "weights.pth")
    other = MMPoseLifterOptions(
        config=str(config), checkpoint=str(tmp_path / "weights.pth"), sha256="0" * 64
    )
    assert set(other.files()) == {"checkpoint", "config"}
    assert other.check() == []
    assert other.expected_sha256() == {"checkpoint": "0" * 64}
    with pytest.raises(ConfigError, match="SHA-256"):
        MMPoseLifter(other).network  # noqa: B018
    wrong = MMPoseLifterOptions(config=SHIPPED[0], checkpoint=str(tmp_path / "weights.pth"))
    with pytest.raises(ConfigError, match="does not fit"):
        MMPoseLifter(wrong).network  # noqa: B018
    (finding,) = MMPoseLifterOptions(
        config="video-pose-lift_tcn-27frm", checkpoint=str(tmp_path / "weights.pth")
    ).check()
    assert "Did you mean" in finding


# -- learning ----------------------------------------------------------------------------------

STEPS = 450
CROPS, CROP = 32, 34  # windows of 27 frames: 8 frames' results a crop


def train(network: Network, pairs: list[tuple[NDArray[Any], NDArray[Any]]]) -> None:
    """Train for a short while on 2D poses as the network wants them, and their 3D poses."""
    import torch

    rng = np.random.default_rng(0)
    optimiser = torch.optim.Adam(network.model.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    network.model.train()
    for _ in range(STEPS):
        crops = []
        for i in rng.integers(len(pairs), size=CROPS):
            start = int(rng.integers(pairs[i][0].shape[1] - CROP))
            middle = slice(start + 13, start + CROP - 13)
            crops.append((pairs[i][0][:, start : start + CROP], pairs[i][1][middle]))
        columns, target = (
            torch.from_numpy(np.stack(part)).float() for part in zip(*crops, strict=True)
        )
        out = network.model.head.conv(network.model.backbone(columns)[-1]).transpose(1, 2)
        found = out.reshape(CROPS, -1, 17, 3).transpose(2, 3)
        loss = (found - target).norm(dim=2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()


@pytest.mark.slow
def test_a_network_trained_on_phantoms_beats_their_mean_pose(tmp_path: Path) -> None:
    """Depth comes out of the 2D pose alone, on bodies and movements that it never saw."""
    import torch

    from fidgety.phantom.plan import plan_cohort
    from fidgety.phantom.record import Simulation, simulate
    from fidgety.pose.accuracy_3d import errors_3d

    def truth_of(simulation: Simulation) -> NDArray[np.float64]:
        points = convert(simulation.keypoints_m, BLAZEPOSE_33.keypoints, HUMAN36M_17)
        return points - points[:, :, :1]

    def upright(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return turn(points, upright_angle(points, NAMES))

    simulations = [simulate(spec) for spec in plan_cohort("validation", 3, 4.0)[:36]]
    infants = sorted({s.spec.infant for s in simulations})
    training = [s for s in simulations if s.spec.infant not in infants[::5]]
    held_out = [s for s in simulations if s.spec.infant in infants[::5]]

    config = tmp_path / "small.py"
    config.write_text(SMALL_TCN)
    torch.manual_seed(0)
    network = Network(config)
    pairs = []
    for simulation in training:
        flat = convert(simulation.keypoints_px, BLAZEPOSE_33.keypoints, HUMAN36M_17)
        placement = place(flat, "trunk")
        columns = network._encode(placement.apply(flat))["keypoint_labels"]
        pairs.append((columns, turn(truth_of(simulation), placement.angle)))
    train(network, pairs)
    weights = tmp_path / "trained.pth"
    torch.save({"state_dict": network.model.state_dict(), "meta": {}}, weights)

    # From here on as the workflow does it: the weights' file, cleaning, lifting.
    options = MMPoseLifterOptions(config=str(config), checkpoint=str(weights), device="cpu")
    lifter = MMPoseLifter(options)
    mean_pose = np.mean([upright(truth_of(s)).mean(axis=0) for s in training], axis=0)
    ours, still = [], []
    for simulation in held_out:
        truth = upright(truth_of(simulation))
        n = len(truth)
        pose = Pose(
            position=simulation.keypoints_px,
            confidence=np.ones((n, 33)),
            time_s=simulation.time_s,
            keypoints=BLAZEPOSE_33.keypoints,
            fps=25.0,
        )
        lifted = lift(clean(pose, CLEANING), CLEANING, lifter).position
        trunk = trunk_length(truth, NAMES)
        ours.append(errors_3d(lifted, truth, trunk).row())
        still.append(errors_3d(np.broadcast_to(mean_pose, truth.shape), truth, trunk).row())
    assert len(ours) >= 5
    for measure in ("n_mpjpe_trunk", "p_mpjpe_trunk"):
        error, baseline = (np.array([row[measure] for row in rows]) for rows in (ours, still))
        print(measure, error.round(3), baseline.round(3))
        assert (error < baseline).mean() > 0.8
        assert error.mean() < 0.85 * baseline.mean()
