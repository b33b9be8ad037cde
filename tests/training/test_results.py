"""Prediction files are read as xarray reads them."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

from fidgety.errors import NotAssessable, Reason, StorageError
from fidgety.training.results import read_predictions
from tests.evaluation.synthetic import model_group, write_infant


def test_what_is_read_is_what_xarray_reads(tmp_path: Path) -> None:
    infant = [[0.3, 0.7], [0.2, 0.8]]
    written = {
        "clip": model_group(infant, recordings=("r1", "ä-2"), attention=True, detects_fidgety=True),
        "gone": model_group([], error=NotAssessable(Reason.NO_BODY, "none seen")),
        "plain": model_group(infant),
    }
    path = write_infant(tmp_path, "baby", "new", written)
    found = read_predictions(path)
    assert list(found) == sorted(written)
    for name, said in found.items():
        with xr.open_dataset(path, engine="h5netcdf", group=name) as data:
            assert said.kind == data.attrs["kind"]
            assert said.detects_fidgety == bool(data.attrs["detects_fidgety"])
            if not said.outcome.ok:
                assert said.outcome == written[name].outcome
                continue
            for variable in set(data.variables) - {"class", "fold", "source", "share_at_risk"}:
                ours = getattr(said, str(variable))
                np.testing.assert_array_equal(ours, data[variable].values)
            assert said.sources == tuple(data["source"].values)
            assert said.folds == tuple(data["fold"].values)
    assert found["plain"].attention is None
    assert found["clip"].recording == written["clip"].recording


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = write_infant(tmp_path, "baby", "new", {"plain": model_group([[0.3, 0.7]])})
    with h5py.File(path, "r+") as file:
        del file["plain"]["threshold"]
    with pytest.raises(StorageError, match=r"baby\.h5: cannot be read"):
        read_predictions(path)
