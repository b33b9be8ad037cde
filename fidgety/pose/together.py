"""Recordings whose jobs share one job of a cluster: whoever comes first loads the network for all.

The jobs of a group run one after the other, each in a process of its own, so each would load the
network anew. Where an estimator may be used again (:attr:`~fidgety.pose.base.PoseEstimator.again`),
the first job estimates the others' recordings as well and lays their poses ready beside their
places. They take what is ready and made of the same things, and estimate it themselves otherwise.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fidgety.files import dumps
from fidgety.locks import LOCKS_VARIABLE, hold_one

#: Set by the workflow where a group of jobs starts: since when, and which recordings.
TOGETHER_VARIABLE = "FIDGETY_POSES_TOGETHER"


def asked_together(arguments: Sequence[str], now_s: float | None = None) -> str:
    """Return what to set :data:`TOGETHER_VARIABLE` to, nothing where there is no group.

    Parameters
    ----------
    arguments
        The command line with which Snakemake starts jobs on a machine of a cluster.
    now_s
        The time; None takes the clock's.
    """
    found = [re.fullmatch(r"estimate_pose:recording=([\w-]+)", word) for word in arguments]
    names = [match[1] for match in found if match]
    since = time.time() if now_s is None else now_s
    return f"{since:.3f}:{','.join(sorted(names))}" if len(names) > 1 else ""


@dataclass(frozen=True)
class Place:
    """Where a recording's pose is made from, and where it goes.

    Parameters
    ----------
    inputs
        Files by their names in the rule.
    pose
        The rule's output.
    """

    inputs: dict[str, Path]
    pose: Path

    def of(self, recording: str) -> Place:
        """Return another recording's place: the files are named after their recording."""
        inputs = {name: path.with_stem(recording) for name, path in self.inputs.items()}
        return Place(inputs, self.pose.with_stem(recording))

    def ready(self, params: Mapping[str, Any]) -> Path:
        """Return where a pose of these files and parameters lies ready."""
        stats = {name: path.stat() for name, path in self.inputs.items()}
        parts = {
            "params": {name: params[name] for name in sorted(params.keys())},
            "inputs": {name: [s.st_size, s.st_mtime_ns] for name, s in stats.items()},
        }
        key = hashlib.sha256(dumps(parts).encode()).hexdigest()[:16]
        return self.pose.with_name(f".{self.pose.stem}.ready-{key}{self.pose.suffix}")

    def take(self, params: Mapping[str, Any]) -> bool:
        """Put what lies ready into its place, and remove what is out of date."""
        ready = self.ready(params)
        try:
            os.replace(ready, self.pose)
        except FileNotFoundError:
            for old in self.pose.parent.glob(f".{self.pose.stem}.ready-*"):
                old.unlink(missing_ok=True)
            return False
        return True


@dataclass(frozen=True)
class Group:
    """The recordings of a group of jobs.

    Parameters
    ----------
    recordings
        All of them; none where jobs run by themselves.
    since_s
        When the group started.
    """

    recordings: tuple[str, ...] = ()
    since_s: float = 0.0

    @classmethod
    def of(cls, recording: str, environ: Mapping[str, str] = os.environ) -> Group:
        """Return a recording's group."""
        since, _, names = environ.get(TOGETHER_VARIABLE, "").partition(":")
        recordings = tuple(name for name in names.split(",") if name)
        return cls(recordings, float(since)) if recording in recordings else cls()

    @contextlib.contextmanager
    def in_turn(self, environ: Mapping[str, str] = os.environ) -> Iterator[None]:
        """Keep the jobs of a group from making the same poses at once."""
        locks = environ.get(LOCKS_VARIABLE)
        if not locks or not self.recordings:
            yield
            return
        name = hashlib.sha256(repr(self).encode()).hexdigest()[:16]
        with hold_one([Path(locks, "pose", name)], "waits for the recordings of its group"):
            yield

    def others(self, recording: str, place: Place, params: Mapping[str, Any]) -> dict[str, Place]:
        """Return the recordings whose poses are still to be made, and can be."""
        found = {}
        for name in self.recordings:
            other = place.of(name)
            if name == recording or not all(path.is_file() for path in other.inputs.values()):
                continue
            done = other.pose.is_file() and other.pose.stat().st_mtime >= self.since_s
            if not done and not other.ready(params).is_file():
                found[name] = other
        return found
