"""No test infant influences anything, for every kind of model that there is.

Two ways of looking for a leak. A *marker*: what is planted in test infants' files, labels and
characteristics changes neither a fold's model nor what it says of anybody else. *Shuffled labels*:
where labels mean nothing, infants that a model has not seen are told apart by chance alone.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from fidgety.config.evaluation import EvaluationConfig
from fidgety.config.learning import FoldsConfig, TrainingConfig
from fidgety.datasets.folds import FoldEntry, assign_folds, infant_labels
from fidgety.models.base import parse_model_options, weights_of
from fidgety.models.registry import MODEL_SYSTEMS, READ_INFO
from fidgety.training import gather as gathering
from fidgety.training import predict as prediction
from fidgety.training.fold import Trained, train_fold
from fidgety.training.fold_model import FoldModel, load_fold_model, write_fold_model
from fidgety.training.gather import FoldJob, gather
from fidgety.training.predict import predict_model
from tests.pixels.synthetic import write_pixels
from tests.training.conftest import SMALL
from tests.training.synthetic import write_recording

#: Options of every kind that end within a second or two.
SHORT = {"epochs": 2, "blind_epochs": 2}
CHEAP: dict[str, dict[str, Any]] = {
    **{kind: SMALL[kind] | SHORT for kind in ("cnn1d", "lstm", "vit")},
    "svm": SMALL["svm"],
    "multirocket_hydra": SMALL["multirocket_hydra"] | {"n_kernels": 84, "hydra_groups": 4},
    **{kind: SMALL[kind] | SHORT | {"pretrain_epochs": 1} for kind in ("mam_clip", "mam")},
    "eml": {"window_s": 4.0},
    "stam": {
        **SHORT,
        "rate_hz": 12.5,
        "window_s": 2.0,
        "step_s": 2.0,
        "predict_step_s": 2.0,
        "clip_frames": 12,
        "clip_step_frames": 12,
        "widths": [8, 8],
        "attention_width": 8,
    },
    "wo_gma": {
        **SHORT,
        "graph_width": 4,
        "clip_width": 8,
        "proposal_widths": [8],
        "state_width": 8,
        "online_widths": [8],
        "scales": 2,
        "min_steps": 1,
    },
    "ctr_gcn": SMALL["ctr_gcn"] | SHORT,
    "two_stream": {
        "backbone": "resnet18",
        "learning_rate": 1e-3,
        "epochs": 1,
        "blind_epochs": 1,
        "batch_size": 8,
    },
}
KINDS = MODEL_SYSTEMS.names()
DURATION_S = 5.0
#: The smallest pictures that a two-stream network reads.
SIZE_PX = 64


def cheap(kind: str) -> dict[str, Any]:
    """Return the options that a kind is tested with here."""
    if kind not in CHEAP:
        pytest.fail(
            f"the kind {kind!r} has no cheap settings: add some to CHEAP in {Path(__file__).name}, "
            "so that it is searched for leaks like every other"
        )
    return CHEAP[kind]


def write_infant(features: Path, pixels: Path, seed: int, change: float = 0.0) -> None:
    """Write what models read of an infant: movement alike in all of them but for chance.

    With a ``change`` it is another recording, with values that no infant has.
    """

    def mark(values: dict[str, NDArray[np.float32]]) -> None:
        for array in values.values():
            array *= 1 + change
            array += change

    write_recording(features, True, DURATION_S, seed=seed, change=mark if change else None)
    rng = np.random.default_rng(seed)
    crops = rng.integers(0, 256, (7, SIZE_PX, SIZE_PX, 3))
    flow = rng.integers(0, 256, (6, SIZE_PX, SIZE_PX, 2))
    write_pixels(pixels, np.full_like(crops, 255) if change else crops, flow)


@dataclass
class Infants:
    """A cohort in two folds: what every stage is given of it."""

    table: pd.DataFrame
    reference: pd.DataFrame
    intervals: list[dict[str, Any]]
    entries: list[FoldEntry]
    features: dict[str, Path]
    pixels: dict[str, Path]
    characteristics: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def write(cls, folder: Path, per_class: int) -> Infants:
        """Write the files of a cohort, and of two reference infants."""
        rows, features, pixels, characteristics, intervals = [], {}, {}, {}, []
        rng = np.random.default_rng(per_class)
        for role, n in (("development", per_class), ("reference", 1)):
            for k in range(2 * n):
                name = f"{role[:3]}-{k}"
                features[name], pixels[name] = folder / f"{name}.h5", folder / f"{name}-px.h5"
                write_infant(features[name], pixels[name], len(features))
                rows.append((name, f"i-{name}", ("normal", "risk")[k % 2], role, "ok", ""))
                characteristics[name] = {
                    "sex": ("female", "male")[int(rng.integers(2))],
                    "gestational_age_weeks": float(rng.normal(36, 2)),
                    "birth_weight_g": float(rng.normal(3000, 300)),
                    "corrected_age_weeks": float(rng.normal(13, 1)),
                }
                movement = ("fidgety", "other")[k % 2]
                whole = {"recording": name, "start_s": 0.0, "end_s": DURATION_S}
                intervals.append(whole | {"movement": movement, "rater": "consensus"})
        columns = ["recording", "infant", "label", "role", "status", "reason"]
        table = pd.DataFrame(rows, columns=columns)
        own = table[table["role"] == "development"]
        return cls(
            own,
            table[table["role"] == "reference"],
            intervals,
            assign_folds(infant_labels(own), 2, 1),
            features,
            pixels,
            characteristics,
        )

    def tested(self, fold: int) -> list[str]:
        """Return the infants of a fold."""
        return [e.infant for e in self.entries if e.fold == fold]

    def relabelled(self, labels: dict[str, str]) -> Infants:
        """Return the same infants, in the same folds, with other labels."""
        return replace(
            self,
            table=self.table.assign(label=[labels[i] for i in self.table["infant"]]),
            entries=[replace(e, label=labels[e.infant]) for e in self.entries],
        )

    def marked(self, infants: list[str], folder: Path) -> Infants:
        """Return the cohort with all that is known of some infants changed, but for their fold."""
        folder.mkdir()
        names = {infant.removeprefix("i-") for infant in infants}
        features, pixels = dict(self.features), dict(self.pixels)
        for k, name in enumerate(sorted(names)):
            features[name], pixels[name] = folder / f"{name}.h5", folder / f"{name}-px.h5"
            write_infant(features[name], pixels[name], 900 + k, change=7.0)
        other = {"normal": "risk", "risk": "normal"}
        labels = {
            e.infant: other[e.label] if e.infant in infants else e.label for e in self.entries
        }
        marked = {"sex": "male", "birth_weight_g": 600.0, "gestational_age_weeks": 23.0}
        return replace(
            self.relabelled(labels),
            features=features,
            pixels=pixels,
            characteristics={
                name: row | (marked if name in names else {})
                for name, row in self.characteristics.items()
            },
        )


def make_job(kind: str, fold: int) -> FoldJob:
    system = MODEL_SYSTEMS.get(kind)
    return FoldJob(
        model=kind,
        kind=kind,
        system=system,
        options=parse_model_options(system, cheap(kind)),
        classes=("normal", "risk"),
        at_risk=(False, True),
        fold=fold,
        seed=5,
        training=TrainingConfig(device="cpu"),
        folds=FoldsConfig(n=2),
        evaluation=EvaluationConfig(),
    )


def sources(kind: str, own: Infants) -> dict[str, Path]:
    """Return the files that a kind reads."""
    return own.pixels if make_job(kind, 1).spec.pixels else own.features


def learn(kind: str, own: Infants, work: Path, fold: int = 1) -> tuple[Trained, FoldModel]:
    """Train a fold as the workflow does, and load what it wrote."""
    job = make_job(kind, fold)
    data = gather(
        job, own.entries, own.table, sources(kind, own), own.reference, own.characteristics
    )
    trained = train_fold(job, data, own.intervals, work / "checkpoints")
    write_fold_model(
        work / "weights.safetensors", work / "model.json", trained.network, trained.description
    )
    return trained, load_fold_model(work / "model.json")


def ask(fold_model: FoldModel, own: Infants, infant: str) -> Any:
    """Return what a fold's model says of an infant."""
    name = infant.removeprefix("i-")
    files = {name: sources(fold_model.kind, own)[name]}
    return predict_model([fold_model], infant, files, rows=own.characteristics)


def test_every_kind_is_searched_for_leaks() -> None:
    assert sorted(CHEAP) == sorted(KINDS), "CHEAP has settings for every kind, and for no other"


@pytest.fixture(scope="module")
def dozen(tmp_path_factory: pytest.TempPathFactory) -> Infants:
    """Six infants a class in two folds: of three for training, one is kept for validation."""
    return Infants.write(tmp_path_factory.mktemp("dozen"), 6)


def same_weights(a: Trained, b: Trained) -> bool:
    first, second = weights_of(a.network), weights_of(b.network)
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_marker_in_test_infants_changes_nothing_for_anybody_else(
    kind: str, dozen: Infants, tmp_path: Path
) -> None:
    """Files, labels and characteristics of all but one of the fold's test infants are changed."""
    plain, model = learn(kind, dozen, tmp_path / "plain")
    *others, witness = dozen.tested(1)
    assert len(others) == 5
    marked = dozen.marked(others, tmp_path / "marked-files")
    after, marked_model = learn(kind, marked, tmp_path / "marked")
    assert plain.description["validation"], "validation infants are chosen too"
    assert same_weights(plain, after)
    for name in ("weights.safetensors", "model.json"):
        one, two = (tmp_path / run / name for run in ("plain", "marked"))
        assert one.read_bytes() == two.read_bytes(), name
    assert plain.history.equals(after.history)
    # Asked after the marked infants, the one that is left gets the very same answer.
    before = ask(model, dozen, witness)
    seen = [ask(marked_model, marked, infant) for infant in others]
    again = ask(marked_model, marked, witness)
    np.testing.assert_array_equal(before.probability, again.probability)
    np.testing.assert_array_equal(before.infant_probability, again.infant_probability)
    np.testing.assert_array_equal(before.threshold, again.threshold)
    # The marker can be seen: by whoever carries it, and by a model that learns from it.
    unmarked = [ask(model, dozen, infant) for infant in others]
    assert any(
        not np.array_equal(a.probability, b.probability)
        for a, b in zip(seen, unmarked, strict=True)
    )
    trained_on = marked.marked([plain.description["training_infants"][0]], tmp_path / "inside")
    inside, _ = learn(kind, trained_on, tmp_path / "leak")
    assert not same_weights(plain, inside)


@pytest.mark.parametrize("kind", sorted(READ_INFO))
def test_characteristics_are_among_what_is_marked(kind: str) -> None:
    job = make_job(kind, 1)
    assert job.system.reads_info(job.options), "else a leak of characteristics would not be seen"


SHUFFLES = 20
#: Infants of a class that a fold tests.
PER_FOLD = 8


@pytest.fixture(scope="module")
def alike(tmp_path_factory: pytest.TempPathFactory) -> Infants:
    """Sixteen infants a class, in two folds, who differ by chance alone."""
    return Infants.write(tmp_path_factory.mktemp("alike"), 2 * PER_FOLD)


@pytest.fixture
def _files_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read = functools.cache(gathering.load_series)
    for module in (gathering, prediction):
        monkeypatch.setattr(module, "load_series", read)


def shuffled(own: Infants, seed: int) -> Infants:
    """Return the infants with labels shuffled within each fold."""
    rng = np.random.default_rng(seed)
    labels = {}
    for fold in (1, 2):
        infants = own.tested(fold)
        given = [e.label for e in own.entries if e.fold == fold]
        labels |= dict(zip(infants, rng.permutation(given).tolist(), strict=True))
    return own.relabelled(labels)


def area(fold_model: FoldModel, own: Infants, infants: list[str]) -> float:
    """Return the area under the ROC curve of some infants."""
    label = {e.infant: e.label for e in own.entries}
    risk = [ask(fold_model, own, infant).risk_probability for infant in infants]
    return float(roc_auc_score([label[i] == "risk" for i in infants], risk))


@pytest.mark.long
@pytest.mark.usefixtures("_files_are_read_once")
@pytest.mark.parametrize("kind", KINDS)
def test_shuffled_labels_are_told_apart_by_chance_alone(
    kind: str, alike: Infants, tmp_path: Path
) -> None:
    """Twenty shuffles, two folds each: the mean area is within 0.1 of a half.

    Labels are shuffled within folds, and areas are taken fold by fold. Whatever a model learned
    from the other fold, each order of the labels of its test infants is then equally likely, and
    the expectation is exactly 0.5. (Pooled over folds it would lie below: a shuffle over all
    infants that puts more of a class into training leaves fewer of it for the test, and models
    answer by the class balance that they saw.) With 8 infants a class the standard deviation of
    such an area is sqrt((8 + 8 + 1) / (12 * 8 * 8)) = 0.149 (Mann-Whitney, without ties). Both
    folds of a shuffle may go together, so the standard error of the mean over 20 shuffles is
    between 0.149 / sqrt(40) = 0.024 and 0.149 / sqrt(20) = 0.033: 0.1 is three to four of them.
    """
    areas = np.zeros((SHUFFLES, 2))
    for k in range(SHUFFLES):
        own = shuffled(alike, k)
        for fold in (1, 2):
            _, fold_model = learn(kind, own, tmp_path / f"{k}-{fold}", fold)
            areas[k, fold - 1] = area(fold_model, own, own.tested(fold))
            (tmp_path / f"{k}-{fold}" / "weights.safetensors").unlink()
    print(f"{kind}: mean area {areas.mean():.3f}, deviation over shuffles {areas.std():.3f}")
    assert areas.std() > 0.05, "it answers alike whoever is asked, so that nothing is tested"
    assert areas.mean() == pytest.approx(0.5, abs=0.1)


@pytest.mark.long
def test_a_leak_would_show_in_shuffled_labels(alike: Infants, tmp_path: Path) -> None:
    """The same with the test infants among those that are learned from."""
    areas = []
    for k in range(3):
        own = shuffled(alike, k)
        everybody = replace(own, entries=[replace(e, fold=2) for e in own.entries])
        _, fold_model = learn("svm", everybody, tmp_path / str(k))
        areas.append(area(replace(fold_model, seen=frozenset()), own, own.tested(1)))
    assert np.mean(areas) > 0.6
