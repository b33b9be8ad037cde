"""Models of pictures train, are interrupted, and assess, as all others do."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from fidgety.config.evaluation import EvaluationConfig
from fidgety.config.learning import FoldsConfig, TrainingConfig
from fidgety.datasets.folds import assign_folds, infant_labels
from fidgety.errors import FidgetyError, Outcome, Reason
from fidgety.models.base import parse_model_options, weights_of
from fidgety.models.registry import MODEL_SYSTEMS
from fidgety.pose.tracks import write_pose
from fidgety.report.picture_list import read_pictures
from fidgety.storage import Provenance
from fidgety.training.fold import train_fold
from fidgety.training.fold_model import load_fold_model, write_fold_model
from fidgety.training.gather import FoldJob, gather
from fidgety.training.model_list import write_model_list
from fidgety.training.predict import predict_infant
from fidgety.training.results import write_predictions
from fidgety.training.score import InstancePool
from tests.pixels.synthetic import write_pixels
from tests.pixels.test_build import still_pose, write_masks
from tests.training.test_predict import Names
from workflow_scripts import draw_pictures as draw_script
from workflow_scripts import explain_pictures as explain_script
from workflow_scripts.stage import Job

OPTIONS = {"backbone": "resnet18", "learning_rate": 1e-3, "batch_size": 4, "step_s": 1.0}
SIZE = 64


def write_moving(path, down, seed, moments=19):
    """Write grey noise that moves down or up."""
    rng = np.random.default_rng(seed)
    crops = rng.integers(0, 256, (moments, SIZE, SIZE, 3))
    flow = rng.normal(128, 20, (moments - 1, SIZE, SIZE, 2))
    flow[..., 1] += 40 if down else -40
    write_pixels(path, crops, np.clip(flow, 0, 255))


class Pictures:
    """Four infants a class, one recording of each, and one that came as tracks."""

    def __init__(self, folder):
        rows, self.pixels, self.features = [], {}, {}
        for k in range(4):
            for label in ("normal", "risk"):
                name = f"{label}-{k}"
                write_moving(folder / f"{name}.h5", label == "risk", 2 * k + (label == "risk"))
                self.pixels[name] = folder / f"{name}.h5"
                rows.append({"recording": name, "infant": f"i-{name}", "label": label})
        rows.append({"recording": "tracks", "infant": "i-normal-0", "label": "normal"})
        about = {"cohort": "c", "role": "development", "status": "ok", "reason": ""}
        self.table = pd.DataFrame([row | about for row in rows])
        self.entries = assign_folds(infant_labels(self.table), 2, 1)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return Pictures(tmp_path_factory.mktemp("pictures"))


def make_job(epochs=5, **options):
    system = MODEL_SYSTEMS.get("two_stream")
    chosen = OPTIONS | {"blind_epochs": epochs} | options
    return FoldJob(
        model="pictures",
        kind="two_stream",
        system=system,
        options=parse_model_options(system, chosen),
        classes=("normal", "risk"),
        at_risk=(False, True),
        fold=1,
        seed=3,
        training=TrainingConfig(device="cpu"),
        folds=FoldsConfig(n=2),
        evaluation=EvaluationConfig(),
    )


def learn(pictures, job, work, readers=0):
    data = gather(job, pictures.entries, pictures.table, pictures.pixels)
    return train_fold(job, data, [], work, readers=readers)


@pytest.fixture(scope="module")
def trained(pictures, tmp_path_factory):
    torch.set_num_threads(1)
    return learn(pictures, make_job(), tmp_path_factory.mktemp("work"))


def test_clips_of_infants_are_learned_and_told(pictures, trained, tmp_path):
    write_fold_model(
        tmp_path / "weights.safetensors", tmp_path / "model.json", trained.network,
        trained.description,
    )  # fmt: skip
    fold_model = load_fold_model(tmp_path / "model.json")
    assert fold_model.spec.pixels
    assert fold_model.feature_names == ()
    assert trained.description["left_out"]["tracks"].endswith("the recording has no video")
    tested = [e for e in pictures.entries if e.fold == 1]
    assert {e.label for e in tested} == {"normal", "risk"}
    for entry in tested:
        name = entry.infant.removeprefix("i-")
        given = {name: tmp_path / "none.h5"}
        said = predict_infant(
            entry.infant, given, pictures.entries, [tmp_path / "model.json"],
            pixels={name: pictures.pixels[name]},
        )["pictures"]  # fmt: skip
        assert said.outcome == Outcome()
        # 18 fields, clips of 6 every 5 s: the first alone.
        assert said.probability.shape == (1, 1, 2)
        assert said.infant_probability[0].argmax() == (entry.label == "risk")
    without = predict_infant(
        tested[0].infant, {"tracks": tmp_path / "none.h5"}, pictures.entries,
        [tmp_path / "model.json"],
    )["pictures"]  # fmt: skip
    assert without.outcome.reason is Reason.FEATURE_UNAVAILABLE
    assert "no video" in without.outcome.detail


def test_the_scripts_lead_from_predictions_to_strips(pictures, trained, tmp_path):
    """What a model of pictures looks at, through both scripts, to the infant's page."""
    model = tmp_path / "m" / "model.json"
    write_fold_model(
        model.with_name("weights.safetensors"), model, trained.network, trained.description
    )
    infant = next(e.infant for e in pictures.entries if e.fold == 1)
    name = infant.removeprefix("i-")
    pose = still_pose()
    write_pose(tmp_path / f"{name}.h5", pose, Provenance())
    said = predict_infant(
        infant, {name: tmp_path / f"{name}.h5"}, pictures.entries, [model],
        pixels={name: pictures.pixels[name]},
    )  # fmt: skip
    write_predictions(
        tmp_path / "said.h5", said, infant=infant, role="development", provenance=Provenance()
    )
    given = [str(pictures.pixels[name])]
    masks = tmp_path / "masks" / f"{name}.h5"
    masks.parent.mkdir()
    listed = str(tmp_path / "models.tsv")
    write_model_list(listed, [model])
    explain_script.main(
        Job(
            Names(predictions=str(tmp_path / "said.h5"), models=listed, pixels=given),
            Names(looks=str(tmp_path / "looks.h5")),
            Names(n=3, models=["pictures"], code="c0de"),
            Names(infant=infant),
        )
    )
    draw_script.main(
        Job(
            Names(
                looks=str(tmp_path / "looks.h5"),
                pixels=given,
                background=[str(write_masks(masks, np.full((61, 160, 160), 255, np.uint8)))],
                clean=[str(tmp_path / f"{name}.h5")],
            ),
            Names(pictures=str(tmp_path / "pictures")),
            Names(config={"faces": "hidden", "overlay": "video"}, code="c0de"),
            Names(infant=infant),
        )
    )
    (row,) = read_pictures(tmp_path / "pictures")
    assert row["panels"] == ["crop", "flow", "spatial", "temporal"]
    assert (row["model"], row["recording"]) == ("pictures", name)
    called = said["pictures"].infant_probability[0].argmax()
    assert row["called"] == ("normal", "risk")[called]
    assert row["probability"] == pytest.approx(said["pictures"].probability[0, 0, called], abs=1e-4)
    assert (tmp_path / "pictures" / "01.png").stat().st_size > 1000


def test_readers_change_nothing(pictures, trained, tmp_path):
    again = learn(pictures, make_job(), tmp_path, readers=2)
    first, second = weights_of(trained.network), weights_of(again.network)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_interrupted_training_goes_on_to_the_same_weights(pictures, trained, tmp_path, monkeypatch):
    calls = {"n": 0}
    network = MODEL_SYSTEMS.get("two_stream").build
    per_epoch = 6  # three batches that are learned from, and seen again for batch norm

    def interrupted(*arguments):
        made = network(*arguments)
        maps = made.maps  # of every batch, learned from or not

        def step(*clips):
            calls["n"] += 1
            if calls["n"] > per_epoch + 1:
                raise KeyboardInterrupt
            return maps(*clips)

        made.maps = step
        return made

    with monkeypatch.context() as patch:
        patch.setattr(MODEL_SYSTEMS.get("two_stream"), "build", interrupted)
        with pytest.raises((KeyboardInterrupt, SystemExit, FidgetyError)):
            learn(pictures, make_job(), tmp_path)
    assert list(tmp_path.rglob("last.ckpt"))
    again = learn(pictures, make_job(), tmp_path)
    first, second = weights_of(trained.network), weights_of(again.network)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_number_of_clips_is_a_limit(pictures):
    job = make_job(step_s=0.5, clips=3)
    data = gather(job, pictures.entries, pictures.table, pictures.pixels)
    # 18 fields: starts at 0, 3, 6 of 0, 3, 6, 9, 12.
    assert sorted(set(data.train_windows.start.tolist())) == [0, 3, 6]
    every = gather(
        replace(job, options=job.options.model_copy(update={"clips": None})),
        pictures.entries, pictures.table, pictures.pixels,
    )  # fmt: skip
    assert sorted(set(every.train_windows.start.tolist())) == [0, 3, 6, 9, 12]


def test_instances_are_pooled_by_mean_median_logits_or_the_highest_risk():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(7, 3)) * 4
    probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    mean = logits.mean(axis=0)
    np.testing.assert_allclose(
        InstancePool("logits")(probability), np.exp(mean) / np.exp(mean).sum(), atol=1e-12
    )
    np.testing.assert_allclose(InstancePool()(probability), probability.mean(axis=0))
    middle = np.median(probability, axis=0)
    np.testing.assert_allclose(InstancePool("median")(probability), middle / middle.sum())
    # With two classes both medians are of the same instances. One far out does not count.
    two = np.array([[0.9, 0.1], [0.8, 0.2], [0.0, 1.0], [0.7, 0.3]])
    np.testing.assert_allclose(InstancePool("median")(two), [0.75, 0.25])
    np.testing.assert_allclose(InstancePool("median")(np.eye(3)), [1 / 3] * 3)
    certain = np.array([[1.0, 0.0], [0.5, 0.5]])
    assert np.isfinite(InstancePool("logits")(certain)).all()
    # Two of three classes are at risk: the instance counts whose sum of both is the highest.
    highest = InstancePool("highest", (False, True, True))(probability)
    np.testing.assert_array_equal(highest, probability[probability[:, 0].argmin()])
