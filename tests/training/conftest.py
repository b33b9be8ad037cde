"""Small cohorts and small networks."""

import pytest
import torch

from fidgety.config.evaluation import EvaluationConfig
from fidgety.config.learning import FoldsConfig, TrainingConfig
from fidgety.datasets.folds import assign_folds, infant_labels
from fidgety.models.base import NetworkSystem, parse_model_options
from fidgety.models.registry import MODEL_SYSTEMS
from fidgety.training.gather import FoldJob
from tests.training.synthetic import write_cohort

SNIPPETS = {
    "feature_sets": ["coordinates_2d", "angles_2d"],
    "window_s": 2.0,
    "step_s": 1.0,
    "predict_step_s": 1.0,
    "centre": False,
}
SMALL = {
    "cnn1d": {
        **SNIPPETS,
        "filters": [8, 8],
        "dense": 8,
        "epochs": 6,
        "blind_epochs": 4,
    },
    "lstm": {**SNIPPETS, "units": [8, 8], "epochs": 6, "blind_epochs": 4},
    "vit": {
        **SNIPPETS,
        "width": 16,
        "heads": 2,
        "feed_forward": 16,
        "encoder_layers": 1,
        "dense": 8,
        "epochs": 6,
        "blind_epochs": 4,
    },
    "svm": {**SNIPPETS, "kernel": "rbf"},
    "multirocket_hydra": {**SNIPPETS, "n_kernels": 168, "hydra_kernels": 4, "hydra_groups": 8},
    "ctr_gcn": {
        "window_s": 2.0,
        "step_s": 1.0,
        "predict_step_s": 1.0,
        "widths": [8, 16],
        "halve_at": [1, 2],
        "rate_hz": 15.0,
        "epochs": 6,
        "blind_epochs": 4,
    },
    "mam_clip": {
        "window_s": 2.4,
        "step_s": 0.48,
        "predict_step_s": 1.2,
        "frame_stride": 3,
        "width": 8,
        "heads": 2,
        "feed_forward": 16,
        "encoder_layers": 1,
        "pool_widths": [8],
        "bag_instances": 4,
        "epochs": 5,
        "blind_epochs": 4,
        "pretrain_epochs": 3,
        "min_steps": 1,
        "centre": False,
        "bag_softmax": False,
    },
}
SMALL["mam"] = SMALL["mam_clip"] | {"clips_per_kind": 4, "info_missing": "impute"}
KINDS = list(SMALL)
NETWORKS = [k for k in KINDS if issubclass(MODEL_SYSTEMS.get(k), NetworkSystem)]


class Cohort:
    """Tables and files of a synthetic cohort, and its folds."""

    def __init__(self, folder, **how):
        how = {"per_class": 4, "duration_s": 8.0, "reference": 1} | how
        self.folder = folder
        self.development, self.reference, self.features, self.intervals = write_cohort(
            folder, **how
        )
        self.entries = assign_folds(infant_labels(self.development), 2, 1)

    def tested(self, fold):
        return [e.infant for e in self.entries if e.fold == fold]


def make_job(kind, fold=1, classes=("normal", "risk"), flip=True, seed=5, **options):
    system = MODEL_SYSTEMS.get(kind)
    return FoldJob(
        model=kind,
        kind=kind,
        system=system,
        options=parse_model_options(system, SMALL[kind] | options),
        classes=classes,
        at_risk=tuple(c == "risk" for c in classes),
        fold=fold,
        seed=seed,
        training=TrainingConfig(device="cpu", augment_flip=flip),
        folds=FoldsConfig(n=2),
        evaluation=EvaluationConfig(),
    )


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def cohort(tmp_path_factory):
    """Four infants a class: two folds, two training infants a class, no validation."""
    return Cohort(tmp_path_factory.mktemp("cohort"))


@pytest.fixture(scope="session")
def larger(tmp_path_factory):
    """Six infants a class: three for training in each fold, one of them for validation."""
    return Cohort(tmp_path_factory.mktemp("larger"), per_class=6, reference=1)
