"""What would run, and why: infants by stage, from Snakemake's own summary of all files.

Snakemake's ``--summary`` has a row a file: the rule that makes it, what it looks like and whether
it would be made again. Here the rows are put together by infant and by stage.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import pandas as pd

from fidgety.errors import StorageError

COLUMNS = ("output_file", "date", "rule", "log-file(s)", "status", "plan")
PENDING = "update pending"
#: Stages with a job a recording, or an infant, in the order of the work: rules, and what they
#: are called in the table. Rules that are not named belong to nobody alone.
RECORDING_STAGES = {
    "phantom": ("render_phantom", "simulate_track"),
    "video": ("standardise_video",),
    "background": ("extract_background",),
    "pose": ("estimate_pose", "import_pose"),
    "cleaning": ("clean_pose", "lift_pose"),
    "features": ("build_features",),
    "pictures": ("build_pixels",),
    "overlay": ("draw_overlay",),
}
INFANT_STAGES = {
    "assessment": ("predict_infant",),
    "page": ("explain_pictures", "draw_pictures", "write_infant_page"),
}
STAGES = (*RECORDING_STAGES, *INFANT_STAGES)
STAGE_OF = {
    rule: stage
    for stages in (RECORDING_STAGES, INFANT_STAGES)
    for stage, rules in stages.items()
    for rule in rules
}
DONE, ABSENT = "done", "–"
#: What Snakemake calls it, and what it is called here; what says most comes first.
REASONS = {
    "missing": "new",
    "params changed": "changed",
    "set of input files changed": "files",
    "updated input files": "newer",
    "rule implementation changed": "rule",
    "ok": "follows",
}
FOLLOWS = REASONS["ok"]
#: Snakemake says "ok" of these as well.
BROKEN_OFF = "broken off"
MEANINGS = {
    "new": "is not there yet",
    "changed": "its settings, code or source changed",
    "files": "the list of its files changed",
    "newer": "files that it is made from are newer",
    "rule": "its rule changed",
    FOLLOWS: "after a stage before it",
    BROKEN_OFF: "was broken off, or its software changed",
}
_ORDER = {reason: k for k, reason in enumerate(REASONS.values())}
#: Infants with something to do that are listed; the table on disk has all.
LISTED = 40


@dataclass(frozen=True)
class Planned:
    """Whether a file of the workflow would be made.

    Parameters
    ----------
    file, rule
        The file, and the rule that makes it.
    reason
        Why the rule would run, in a user's words; nothing if it would not.
    """

    file: str
    rule: str
    reason: str

    @property
    def pending(self) -> bool:
        """Whether the rule would run."""
        return bool(self.reason)


@dataclass(frozen=True)
class Known:
    """What the sheet says of an infant: its role and its recordings."""

    role: str
    recordings: tuple[str, ...]

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Known:
        """Take them from plain values."""
        return cls(str(values["role"]), tuple(str(name) for name in values["recordings"]))


def parse_summary(text: str, unfinished: Collection[str] = ()) -> list[Planned]:
    """Read what ``snakemake --summary`` prints.

    Parameters
    ----------
    text
        As printed.
    unfinished
        Files whose job was broken off, of which Snakemake says nothing there.

    Raises
    ------
    StorageError
        If it is no such table.
    """
    header = "\t".join(COLUMNS)
    start = text.find(header)
    if start < 0:
        raise StorageError(
            "snakemake --summary has printed no table. Run it by itself to see what is wrong."
        )
    table = pd.read_csv(io.StringIO(text[start:]), sep="\t", dtype=str, keep_default_na=False)
    table = table[table["plan"] != ""]

    def reason(file: str, status: str) -> str:
        if file in unfinished and REASONS.get(status) == FOLLOWS:
            return BROKEN_OFF
        return REASONS.get(status, status)

    return [
        Planned(file, rule, reason(file, status) if plan == PENDING else "")
        for file, rule, status, plan in table[["output_file", "rule", "status", "plan"]].itertuples(
            index=False, name=None
        )
    ]


def owner_of(rule: str, file: str) -> str:
    """Return the recording or infant that a file is of: what it, or its folder, is called."""
    path = PurePosixPath(file)
    # Phantoms have a folder each.
    return path.parent.name if STAGE_OF[rule] == "phantom" else path.stem


def _says_most(reasons: Iterable[str]) -> str:
    """Return the reason that says most; an empty one, of a file that stays, says nothing."""
    return min(reasons, key=lambda reason: _ORDER.get(reason, -1) if reason else len(_ORDER))


def _cell(reasons: Sequence[str]) -> str:
    """Say what becomes of an infant's jobs of a stage, of which each has a reason or none."""
    if not reasons:
        return ABSENT
    pending = [reason for reason in reasons if reason]
    if not pending:
        return DONE
    share = "" if len(pending) == len(reasons) else f" ({len(pending)} of {len(reasons)})"
    return _says_most(pending) + share


def status_table(planned: Sequence[Planned], infants: Mapping[str, Known]) -> pd.DataFrame:
    """Put the files together: a row an infant, a column a stage.

    Parameters
    ----------
    planned
        All files of the workflow.
    infants
        By id.

    Returns
    -------
    DataFrame
        Columns ``infant``, ``role``, ``recordings``, and the stages that anybody has. A cell is
        ``done``, ``–`` (nothing to do there, ever), or why it would run.
    """
    # A job counts once, however many files it makes.
    jobs: dict[tuple[str, str], list[str]] = {}
    for one in planned:
        if one.rule in STAGE_OF:
            jobs.setdefault((one.rule, owner_of(one.rule, one.file)), []).append(one.reason)
    found: dict[tuple[str, str], list[str]] = {}
    for (rule, owner), reasons in jobs.items():
        found.setdefault((STAGE_OF[rule], owner), []).append(_says_most(reasons))
    elsewhere = any(one.pending for one in planned if one.rule not in STAGE_OF)
    rows = []
    for infant, known in infants.items():
        recordings = known.recordings
        row = {"infant": infant, "role": known.role, "recordings": str(len(recordings))}
        before = False
        for stage in STAGES:
            owners = recordings if stage in RECORDING_STAGES else (infant,)
            if stage in INFANT_STAGES:
                # Assessment waits for the models, too.
                before |= elsewhere
            reasons = [r for name in owners for r in found.get((stage, name), [])]
            row[stage] = _cell([r if r != FOLLOWS or before else BROKEN_OFF for r in reasons])
            before |= any(reasons)
        rows.append(row)
    table = pd.DataFrame(rows, columns=["infant", "role", "recordings", *STAGES])
    return table[[c for c in table if c not in STAGES or (table[c] != ABSENT).any()]]


def other_jobs(planned: Sequence[Planned]) -> list[str]:
    """Say which rules that belong to no infant alone would run, with their reasons."""
    jobs: dict[str, list[str]] = {}
    for one in planned:
        if one.pending and one.rule not in STAGE_OF:
            jobs.setdefault(one.rule, []).append(one.reason)
    return [f"{rule}: {_says_most(why)}" for rule, why in sorted(jobs.items())]


def status_lines(table: pd.DataFrame, others: Sequence[str], path: str) -> list[str]:
    """Write the status for a terminal: counts by stage, the infants concerned, what else runs.

    Parameters
    ----------
    table, others
        Of :func:`status_table` and :func:`other_jobs`.
    path
        Where the whole table is.
    """
    stages = [c for c in table if c in STAGES]
    idle = table[stages].isin([DONE, ABSENT]).all(axis=1)
    busy = table[~idle]
    if not len(busy) and not others:
        return [f"Everything is up to date: {len(table)} infants.", f"The whole table: {path}"]
    lines = [f"{len(busy)} of {len(table)} infants have something to do."]
    for stage in stages:
        counts = Counter(re.sub(r" \(\d+ of \d+\)$", "", cell) for cell in table[stage])
        told = [f"{n} {what}" for what, n in counts.most_common() if what != ABSENT]
        lines.append(f"  {stage:<11}{', '.join(told)}")
    if len(busy):
        lines += ["", *busy[:LISTED].to_string(index=False, justify="left").splitlines()]
    if len(busy) > LISTED:
        lines.append(f"... and {len(busy) - LISTED} infants more")
    if others:
        lines += ["", "For all of them together:", *(f"  {line}" for line in others)]
    words = {word for cell in busy[stages].to_numpy().ravel() for word in MEANINGS if word in cell}
    used = words | {word for line in others for word in MEANINGS if line.endswith(f": {word}")}
    lines += ["", *(f"{word}: {MEANINGS[word]}" for word in MEANINGS if word in used)]
    return [*lines, "", f"The whole table: {path}"]
