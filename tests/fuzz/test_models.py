"""Models' descriptions changed at random: they are refused, or an infant is assessed with them.

A bundle's checksums are its maker's, who may be anybody; so what stands in ``model.json`` is tried
here with weights that fit its checksum.
"""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fidgety.errors import FidgetyError, NotAssessable, StorageError
from fidgety.training.fold_model import load_fold_model
from fidgety.training.predict import predict_infant
from tests.fuzz.mutate import examples, limited
from tests.training.conftest import Cohort, make_job
from tests.training.test_snippets import train

EXAMPLE_S = 20
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 7, 10**6, 10**9, 10**400, 1e-9, 1e308, float("nan"), float("inf"), "", "x",
    "\N{BABY}", [], [[1]], {}, {"a": 1},
)  # fmt: skip
LEFT_OUT = object()


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the paths to all values, of a list's the first two."""
    if path:
        yield path
    match value:
        case dict():
            inner: Iterable[tuple[Any, Any]] = value.items()
        case list():
            inner = enumerate(value[:2])
        case _:
            inner = ()
    for key, one in inner:
        yield from places(one, (*path, key))


def changed(whole: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Return a description in which a value or two are others, or left out."""
    found = copy.deepcopy(whole)
    for _ in range(int(rng.integers(1, 3))):
        known = [path for path in places(found) if path[0] != "weights_sha256"]
        *above, last = known[rng.integers(len(known))]
        place: Any = found
        for key in above:
            place = place[key]
        value = (*VALUES, LEFT_OUT)[rng.integers(len(VALUES) + 1)]
        if value is LEFT_OUT and isinstance(place, dict):
            del place[last]
        else:
            place[last] = None if value is LEFT_OUT else value
    return found


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return Cohort(tmp_path_factory.mktemp("own"))


@pytest.mark.parametrize("kind", ["cnn1d", "svm", "mam_clip"])
def test_any_description_of_a_model(kind: str, own: Cohort, tmp_path: Path) -> None:
    path = train(make_job(kind), own, tmp_path)
    whole = json.loads(path.read_text())
    features = {"somebody": next(iter(own.features.values()))}
    used = 0
    for seed in range(examples(60)):
        path.write_text(json.dumps(changed(whole, np.random.default_rng(seed))))
        with limited(EXAMPLE_S), contextlib.suppress(FidgetyError, NotAssessable):
            predict_infant("somebody", features, [], [path])
            used += 1
    assert used < examples(60)
    path.write_text(json.dumps(whole))
    predict_infant("somebody", features, [], [path])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"threshold": {"value": 7}}, "threshold.value"),
        ({"threshold": {"value": float("nan")}}, "threshold.value"),
        ({"pooling": "x"}, "pooling"),
        ({"units": {}}, "units"),
        ({"units": []}, "every feature set must have one"),
        ({"validation_loss": 10**400}, "validation_loss"),
        ({"options": {"dense": 10**9}}, "another network"),
        ({"inputs": {"window_s": 1e308}}, "inputs"),
        ({"inputs": {"window_s": 2.5}}, "inputs: they are not what its options ask for"),
        ({"inputs": {"predict_step_s": [1]}}, "inputs"),
        ({"standardisation": {"sd": [0.0]}}, "standardisation"),
        ({"standardisation": {"mean": [1.0]}}, "one mean and one standard deviation"),
    ],
)
def test_what_makes_no_sense_in_a_description_is_refused(
    change: dict[str, Any], said: str, own: Cohort, tmp_path: Path
) -> None:
    path = train(make_job("cnn1d"), own, tmp_path)
    found = json.loads(path.read_text())
    for key, value in change.items():
        found[key] = {**found[key], **value} if isinstance(found[key], dict) and value else value
    path.write_text(json.dumps(found))
    with limited(EXAMPLE_S), pytest.raises(StorageError, match=said):
        load_fold_model(path)
