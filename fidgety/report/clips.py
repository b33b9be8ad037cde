"""The clips to look at first: most and least like fidgety movements, cut out and ranked.

Beginners in the assessment gained most from seeing them again and again (Gao 2023, "MAM's ability
to assist GMA beginners"). They are cut from the overlay video, so what is hidden there is hidden
here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fidgety.report.media import MOST_KBPS
from fidgety.training.results import ModelPrediction, best_apart
from fidgety.video.read import iter_frames, video_info
from fidgety.video.write import VideoWriter

COLUMNS = ("rank", "file", "model", "recording", "start_s", "stop_s", "probability", "least")
LIST = "clips.tsv"
#: Quality of the clips: they are encoded twice.
CRF = 24
#: An instance has fidgety movements above this probability.
FOUND_ABOVE = 0.5
#: Of a clip at the end of a video that is shorter than the tracks.
SHORTEST_S = 1.0


@dataclass(frozen=True)
class Clip:
    """An instance that is worth looking at.

    Parameters
    ----------
    rank
        From 1: the likeliest, or the least likely.
    model, recording
        Who says so, and where it lies.
    start_s, stop_s
        In the recording.
    probability
        Of fidgety movements, mean over the fold models.
    least
        Whether it is one of the least likely.
    """

    rank: int
    model: str
    recording: str
    start_s: float
    stop_s: float
    probability: float
    least: bool = False

    @property
    def file(self) -> str:
        """Name of its video."""
        return f"{'least-' if self.least else ''}{self.rank:02d}.mp4"


def clip_model(models: Mapping[str, ModelPrediction], wanted: str | None = None) -> str | None:
    """Return the model whose clips are cut: the wanted one, or the first that finds the movement.

    None if it has no result, or there is no such model.
    """
    names = [wanted] if wanted is not None else sorted(models)
    for name in names:
        model = models.get(name)
        if model is not None and model.outcome.ok and model.detects_fidgety:
            return name
    return None


def choose_clips(
    name: str,
    prediction: ModelPrediction,
    n: int,
    lengths_s: Mapping[str, float],
    n_least: int = 0,
) -> list[Clip]:
    """Choose the likeliest instances and then the least likely, of which no two overlap.

    Parameters
    ----------
    name
        Of the model.
    prediction
        What it says of an infant.
    n
        How many of the likeliest, at most.
    lengths_s
        Lengths of the overlay videos; a recording without one has no clips, nor has what begins
        less than a second before its end (tracks may go on behind their video).
    n_least
        How many of the least likely, at most; none of them is one of the likeliest. One has a
        place wherever two instances lie apart.
    """
    probability = 1 - prediction.instance_risk
    places = zip(prediction.recording, prediction.start_s, strict=True)
    seen = [float(s) <= lengths_s.get(recording, 0.0) - SHORTEST_S for recording, s in places]
    best = best_apart(prediction, probability, n, seen)
    least = best_apart(prediction, -probability, n_least, seen, beside=best)
    # Where the likeliest leave no room, the last of them gives way: one of each kind shows more
    # than several of one.
    while n_least and not least and len(best) > 1:
        best = best[:-1]
        least = best_apart(prediction, -probability, n_least, seen, beside=best)
    return [
        Clip(
            rank,
            name,
            prediction.recording[k],
            float(prediction.start_s[k]),
            float(prediction.stop_s[k]),
            float(probability[k]),
            chosen is least,
        )
        for chosen in (best, least)
        for rank, k in enumerate(chosen, 1)
    ]


def overlay_length_s(overlay: str | os.PathLike[str]) -> float:
    """Return the length of an overlay video; 0 for the empty file of a recording without one."""
    if Path(overlay).stat().st_size == 0:
        return 0.0
    info = video_info(Path(overlay))
    return info.n_frames / info.fps


def cut_clip(overlay: str | os.PathLike[str], clip: Clip, path: Path) -> None:
    """Cut a clip out of an overlay video, whole or not at all."""
    info = video_info(Path(overlay))
    first, stop = round(clip.start_s * info.fps), round(clip.stop_s * info.fps)
    size = (info.width_px, info.height_px)
    with VideoWriter(path, info.rate, *size, crf=CRF, most_kbps=MOST_KBPS) as writer:
        for frame in iter_frames(Path(overlay), start=first, stop=stop):
            writer.write(frame)


def list_clips(clips: list[Clip]) -> pd.DataFrame:
    """Tabulate clips: columns :data:`COLUMNS`."""
    rows = [{name: getattr(clip, name) for name in COLUMNS} for clip in clips]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def read_clips(folder: str | os.PathLike[str]) -> list[Clip]:
    """Read what :func:`list_clips` gave, from a folder of clips."""
    table = pd.read_csv(
        Path(folder) / LIST, sep="\t", dtype={"model": str, "recording": str}, na_filter=False
    )
    return [
        Clip(
            int(r["rank"]),
            str(r["model"]),
            str(r["recording"]),
            float(r["start_s"]),
            float(r["stop_s"]),
            float(r["probability"]),
            str(r["least"]) == "True",
        )
        for r in table.to_dict("records")
    ]
