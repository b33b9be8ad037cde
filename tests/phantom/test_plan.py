"""Cohorts are planned fast, the same every time, and without giving the class away."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fidgety.phantom.plan import (
    FM_TYPES,
    Nuisances,
    PhantomSpec,
    fm_intervals,
    plan_cohort,
)

SIZES = ("tiny", "small", "validation")


def make(fm_type: str, **changes: object) -> PhantomSpec:
    label = next(k for k, v in FM_TYPES.items() if fm_type in v)
    base = PhantomSpec("p", "p", "phantom-external", "external", label, fm_type)
    return replace(base, **changes)


def share_with_fms(spec: PhantomSpec) -> float:
    total = sum(end - start for start, end, m in fm_intervals(spec) if m == "fidgety")
    return total / spec.duration_s


def test_trios_share_all_but_their_class() -> None:
    cohort = plan_cohort("repertoire", 3)
    assert {s.kind for s in cohort} == {"video"}
    trios = [cohort[k : k + 3] for k in range(0, len(cohort), 3)]
    for trio in trios:
        assert {s.label for s in trio} == {"WMs", "FMs", "PR"}
        assert len({(s.site, s.setting, s.fps, s.nuisances.blanket, s.sex) for s in trio}) == 1
    # Neither the number of an id nor the order tells the class.
    assert len({tuple(s.label for s in trio) for trio in trios}) > 3
    assert len({s.infant for s in cohort}) == len(cohort)
    for spec in cohort:
        moves = {m for _, _, m in fm_intervals(spec)}
        assert ("fidgety" in moves) == (spec.label == "FMs")


@pytest.mark.parametrize("preset", SIZES)
def test_every_cohort_has_both_classes_and_sound_ids(preset: str) -> None:
    cohort = plan_cohort(preset, 5)
    assert cohort == plan_cohort(preset, 5)
    assert len({s.recording for s in cohort}) == len(cohort)
    labels = defaultdict(Counter)
    for spec in cohort:
        assert re.fullmatch(r"[A-Za-z0-9_-]+", spec.recording)
        assert re.fullmatch(r"[A-Za-z0-9_-]+", spec.infant)
        assert spec.cohort == f"phantom-{spec.role}"
        labels[spec.role, spec.kind][spec.label] += 1
    assert {role for role, _ in labels} == {"development", "external", "reference"}
    recordings = Counter(s.infant for s in cohort)
    assert sorted(recordings.values())[-2:] == [1, 2]
    twice = recordings.most_common(1)[0][0]
    extra = sum(s.infant == twice for s in cohort) - 1
    for counts in labels.values():
        # Rendered or not, hospital or home: as many of one class as of the other.
        assert abs(counts["normal"] - counts["risk"]) <= extra


def test_sizes_are_what_the_workflow_needs() -> None:
    validation = [s for s in plan_cohort("validation", 1) if s.role == "external"]
    assert Counter(s.label for s in validation) == {"normal": 20, "risk": 20}
    small = plan_cohort("small", 1)
    assert sum(s.kind == "video" for s in small) == 8
    assert {s.duration_s for s in small} == {30.0}
    assert {s.duration_s for s in plan_cohort("small", 1, 7.5)} == {7.5}
    tracks = plan_cohort("small", 1, videos=False)
    assert {s.kind for s in tracks} == {"track"}
    assert [replace(s, kind="video") for s in tracks] == [replace(s, kind="video") for s in small]
    assert plan_cohort("none", 1) == []
    with pytest.raises(ValueError, match="tiny, small, validation"):
        plan_cohort("huge", 1)


@pytest.mark.parametrize("preset", SIZES)
def test_specifications_survive_json(preset: str) -> None:
    for spec in plan_cohort(preset, 3):
        assert PhantomSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
        assert all(isinstance(v, str) and v for v in spec.row().values())
    with pytest.raises(ValueError, match="colour"):
        PhantomSpec.from_dict({**spec.to_dict(), "colour": 1})


def test_the_characteristics_of_an_infant_are_one() -> None:
    by_infant = defaultdict(list)
    for spec in plan_cohort("small", 9):
        by_infant[spec.infant].append(spec)
    for specs in by_infant.values():
        for name in ("sex", "gestational_age_weeks", "birth_weight_g", "label", "body_seed"):
            assert len({getattr(s, name) for s in specs}) == 1
        assert len({s.seed for s in specs}) == len(specs)


def test_characteristics_do_not_tell_the_class() -> None:
    values = defaultdict(list)
    for seed in range(5):
        for spec in plan_cohort("validation", seed):
            values[spec.label].append(
                (
                    spec.gestational_age_weeks,
                    spec.birth_weight_g / 100,
                    spec.corrected_age_weeks,
                    spec.sex == "female",
                    spec.setting == "home",
                    spec.fps,
                    spec.nuisances.low_light,
                )
            )
    normal, risk = np.mean(values["normal"], axis=0), np.mean(values["risk"], axis=0)
    spread = np.std(values["normal"], axis=0)
    assert np.all(np.abs(normal - risk) < 0.12 * spread)


def test_planning_imports_nothing_heavy() -> None:
    """The Snakefile plans the cohort every time that it is read."""
    code = (
        "import sys, fidgety.phantom.plan;"
        "print([m for m in ('scipy', 'torch', 'anny', 'pyvista', 'xarray', 'h5py', 'pandas')"
        " if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31 - 1),
    duration=st.floats(1.0, 300.0),
    fm_type=st.sampled_from(["continuous", "intermittent", "sporadic", "absent"]),
)
def test_intervals_tile_the_recording(seed: int, duration: float, fm_type: str) -> None:
    intervals = fm_intervals(make(fm_type, seed=seed, duration_s=duration))
    starts, ends, movements = zip(*intervals, strict=True)
    assert starts[0] == 0
    assert ends[-1] == pytest.approx(duration, abs=1e-3)
    assert starts[1:] == ends[:-1]
    assert all(a != b for a, b in pairwise(movements))
    # A longer recording begins with the same intervals.
    longer = fm_intervals(make(fm_type, seed=seed, duration_s=duration + 30))
    assert longer[: len(intervals) - 1] == intervals[:-1]


def test_types_differ_in_how_much_of_the_time_has_fms() -> None:
    def mean(fm_type: str) -> float:
        return float(
            np.mean([share_with_fms(make(fm_type, seed=i, duration_s=180.0)) for i in range(40)])
        )

    assert mean("continuous") > 0.9
    assert 0.45 < mean("intermittent") < 0.75
    assert 0.02 < mean("sporadic") < 0.15
    assert mean("absent") == 0
    for nuisance in (Nuisances(still=True), Nuisances(crying=True)):
        assert share_with_fms(make("continuous", nuisances=nuisance)) == 0


def test_contradictions_are_refused() -> None:
    with pytest.raises(ValueError, match="continuous"):
        PhantomSpec("p", "p", "c", "external", "risk", "continuous")
    with pytest.raises(ValueError, match="silk"):
        Nuisances(blanket="silk")
    with pytest.raises(ValueError, match="dropped_share"):
        Nuisances(dropped_share=0.7)


def test_more_infants_leave_those_there_as_they_are() -> None:
    once, thrice = plan_cohort("repertoire", 3), plan_cohort("repertoire", 3, times=3)
    assert len(thrice) == 3 * len(once)
    assert len({s.recording for s in thrice}) == len(thrice)
    assert [s for s in thrice if s in once] == once
    small, more = plan_cohort("small", 3), plan_cohort("small", 3, times=2)
    assert [s for s in more if s in small] == small
    rendered = sum(s.kind == "video" for s in more)
    assert rendered == 2 * sum(s.kind == "video" for s in small)
