"""The pages on which raters read: nothing in them links a code to an infant.

A page holds what its own sitting shows and no more: without help there is nothing of the model
in it, hidden or not.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from fidgety.config.reading import ReadingConfig
from fidgety.evaluation.predictions import InfantPredictions
from fidgety.reading.plan import Key, Sitting
from fidgety.reading.returned import FORMAT
from fidgety.reading.texts import (
    CONTRADICTIONS,
    KEYS,
    MARKING,
    NO_VIDEO,
    NOT_ASSESSABLE,
    NOT_JUDGED,
    PAGE_TEXTS,
    SCRIPT_TEXTS,
    items,
    needed,
)
from fidgety.report.clips import choose_clips, clip_model
from fidgety.report.pages import HERE, render, script_hash


def page_name(sitting: Sitting) -> str:
    """Return the file name of a sitting's page: it does not say whether there is help."""
    return f"{sitting.rater}-{sitting.period}.html"


def video_folder(sitting: Sitting) -> str:
    """Return the folder of the videos of a sitting: without help they have no skeleton."""
    return f"videos-{sitting.rater}-{sitting.period}"


def why_left_out(said: InfantPredictions, duration_s: float, config: ReadingConfig) -> str | None:
    """Return why an infant is not read, a reason code for most; None where it is.

    Parameters
    ----------
    said
        Of the infant.
    duration_s
        Of its video; 0 where there is nothing to see.
    config
        Whether infants that are not assessable are read.
    """
    reason = said.outcome.reason
    if not said.outcome.ok and not config.not_assessable:
        return str(reason.value) if reason is not None else NOT_ASSESSABLE
    return None if duration_s > 0 else NO_VIDEO


def model_help(
    said: InfantPredictions, recording: str, duration_s: float, wanted: str | None, clips: int
) -> dict[str, Any] | None:
    """Return what the model shows of a recording: its instances, and the likeliest clips.

    Parameters
    ----------
    said
        Of the infant.
    recording, duration_s
        Which one, and the length of its video.
    wanted
        Model; None takes the first that finds fidgety movements.
    clips
        How many, at most.

    Returns
    -------
    dict or None
        ``cells`` and ``clips``, each a list of (start, stop, probability); None without a result.
    """
    name = clip_model(said.models, wanted)
    if name is None:
        return None
    model = said.models[name]
    spans = zip(model.recording, model.start_s, model.stop_s, 1 - model.instance_risk, strict=True)
    cells = [[round(float(v), 3) for v in span] for owner, *span in spans if owner == recording]
    chosen = choose_clips(name, model, clips, {recording: duration_s})
    best = [[round(float(v), 3) for v in (c.start_s, c.stop_s, c.probability)] for c in chosen]
    return {"cells": cells, "clips": best} if cells else None


def page_data(
    sitting: Sitting,
    key: Key,
    helps: Mapping[str, dict[str, Any] | None],
    config: ReadingConfig,
) -> dict[str, Any]:
    """Return what the page's script works with.

    Parameters
    ----------
    sitting
        Whose page it is.
    key
        Of the study; of it only codes and lengths go into the page.
    helps
        Code to :func:`model_help`; not read without help.
    config
        What is asked for.
    """
    recordings = []
    for code in sitting.codes:
        one: dict[str, Any] = {"code": code, "duration_s": round(key.codes[code].duration_s, 3)}
        if sitting.help:
            one["help"] = helps.get(code)
        recordings.append(one)
    return {
        "format": FORMAT,
        "study": key.study,
        "rater": sitting.rater,
        "period": sitting.period,
        "help": sitting.help,
        "videos": video_folder(sitting),
        "washout_days": key.washout_days,
        "needed": list(needed(config.age, config.mos_r)),
        "marks": key.marks,
        "contradictions": CONTRADICTIONS if config.mos_r else {},
        "not_judged": NOT_JUDGED,
        "texts": SCRIPT_TEXTS,
        "recordings": recordings,
    }


def reading_page(
    sitting: Sitting,
    key: Key,
    helps: Mapping[str, dict[str, Any] | None],
    config: ReadingConfig,
    phantoms: bool,
) -> str:
    """Return a sitting's page."""
    script = (HERE / "assets" / "reading.js").read_text(encoding="utf-8")
    return render(
        "reading.html",
        script=Markup(script),  # our own file
        script_hash=script_hash(script),
        phantoms=phantoms,
        sitting=sitting,
        data=page_data(sitting, key, helps, config),
        marks=key.marks,
        items=items(config.age, config.mos_r),
        texts=PAGE_TEXTS,
        keys=[one for one in KEYS if key.marks or one[0] not in MARKING],
    )


def copy_video(source: str | os.PathLike[str], target: Path) -> None:
    """Copy a video under its code, with one and the same date for all."""
    shutil.copyfile(source, target)
    os.utime(target, (0, 0))


def link_video(first: Path, target: Path) -> None:
    """Give a copied video another name, as a copy where the file system has no links."""
    try:
        os.link(first, target)
    except OSError:
        copy_video(first, target)
