"""The scripts clean_pose and build_features, run as a rule runs them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fidgety.config.cleaning import CleaningConfig
from fidgety.config.features import FeaturesConfig
from fidgety.errors import NotAssessable, Reason
from fidgety.features.store import FEATURES_SCHEMA, read_feature_set
from fidgety.pose.quality_record import SCHEMA as QUALITY_SCHEMA
from fidgety.pose.quality_record import read_quality_record
from fidgety.pose.tracks import POSE_SCHEMA, Pose, read_pose, write_pose
from fidgety.storage import Provenance, read_outcome, read_provenance, write_not_assessable
from tests.pose.infant import infant_pose
from workflow_scripts import build_features, clean_pose
from workflow_scripts.stage import run


class _Named(dict[str, Any]):
    """Stands for Snakemake's lists of named items."""

    __getattr__ = dict.__getitem__


def _run_both(folder: Path, quality: dict[str, Any] | None = None) -> None:
    """Run cleaning and features on ``raw.h5`` of a folder."""
    for module, inputs, outputs, config in (
        (
            clean_pose,
            {"pose": "raw"},
            {"clean": POSE_SCHEMA, "lifted": POSE_SCHEMA},
            CleaningConfig().model_dump(mode="json"),
        ),
        (
            build_features,
            {"clean": "clean", "lifted": "lifted"},
            {"features": FEATURES_SCHEMA, "quality": QUALITY_SCHEMA},
            FeaturesConfig().model_dump(mode="json"),
        ),
    ):
        snakemake = SimpleNamespace(
            input=_Named({k: str(folder / f"{v}.h5") for k, v in inputs.items()}),
            output=_Named({k: str(folder / f"{k}.h5") for k in outputs}),
            params=_Named(config=config, quality=quality or {}, code="abc"),
            wildcards=_Named(recording="r1"),
            threads=1,
            resources={},
            log=[str(folder / "log.txt")],
            rule=module.__name__,
        )
        outputs.pop("quality", None)  # written by the script itself, whatever it says
        run(module.main, snakemake, not_assessable=outputs)


def _write(folder: Path, pose: Pose) -> None:
    write_pose(folder / "raw.h5", pose, Provenance())


def test_from_a_raw_pose_to_features(tmp_path: Path) -> None:
    _write(tmp_path, infant_pose(6.0))
    _run_both(tmp_path)
    clean, lifted = read_pose(tmp_path / "clean.h5"), read_pose(tmp_path / "lifted.h5")
    assert clean.origin is not None
    assert lifted.n_space == 3
    for name in FeaturesConfig().sets:
        assert np.isfinite(read_feature_set(tmp_path / "features.h5", name).values).any()
    provenance = read_provenance(tmp_path / "clean.h5")
    assert (provenance["recording"], provenance["code"]) == ("r1", "abc")
    assert provenance["parameters"]["max_gap_s"] == CleaningConfig().max_gap_s


def test_an_unfit_recording_keeps_its_pose_and_has_all_reasons(tmp_path: Path) -> None:
    _write(tmp_path, infant_pose(6.0))
    _run_both(tmp_path, {"min_assessable_s": 30.0, "still_extent": 9.0})
    assert read_outcome(tmp_path / "clean.h5").ok
    outcome = read_outcome(tmp_path / "features.h5")
    assert outcome.reason is Reason.INFANT_STILL
    assert "6.0 s are fit" in outcome.detail
    record = read_quality_record(tmp_path / "quality.h5")
    assert [r["reason"] for r in record["reasons"]] == ["infant_still", "assessable_too_short"]
    _run_both(tmp_path)
    assert read_outcome(tmp_path / "features.h5").ok
    assert read_quality_record(tmp_path / "quality.h5")["status"] == "ok"


def test_a_2d_track_lacks_3d_alone(tmp_path: Path) -> None:
    _write(tmp_path, replace(infant_pose(6.0), world=None))
    _run_both(tmp_path)
    assert read_outcome(tmp_path / "clean.h5").ok
    assert read_outcome(tmp_path / "lifted.h5").reason is Reason.NO_3D
    assert read_outcome(tmp_path / "features.h5").ok
    assert read_feature_set(tmp_path / "features.h5", "angles_2d").values.shape[1] == 12
    with pytest.raises(NotAssessable):
        read_feature_set(tmp_path / "features.h5", "coordinates_3d")


def test_a_reason_goes_through_all_files(tmp_path: Path) -> None:
    error = NotAssessable(Reason.NO_BODY, "in 3 of 750 frames")
    write_not_assessable(tmp_path / "raw.h5", error, schema=POSE_SCHEMA, provenance=Provenance())
    _run_both(tmp_path)
    for name, schema in (
        ("clean", POSE_SCHEMA),
        ("lifted", POSE_SCHEMA),
        ("features", FEATURES_SCHEMA),
    ):
        outcome = read_outcome(tmp_path / f"{name}.h5", schema)
        assert outcome.reason is Reason.NO_BODY
        assert outcome.detail == "in 3 of 750 frames"


def test_a_track_with_holes_is_too_sparse(tmp_path: Path) -> None:
    pose = infant_pose(6.0)
    position = pose.position.copy()
    position[40:] = np.nan
    _write(tmp_path, replace(pose, position=position))
    _run_both(tmp_path)
    assert read_outcome(tmp_path / "features.h5").reason is Reason.POSE_TOO_SPARSE
