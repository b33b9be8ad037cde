"""The report of the study of Gao 2023, from made-up predictions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fidgety.errors import NotAssessable, Reason
from fidgety.evaluation.records import Assessment
from fidgety.report.pages import to_tsv
from fidgety.training.explain import PLAYERS, SHAP_COLUMNS, WEIGHT_COLUMNS
from tests.evaluation.synthetic import cohort_row, model_group, write_cohort, write_infant
from tests.report.conftest import job
from tests.report.test_pages import soup
from workflow_scripts import report_gao2023
from workflow_scripts.report_gao2023 import compared

CLASSES = [{"name": "normal", "at_risk": False}, {"name": "risk", "at_risk": True}]
FILES = {
    "page": "index.html",
    "text": "table.txt",
    "characteristics": "table-1.tsv",
    "metrics": "table-2.tsv",
    "tests": "tests.tsv",
    "infants": "infants.tsv",
    "kappa": "kappa.tsv",
    "frequency": "frequency.tsv",
    "contrasts": "contrasts.tsv",
    "examples_data": "figure-3a.tsv",
    "curve": "figure-3d.tsv",
    "examples": "figure-3a.svg",
    "kappa_figure": "figure-3b.svg",
    "groups_figure": "figure-3c.svg",
    "roc_figure": "figure-3d.svg",
    "types_figure": "figure-3e.svg",
    "weight_figure": "figure-4a.svg",
    "contributions_figure": "contributions.svg",
}
ATTACK = "<script>alert(1)</script>"
#: Infant, role, label, type, probability of being at risk.
PEOPLE = [
    ("d1", "development", "normal", "continuous", 0.1),
    ("d2", "development", "normal", "intermittent", 0.35),
    ("d3", "development", "risk", "absent", 0.8),
    ("d4", "development", "risk", "sporadic", 0.7),
    ("NA", "external", "normal", "continuous", 0.2),
    ("007", "external", "normal", "intermittent", 0.45),
    ("e3", "external", "risk", "absent", 0.9),
    ("e4", "external", "risk", "sporadic", 0.6),
    ("n1", "new", "", "", 0.5),
]


def interval(infant: str, start_s: float, end_s: float, movement: str = "fidgety") -> dict:
    return {
        "recording": f"{infant}-r", "start_s": start_s, "end_s": end_s, "movement": movement,
        "rater": "consensus",
    }  # fmt: skip


RATED = [
    interval("NA", 0, 30),
    interval("007", 0, 12),
    interval("e3", 0, 30, "other"),
    interval("d1", 0, 12),
]


def report(folder: Path, people=PEOPLE, intervals=RATED, types: bool = True, lost=()) -> Path:
    """Run the script; ``lost`` are infants of whom ``mam`` has no result."""
    rows, study, main = [], [], []
    for infant, role, label, fm_type, risk in people:
        row = cohort_row(f"{infant}-r", infant, role, label, notes=ATTACK)
        rows.append(row | ({"fm_type": fm_type} if types else {}))
        folds = [1] if role == "development" else [1, 2]
        how = {"folds": folds, "recordings": [f"{infant}-r"]}
        said = {
            name: model_group(
                [[1 - p, p]] * len(folds), kind="mam", attention=True, detects_fidgety=True, **how
            )
            for name, p in (("mam", risk), ("plain", 0.5 * risk + 0.2))
        }
        if infant in lost:
            said["mam"] = model_group(
                [], error=NotAssessable(Reason.CHARACTERISTICS_MISSING, "sex")
            )
        study.append(write_infant(folder / "study", infant, role, said))
        cnn = model_group([[1 - risk, risk]] * len(folds), **how)
        main.append(write_infant(folder / "main", infant, role, {"cnn1d": cnn}))
    contributions = pd.DataFrame(
        [(i, role, p, 0.5, 0.1, 1, 0.5) for i, role, *_ in people for p in PLAYERS],
        columns=list(SHAP_COLUMNS),
    )
    (folder / "contributions.tsv").write_text(to_tsv(contributions))
    weights = [(1, p, float(np.exp(p))) for p in (0.0, 0.5, 1.0)]
    (folder / "weights.tsv").write_text(to_tsv(pd.DataFrame(weights, columns=WEIGHT_COLUMNS)))
    out = folder / "out"
    report_gao2023.main(
        job(
            input={
                "predictions": study,
                "main": main,
                "contributions": folder / "contributions.tsv",
                "weights": folder / "weights.tsv",
                "cohort": write_cohort(folder / "cohort", rows),
            },
            output={name: out / file for name, file in FILES.items()},
            params={
                "config": {
                    "options": {},
                    "ablations": {"mam": {}, "plain": {"info": False}},
                    "inputs": {},
                },
                "evaluation": {"bootstrap": 100},
                "models": ["mam", "plain"],
                "beside": {"cnn1d": "cnn1d"},
                "intervals": intervals,
                "notes": [f"as {ATTACK}"],
                "classes": CLASSES,
                "seed": 1,
            },
        )
    )
    return out


def table(out: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(out / f"{name}.tsv", sep="\t", dtype={"infant": str}, keep_default_na=False)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report(tmp_path_factory.mktemp("gao"))


def test_tables_hold_every_model_and_infant(out: Path) -> None:
    assert set(table(out, "table-2")["model"]) >= {"mam", "plain", "cnn1d"}
    assert set(table(out, "infants")["infant"]) == {p[0] for p in PEOPLE}
    kappa = table(out, "kappa").set_index(["infant", "model"])
    assert kappa.loc[("e3", "mam"), "why"] == "neither sees fidgety movements"
    assert kappa.loc[("e4", "mam"), "why"] == "no intervals of the rater"
    called = table(out, "frequency").set_index(["infant", "model"])["called"]
    assert called["NA", "mam"] == "continuous"
    assert called["e3", "mam"] == ""
    contrasts = table(out, "contrasts")
    assert {"not at risk", "continuous"} == set(contrasts["first"])
    tests = table(out, "tests")
    assert set(tests["other"]) == {"plain", "cnn1d"}


def test_figures_have_their_data_beside_them(out: Path) -> None:
    examples = pd.read_csv(out / FILES["examples_data"], sep="\t")
    assert examples["example"].nunique() > 0
    assert examples["probability"].between(0, 1).all()
    assert set(examples["expert"]) <= {0, 1}
    curve = pd.read_csv(out / FILES["curve"], sep="\t")
    assert set(curve["part"]) == {"curve", "band"}
    points = curve[curve["part"] == "curve"]
    for _, own in points.groupby("set"):
        rates = own[["false_positive_rate", "true_positive_rate"]].to_numpy()
        assert (rates[0] == 0).all()
        assert (rates[-1] == 1).all()
        assert (np.diff(rates, axis=0) >= 0).all()
    band = curve[curve["part"] == "band"]
    assert (band["low"] <= band["high"]).all()
    names = {str(a["download"]) for a in soup((out / FILES["page"]).read_text()).select("a")
             if a.get("download")}  # fmt: skip
    assert {"gao2023-figure-3a.tsv", "gao2023-figure-3d.tsv"} <= names


def test_the_page_escapes_and_names_no_host(out: Path) -> None:
    page = (out / "index.html").read_text()
    assert ATTACK not in page
    assert "Content-Security-Policy" in page
    headings = [h.get_text() for h in soup(page).select("h2")]
    assert headings == [
        "Inclusion", "Infants", "Models", "Agreement with experts",
        "Frequency of fidgety movements", "What the prediction is made of", "Limits", "Downloads",
    ]  # fmt: skip
    assert len(soup(page).select("figure svg")) == 7


def test_same_in_same_out(out: Path, tmp_path: Path) -> None:
    again = report(tmp_path)
    for name in FILES.values():
        assert (again / name).read_bytes() == (out / name).read_bytes(), name


def test_all_models_are_judged_on_the_same_infants(tmp_path: Path) -> None:
    out = report(tmp_path, lost=("NA", "n1"))
    metrics = table(out, "table-2")
    external = metrics[(metrics["set"] == "external") & (metrics["metric"] == "accuracy")]
    assert set(external["n"].astype(int)) == {3}
    assert "1 of external validation" in (out / "table.txt").read_text()
    assert "NA" in set(table(out, "infants")["infant"]), "nobody is lost"
    assert "NA" not in set(table(out, "kappa")["infant"])
    page = soup((out / "index.html").read_text()).get_text()
    assert Reason.CHARACTERISTICS_MISSING.text in page, "the flow chart says why"


def test_a_model_without_any_result_does_not_take_the_others_along() -> None:
    good = Assessment("a", "external", "normal", "m")
    bad = Assessment(
        "a", "external", "normal", "x", outcome=model_outcome(Reason.FEATURE_UNAVAILABLE)
    )
    kept, dropped = compared([good, bad])
    assert kept == [good, bad]
    assert dropped == {}


def model_outcome(reason: Reason):
    return model_group([], error=NotAssessable(reason, "")).outcome


@pytest.mark.parametrize(
    ("people", "intervals", "types"),
    [
        (PEOPLE[:4], RATED, True),  # no external cohort
        (PEOPLE, [], False),  # nobody rated, no types
        (PEOPLE, [RATED[-1]], True),  # development infants rated alone
        (PEOPLE[2:4], [], True),  # one class alone
        (PEOPLE[-1:], [], True),  # new infants alone
    ],
)
def test_what_is_not_known_is_said(tmp_path: Path, people, intervals, types) -> None:
    out = report(tmp_path, people, intervals, types)
    for name in FILES.values():
        assert (out / name).stat().st_size > 0, name
    if not types and len(people) == len(PEOPLE):
        # The paper's threshold needs no types in the sheet.
        assert "continuous" in set(table(out, "frequency")["called"])
    if intervals == [RATED[-1]]:
        assert "kappa with experts" in (out / "figure-3b.svg").read_text()
