"""The time that a model takes for a recording: what is counted, and on which recording."""

from __future__ import annotations

import numpy as np
import pytest

from fidgety.errors import NotAssessable
from fidgety.evaluation.cost import SPEED_COLUMNS, read_speed, speed_words
from fidgety.training.fold_model import load_fold_model
from fidgety.training.speed import TimedRecording, time_model
from tests.training.synthetic import write_recording
from tests.training.test_predict import Names, train_job, write_clean
from workflow_scripts import time_models as script
from workflow_scripts import train_model as train_script
from workflow_scripts.stage import Job


@pytest.fixture(scope="module")
def trained(larger, tmp_path_factory):
    """Two models, both folds."""
    folder = tmp_path_factory.mktemp("timed")
    for kind in ("cnn1d", "mam_clip"):
        for fold in (1, 2):
            train_script.main(train_job(larger, folder, kind, fold))
    return folder


class Clock:
    """A clock that goes on by one second more with every look at it."""

    def __init__(self):
        self.looks, self.time = 0, 0.0

    def __call__(self):
        self.looks += 1
        self.time += self.looks
        return self.time


def test_the_first_round_does_not_count(trained, tmp_path):
    path = tmp_path / "r.h5"
    write_recording(path, True, 8.0, seed=1)
    fold_model = load_fold_model(trained / "models/cnn1d/fold-1/model.json")
    clock = Clock()
    seconds = time_model(fold_model, TimedRecording("r", "new", 0.1, path), 3, clock=clock)
    # A look before and one after every round: the differences are 2, 4, 6 and 8.
    assert clock.looks == 8
    assert seconds == [4.0, 6.0, 8.0]


def test_a_recording_without_a_result_has_no_time(trained, tmp_path):
    path = tmp_path / "short.h5"
    write_recording(path, True, 1.0, seed=1)
    fold_model = load_fold_model(trained / "models/cnn1d/fold-1/model.json")
    with pytest.raises(NotAssessable, match="no_complete_window"):
        time_model(fold_model, TimedRecording("short", "new", 0.0, path), 2)


def job(trained, folder, recordings):
    names = list(recordings)
    for name, duration_s in recordings.items():
        write_recording(folder / f"{name}.h5", True, duration_s, seed=3)
    return Job(
        Names(
            features=[str(folder / f"{n}.h5") for n in names],
            clean=[write_clean(folder / f"clean-{n}.h5", d) for n, d in recordings.items()],
            models=sorted(str(p) for p in trained.glob("models/*/fold-*/model.json")),
            folds=str(trained / "folds.tsv"),
        ),
        Names(speed=str(folder / "speed.tsv")),
        Names(
            recordings=names,
            infants=[f"new-{n}" for n in names],
            models=["cnn1d", "mam_clip"],
            rounds=2,
        ),
        Names(),
    )


def test_every_model_is_timed_on_the_first_recording_with_a_result(trained, tmp_path):
    # A window of MAM is 2.4 s long, one of the network 2 s.
    one = job(trained, tmp_path, {"tiny": 1.0, "small": 2.2, "large": 6.0})
    script.main(one)
    table = read_speed(one.output.speed)
    assert tuple(table.columns) == SPEED_COLUMNS
    where = table.groupby("model")["recording"].agg(lambda r: sorted(set(r))).to_dict()
    assert where == {"cnn1d": ["small"], "mam_clip": ["large"]}
    assert table["round"].tolist() == [1, 2, 1, 2]
    assert (table["seconds"] >= 0).all()
    np.testing.assert_allclose(table["minutes"], np.repeat([2.2, 6.0], 2) / 60, rtol=1e-4)


def test_without_any_recording_the_table_says_why(trained, tmp_path):
    one = job(trained, tmp_path, {"tiny": 1.0})
    script.main(one)
    told = speed_words(read_speed(one.output.speed))
    assert len(told) == 2
    assert told[0].startswith("cnn1d: not timed: tiny: no_complete_window")
    one = job(trained, tmp_path, {})
    script.main(one)
    assert "there is no recording to assess" in speed_words(read_speed(one.output.speed))[0]


def test_a_development_infant_is_timed_by_the_fold_that_has_not_seen_it(trained, larger, tmp_path):
    infant = larger.tested(2)[0]
    one = job(trained, tmp_path, {"r": 6.0})
    one.params.infants = [infant]
    script.main(one)  # a fold that has seen it would refuse
    assert set(read_speed(one.output.speed)["reason"]) == {""}
