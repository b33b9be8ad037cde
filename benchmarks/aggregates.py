"""What the aggregates cost: time and memory of the steps that see the whole cohort.

Infants are made up: a record of quality and a file of predictions each, as a 5-minute recording
gives them (two models, five folds, an instance every second). Each step then runs as its rule's
script does, in a process of its own. With a step that reads one infant after another, time grows
with the cohort and memory hardly does. For the data sets of a training, the features of one made-up
recording stand under every recording's name; what is printed beside is the memory that the process
has for itself at the end, without files that the system maps in and takes out again.

``python -m benchmarks.aggregates --infants 1000 10000``
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from benchmarks.planning import measure
from fidgety.config.evaluation import EvaluationConfig
from fidgety.config.root import parse_config
from fidgety.errors import Outcome
from fidgety.features.store import Features, FeatureSet, coordinate_names, write_features
from fidgety.pose.quality_record import CLEANING, MEASURES, write_quality
from fidgety.sheet import Recording
from fidgety.skeletons import HUMAN36M_17
from fidgety.storage import Provenance
from fidgety.training.results import ModelPrediction, write_predictions
from tests.evaluation.synthetic import EVALUATION_FILES, Bag

DURATION_S = 300
FOLDS = 5
MODELS = ("one", "two")
AT_RISK = {"normal": False, "risk": True}
CLASSES = [{"name": name, "at_risk": at_risk} for name, at_risk in AT_RISK.items()]
ROLES = ("development", "external", "new")


def role_of(k: int) -> str:
    """Return the role of infant k: three in five are of the development cohort."""
    return ROLES[max(0, k % 5 - 2)]


def prediction(rng: np.random.Generator) -> ModelPrediction:
    """Return what one model says of one recording of five minutes."""
    n = DURATION_S - 10
    probability = rng.dirichlet((1, 1), size=(FOLDS, n))
    infant = probability.mean(axis=1)
    start = np.arange(n, dtype=float)
    return ModelPrediction(
        Outcome(),
        "cnn1d",
        tuple(AT_RISK),
        tuple(AT_RISK.values()),
        folds=tuple(range(1, FOLDS + 1)),
        probability=probability,
        start_s=start,
        stop_s=start + 10,
        recording=("r",) * n,
        infant_probability=infant,
        recording_probability=infant[:, None],
        sources=("r",),
        threshold=np.full(FOLDS, 0.5),
        early_probability=probability,
        seen_s=start + 10,
    )


def write_features_of_one(path: Path, rng: np.random.Generator) -> None:
    """Write the features of a recording of five minutes that the main line's models read."""
    fps = 25.0
    time_s = np.arange(int(DURATION_S * fps)) / fps
    names = coordinate_names(HUMAN36M_17.keypoints, 3)
    values = rng.normal(size=(len(time_s), len(names))).astype(np.float32)
    sets = {"coordinates_3d": FeatureSet(values, names, time_s, fps, "trunk")}
    write_features(path, Features(fps, sets, {}), Provenance())


def write_files(folder: Path, n: int) -> None:
    """Write the records and predictions of n infants, each from the first one's."""
    rng = np.random.default_rng(0)
    for part in ("quality", "predictions"):
        (folder / part).mkdir(parents=True)
    series = {key: [0.1] * DURATION_S for key in ("camera", "extent", "facing", "others", "speed")}
    record = {"series": series, "measures": dict.fromkeys(MEASURES, 0.5)}
    tracks = {"duration_s": float(DURATION_S), "fps": 25.0} | dict.fromkeys(CLEANING, 0.1)
    first = folder / "first.json"
    write_quality(first, Outcome(), record, Provenance(recording="RECORDING"), tracks)
    text = first.read_text()
    template = folder / "first.h5"
    write_predictions(
        template,
        {name: prediction(rng) for name in MODELS},
        infant="infant",
        role="development",
        provenance=Provenance(),
    )
    write_features_of_one(folder / "features.h5", rng)
    for k in range(n):
        (folder / "quality" / f"r{k:05d}.json").write_text(text.replace("RECORDING", f"r{k:05d}"))
        path = folder / "predictions" / f"i{k:05d}.h5"
        shutil.copyfile(template, path)
        with h5py.File(path, "r+") as file:
            file.attrs["infant"], file.attrs["role"] = f"i{k:05d}", role_of(k)
            for name in MODELS:
                risk = rng.beta(3, 2, FOLDS) if k % 4 == 0 else rng.beta(2, 3, FOLDS)
                file[name]["infant_probability"][...] = np.stack([1 - risk, risk], axis=1)


def rows_of(n: int, role: str) -> list[dict[str, Any]]:
    """Return the sheet's rows of a role."""
    return [
        Recording.model_validate(
            {
                "recording": f"r{k:05d}",
                "infant": f"i{k:05d}",
                "cohort": role,
                "video": f"r{k:05d}.mp4",
                "label": None if role == "new" else "risk" if k % 4 == 0 else "normal",
                "role": role,
            }
        ).model_dump(mode="json")
        for k in range(n)
        if role_of(k) == role
    ]


def collect_cohort(folder: Path, n: int) -> None:
    """Collect the tables of all roles."""
    from workflow_scripts import collect_cohort as script

    inclusion = parse_config({}).inclusion.model_dump(mode="json")
    for role in ROLES:
        rows = rows_of(n, role)
        run(
            script.main,
            input={"quality": [str(folder / f"quality/{r['recording']}.json") for r in rows]},
            output={"table": str(folder / f"{role}.tsv")},
            params={"rows": rows, "inclusion": inclusion, "fitness": True},
        )


def assign_folds(folder: Path, _: int) -> None:
    """Deal the development infants into folds."""
    from workflow_scripts import assign_folds as script

    run(
        script.main,
        input={"development": str(folder / "development.tsv")},
        output={"folds": str(folder / "folds.tsv")},
        params={"sites": [], "n": FOLDS, "seed": 0},
    )


def gather_training(folder: Path, n: int) -> None:
    """Put together what the model of the main line learns from in one fold."""
    from fidgety.datasets.folds import read_folds, read_table
    from fidgety.datasets.shelf import Shelf
    from fidgety.training.gather import FoldJob, gather

    others: dict[str, dict[str, str]] = {key: {} for key in ("training", "folds", "evaluation")}
    config = {"model": {"kind": "mam_clip", "options": {}}} | others
    table = read_table(folder / "development.tsv")
    data = gather(
        FoldJob.of("mam_clip", 1, config, CLASSES, 0),
        read_folds(folder / "folds.tsv"),
        table,
        dict.fromkeys(table["recording"], folder / "features.h5"),
        shelf=Shelf(folder / "shelf"),
    )
    values = sum(s.values.nbytes for s in (*data.train, *data.validation))
    mirrored = sum(s.mirrored.nbytes for s in data.train if s.mirrored is not None)
    print(f"  {len(data.labels)} training infants, {(values + mirrored) / 1e6:.0f} MB of values")
    status = Path("/proc/self/status")
    if status.exists():
        own = re.search(r"RssAnon:\s+(\d+)", status.read_text())
        print(f"  memory of its own at the end: {int(own[1]) / 1024 if own else 0:.0f} MB")


def evaluate(folder: Path, n: int) -> None:
    """Judge both models."""
    from workflow_scripts import evaluate as script

    run(
        script.main,
        input={
            "predictions": [str(folder / f"predictions/i{k:05d}.h5") for k in range(n)],
            "cohort": [str(folder / f"{role}.tsv") for role in ROLES],
        },
        output={key: str(folder / name) for key, name in EVALUATION_FILES.items()},
        params={
            "config": EvaluationConfig().model_dump(mode="json"),
            "classes": CLASSES,
            "models": list(MODELS),
        },
    )


def write_report(folder: Path, n: int) -> None:
    """Write the index page."""
    from workflow_scripts import write_report as script

    models = {name: {"kind": "cnn1d"} for name in MODELS}
    config = parse_config({"models": models}).model_dump(mode="json")
    run(
        script.main,
        input={key: str(folder / name) for key, name in EVALUATION_FILES.items()}
        | {
            "cohort": [str(folder / f"{role}.tsv") for role in ROLES],
            "pages": [str(folder / f"infants/i{k:05d}.html") for k in range(n)],
        },
        output={"index": str(folder / "index.html")},
        params={
            "study": config,
            "config": config["report"],
            "imported": 0,
            "estimated": n,
            "bundle": {},
        },
    )


STEPS: Mapping[str, Callable[[Path, int], None]] = {
    step.__name__: step
    for step in (collect_cohort, assign_folds, gather_training, evaluate, write_report)
}


def run(main: Callable[[Any], None], **parts: Mapping[str, Any]) -> None:
    """Run a script's main function without Snakemake."""
    from workflow_scripts.stage import Job

    files, output, params = (Bag(**parts.get(name, {})) for name in ("input", "output", "params"))
    with contextlib.redirect_stdout(sys.stderr):
        main(Job(files, output, params, wildcards=Bag()))


def main() -> None:
    """Measure and print, or run one step."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--infants", type=int, nargs="+", default=[1000])
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.step:
        STEPS[asked.step](asked.folder, asked.infants[0])
        return
    for n in asked.infants:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_files(folder, n)
            print(f"{n} infants of {DURATION_S} s")
            for step in STEPS:
                command = [sys.executable, "-m", "benchmarks.aggregates", "--infants", str(n)]
                cost = measure([*command, "--step", step, "--folder", str(folder)], folder)
                print(cost.row(step), flush=True)
                if step == "gather_training":
                    print(cost.output.rstrip(), flush=True)
            size = (folder / "index.html").stat().st_size / 1e6
            print(f"  the report's first page: {size:.1f} MB")
            metrics = pd.read_csv(folder / "metrics.tsv", sep="\t")
            n_judged = metrics.loc[metrics["metric"] == "auc", "n"].astype(int).tolist()
            print(f"  infants judged by set and model: {json.dumps(n_judged)}")


if __name__ == "__main__":
    main()
