"""Real infant motion goes through, from cleaning to assessment, as a cohort of new infants."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

from fidgety.errors import Reason
from fidgety.skeletons import HUMAN36M_17
from fidgety.storage import groups, read_outcome
from tests.workflow.conftest import Workflow
from tests.workflow.test_reruns import own_rows

pytestmark = pytest.mark.slow


def write_tracks(shared: Path, folder: Path) -> list[dict[str, str]]:
    """Write the published segments as movement-style files; return their sheet rows."""
    data = np.load(shared / "mam" / "segments.npz")
    offsets = data["offsets"]
    rows = []
    for k in range(len(offsets) - 1):
        positions = data["positions"][offsets[k] : offsets[k + 1]]
        dataset = xr.Dataset(
            {
                "position": (
                    ("time", "space", "keypoints", "individuals"),
                    positions.transpose(0, 2, 1)[..., None],
                )
            },
            coords={
                "time": np.arange(len(positions)) / 25.0,
                "space": list("xyz"),
                "keypoints": list(HUMAN36M_17.keypoints),
                "individuals": ["infant"],
            },
            attrs={"fps": 25.0, "units": "zscore", "source_software": "VideoPose3D"},
        )
        name = f"real{k:02d}"
        dataset.to_netcdf(folder / f"{name}.nc", engine="h5netcdf")
        rows.append(
            {"recording": name, "infant": name, "cohort": "real", "pose": f"tracks/{name}.nc"}
        )
    return rows


@pytest.mark.long
@pytest.mark.parametrize("every", [9, 1])
def test_segments_get_a_result_or_a_reason(
    tiny_copy: Workflow, shared_data: Path, every: int
) -> None:
    folder = tiny_copy.folder / "tracks"
    folder.mkdir()
    rows = write_tracks(shared_data, folder)
    assert len(rows) == 64
    rows = rows[::every]
    own_rows(tiny_copy, rows)
    # Their units are z-scores, which a model of trunk lengths refuses unless told otherwise.
    tiny_copy.configure(
        sheet="recordings.tsv",
        cohorts={"real": "new"},
        inclusion={"min_duration_s": 10.0},
        evaluation={"other_units": "accept"},
    )
    tiny_copy.run("--cores", "2", "assess")
    results = tiny_copy.folder / "results"
    assessed = 0
    for row in rows:
        path = results / "predictions" / f"{row['infant']}.h5"
        outcome = read_outcome(path)
        if outcome.ok:
            assessed += 1
            assert "mam_clip" in groups(path)
        else:
            assert outcome.reason in set(Reason)
    assert assessed >= 0.75 * len(rows)
    assert tiny_copy.planned("assess") == {}


def test_z_scores_are_refused_by_a_model_of_trunk_lengths(
    tiny_copy: Workflow, shared_data: Path
) -> None:
    folder = tiny_copy.folder / "tracks"
    folder.mkdir()
    rows = write_tracks(shared_data, folder)
    own_rows(tiny_copy, rows[:1])
    tiny_copy.configure(sheet="recordings.tsv", cohorts={"real": "new"})
    target = f"results/predictions/{rows[0]['infant']}.h5"
    tiny_copy.run("--cores", "2", target)
    with h5py.File(tiny_copy.folder / target) as file:
        assert file["mam_clip"].attrs["reason"] == Reason.UNITS_MISMATCH
        assert file["cnn1d"].attrs["reason"] == Reason.FEATURE_UNAVAILABLE
