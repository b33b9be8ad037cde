"""What every lifter of the registry keeps to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fidgety.config.cleaning import CleaningConfig
from fidgety.config.options import parse_options
from fidgety.errors import ConfigError
from fidgety.pose.cleaning import Cleaned, clean
from fidgety.pose.lifters.base import Lifter
from fidgety.pose.lifters.registry import LIFTERS
from fidgety.pose.lifting import lift
from fidgety.pose.tracks import Origin
from fidgety.skeletons import HUMAN36M_17
from tests.pose.infant import infant_pose
from tests.pose.lifting_models import SMALL_TCN, save_random

CONFIG = CleaningConfig()


def options_of(name: str, folder: Path) -> dict[str, Any]:
    """Return options that a lifter runs with."""
    if name != "mmpose":
        return {}
    config, weights = folder / "small.py", folder / "weights.pth"
    config.write_text(SMALL_TCN)
    save_random(config, weights)
    return {"config": str(config), "checkpoint": str(weights), "device": "cpu"}


@pytest.fixture(scope="module")
def cleaned() -> Cleaned:
    """Clean a pose with 3D positions, a hidden limb and a gap."""
    pose = infant_pose(6.0, seed=1)
    position = pose.position.copy()
    position[20:50, :, pose.keypoints.index("right_ankle")] = np.nan
    position[90:120] = np.nan
    return clean(replace(pose, position=position), CONFIG)


@pytest.fixture(scope="module", params=LIFTERS.names())
def lifter(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Lifter:
    kind = LIFTERS.get(request.param)
    options = options_of(request.param, tmp_path_factory.mktemp(request.param))
    return kind(parse_options(kind.Options, options, "lifting.options"))


def test_a_member_says_what_it_is(lifter: Lifter) -> None:
    assert LIFTERS.get(lifter.name) is type(lifter)
    assert LIFTERS.options(lifter.name) is type(lifter).Options
    assert lifter.libraries
    assert lifter.options.check() == []
    assert lifter.options.wants_gpu(0) is False
    with pytest.raises(ConfigError, match="no such key"):
        parse_options(type(lifter).Options, {"colour": 1}, "lifting.options")


def test_17_keypoints_that_are_missing_where_their_origin_says(
    lifter: Lifter, cleaned: Cleaned
) -> None:
    lifter.use_threads(1)
    found = lifter.lift(cleaned)
    n = cleaned.pose.n_frames
    assert found.position.shape == (n, 3, 17)
    assert found.origin.shape == (n, 17)
    assert found.origin.dtype == np.uint8
    assert found.units == "metres"
    assert found.details["method"] == lifter.name
    np.testing.assert_array_equal(
        np.isfinite(found.position).all(axis=1), found.origin != Origin.MISSING
    )
    ankle = HUMAN36M_17.index("right_ankle")
    assert (found.origin[20:50, ankle] == Origin.MISSING).all()
    assert (found.origin[90:120] == Origin.MISSING).all()
    assert (found.origin != Origin.MISSING).mean() > 0.75


def test_the_same_pose_gives_the_same(lifter: Lifter, cleaned: Cleaned) -> None:
    first = lifter.lift(cleaned)
    again = type(lifter)(lifter.options).lift(cleaned)
    np.testing.assert_array_equal(first.position, again.position)
    np.testing.assert_array_equal(first.origin, again.origin)


def test_the_result_is_a_pose_around_the_pelvis(lifter: Lifter, cleaned: Cleaned) -> None:
    out = lift(cleaned, CONFIG, lifter)
    assert out.keypoints == HUMAN36M_17.keypoints
    known = np.isfinite(out.position[:, 0, 0])
    assert (out.position[known, :, 0] == 0).all()
    assert out.details["lifting"]["upright"] is True
