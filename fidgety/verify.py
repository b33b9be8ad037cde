"""Whether every result file is what was written: ``snakemake verify``.

Of each file it is asked whether its checksum is the one that its job recorded
(:mod:`fidgety.checksums`), whether it opens in its format, and whether it says what made it; of the
study, whether a file is missing. Files that were written before checksums were recorded are opened
and counted, and are no finding.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import re
import shlex
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import h5py
import pandas as pd

from fidgety.checksums import FOLDER, SUFFIX, Record, Stamp, read_record
from fidgety.errors import DamagedError, StorageError
from fidgety.faults import machine_fault
from fidgety.infants_index import INFANTS, kept_aside, read_infants, what_to_do
from fidgety.progress import track
from fidgety.status import INFANT_STAGES, STAGE_OF, Known, Planned, owner_of
from fidgety.storage import read_outcome, read_provenance

#: Below the results folder, and made of the run, not of infants.
NOT_RESULTS = ("logs", "benchmarks", "work", "status.tsv", "verify.tsv")
#: Folders with files in other programs' layouts.
FOREIGN = ("export",)
FOLDS = "folds.tsv"
COLUMNS = ("file", "finding", "what_to_do")
#: Findings that are shown on a terminal; the table on disk has all.
LISTED = 40


@dataclass(frozen=True)
class Finding:
    """Something wrong with a file.

    Parameters
    ----------
    file
        Path.
    finding
        What is wrong.
    what_to_do
        With the command, if there is one.
    """

    file: str
    finding: str
    what_to_do: str


@dataclass
class Verified:
    """What was found.

    Parameters
    ----------
    n_files
        How many files were looked at.
    findings
        What is wrong.
    unrecorded
        Files that nobody recorded a checksum of; they were opened alone.
    recorded
        Outputs that have a record, whole or damaged.
    damaged_records
        Outputs whose record is damaged.
    by_unsealed
        Files whose record has no checksum of its own: an earlier version has made it.
    """

    n_files: int = 0
    findings: list[Finding] = field(default_factory=list)
    unrecorded: list[str] = field(default_factory=list)
    recorded: set[str] = field(default_factory=set)
    damaged_records: set[str] = field(default_factory=set)
    by_unsealed: set[Path] = field(default_factory=set)


@dataclass(frozen=True)
class Remedies:
    """What to do about files.

    Parameters
    ----------
    command
        Words of a call of snakemake, without a target.
    outputs
        What every rule writes, with its wildcards.
    temporary
        Those of them that are removed when nobody needs them any more.
    """

    command: Sequence[str]
    outputs: Sequence[str]
    temporary: Sequence[str] = ()

    def again(self, *targets: str) -> str:
        """Return the command that makes some files, or all."""
        program, *options = self.command
        # Targets come first: an option may take any number of words.
        return shlex.join([program, *targets, *options])

    def remake(self, path: Path) -> str:
        """Say how to get a damaged file anew."""
        if path.name == FOLDS and path.parent.name not in FOREIGN:
            return (
                "Put a copy of it back if you have one. Else delete it and run again: infants may "
                f"come into other folds, and models are trained anew: rm {shlex.quote(str(path))} "
                f"&& {self.again()}"
            )
        target = self.target(path)
        if target is None:
            return f"Delete it, and make it again as it was made: rm {shlex.quote(str(path))}"
        folder = "-r " if target != path or path.is_dir() else ""
        name = str(target)
        return f"Delete it and run again: rm {folder}{shlex.quote(name)} && {self.again(name)}"

    def target(self, path: Path) -> Path | None:
        """Return the output that a file is, or is in."""
        candidates = [path, *path.parents]
        return next((p for p in candidates if _is_one_of(p, self.outputs)), None)

    def is_temporary(self, output: Path) -> bool:
        """Tell whether an output is one that is not kept."""
        return _is_one_of(output, self.temporary)

    def rewrite(self, output: Path) -> str:
        """Say how to get a record anew for an output that may be healthy."""
        if output.name != FOLDS or output.parent.name in FOREIGN:
            return f"Make it anew. {self.remake(output)}"
        return (
            "Compare it with a copy if you have one. If it is right, have it written again, in "
            f"which all infants keep their folds: {self.again(str(output))} --force"
        )

    def unrecord(self, output: Path, record: Path) -> str:
        """Say what to do about a damaged record, whose output may be healthy."""
        return (
            f"Delete the record: rm {shlex.quote(str(record))}; then nothing tells whether the "
            f"file is what was written. {self.rewrite(output)}"
        )

    def vanished(self, output: Path, record: Path) -> str:
        """Say what to do about an output that is gone while its record is there."""
        dropped = f"delete its record: rm {shlex.quote(str(record))}"
        if self.target(output) is None:
            return f"Make it again as it was made; or, if you have removed it, {dropped}"
        return f"Run again: {self.again(str(output))}; or, if you have removed it, {dropped}"


def _is_one_of(path: Path, patterns: Iterable[str]) -> bool:
    return any(re.fullmatch(_as_regex(one), str(path)) for one in patterns)


def _as_regex(pattern: str) -> str:
    """Return a rule's pattern as a regular expression, whatever the wildcards."""
    parts = re.split(r"\{[^{}]*\}", pattern)
    return "[^/]+".join(map(re.escape, parts))


def verify_files(results: Path, remedies: Remedies) -> Verified:
    """Look at every file below the results folder.

    Parameters
    ----------
    results
        Folder.
    remedies
        What to do about findings.
    """
    found = Verified()
    stamps = _recorded(results, remedies, found)
    files = sorted({*_result_files(results), *stamps})
    for path in track(files, "verify", total=len(files)):
        found.n_files += 1
        stamp = stamps.get(path)
        if stamp is None and (output := _recorded_output(path, remedies, found)):
            if str(output) not in found.damaged_records:
                found.findings.append(_foreign(path, output))
            continue
        if stamp is None:
            found.unrecorded.append(str(path))
        if wrong := _what_is_wrong(path, stamp, path.relative_to(results).parts[0] in FOREIGN):
            finding, damaged = wrong
            remedy = remedies.remake(path) if damaged else finding[finding.find(". ") + 2 :]
            if path in found.by_unsealed and damaged:
                finding += "; or the record of its checksum is damaged, as it has none of its own"
            found.findings.append(Finding(str(path), finding, remedy))
    found.findings += _wrong_indexes(results / INFANTS)
    return found


def _recorded_output(path: Path, remedies: Remedies, found: Verified) -> Path | None:
    """Return the recorded output that a file without a checksum is, or is in."""
    for output in (path, *path.parents):
        if str(output) in found.recorded:
            # An output inside of another one is asked for a record of its own.
            return output if remedies.target(path) in (None, output) else None
    return None


def _foreign(path: Path, output: Path) -> Finding:
    return Finding(
        str(path),
        f"is none of the files that the job of {output} has written: it was put there since",
        f"Move it elsewhere if it is yours; else delete it: {shlex.join(['rm', str(path)])}",
    )


def _wrong_indexes(index: Path) -> list[Finding]:
    """Return damaged indexes of infants: no run brings back what they knew."""
    wrong = [(path, "a damaged index of infants that was kept aside") for path in kept_aside(index)]
    try:
        read_infants(index)
    except StorageError as error:
        wrong.append((index, f"is damaged: {_short(error).removeprefix(f'{index}: ')}"))
    return [Finding(str(path), finding, what_to_do(path)) for path, finding in wrong]


def _result_files(results: Path) -> Iterator[Path]:
    """Yield the files below the results folder that stages have written."""
    for root, folders, files in os.walk(results):
        top = Path(root) == results
        shown = [n for n in folders if not n.startswith(".") and not (top and n in NOT_RESULTS)]
        folders[:] = shown
        for name in files:
            if not name.startswith(".") and not (top and name in NOT_RESULTS):
                yield Path(root, name)


def _recorded(results: Path, remedies: Remedies, found: Verified) -> dict[Path, Stamp]:
    """Return what was recorded of the outputs that there are; note damaged and lonely records."""
    folder = results / FOLDER
    stamps: dict[Path, Stamp] = {}
    for path in sorted(folder.rglob(f"*{SUFFIX}")):
        inside = path.relative_to(folder)
        output = results / inside.with_name(inside.name.removesuffix(SUFFIX))
        # Also of a hidden file: one that a writer of records left behind when it was killed.
        if path.name.startswith(".") or not path.is_file():
            continue
        if not os.path.lexists(output):
            if not remedies.is_temporary(output):
                remedy = remedies.vanished(output, path)
                found.findings.append(Finding(str(output), "is missing, and was recorded", remedy))
            continue
        found.recorded.add(str(output))
        try:
            recorded = read_record(path)
            stamps |= _stamps(output, recorded)
            found.by_unsealed |= set() if recorded.sealed else set(_stamps(output, recorded))
        except StorageError as error:
            found.damaged_records.add(str(output))
            text = str(error).removeprefix(f"{path}: ")
            damaged = isinstance(error, DamagedError)
            what = "is damaged" if damaged else "cannot be read"
            remedy = remedies.unrecord(output, path) if damaged else text[text.find(". ") + 2 :]
            found.findings.append(
                Finding(str(output), f"the record of its checksum {what}: {text}", remedy)
            )
    return stamps


def _stamps(output: Path, recorded: Record) -> dict[Path, Stamp]:
    # Joined with an empty name, a path stays as it is.
    return {output / name: stamp for name, stamp in recorded.files.items()}


def _what_is_wrong(path: Path, stamp: Stamp | None, foreign: bool) -> tuple[str, bool] | None:
    """Return what is wrong with a file, and whether the file is to blame, or None."""
    if not path.is_file():
        return "is missing from what its job has written", True
    try:
        if stamp is not None and (wrong := _differs(path, stamp)):
            return wrong, True
        check_format(path, foreign=foreign)
    except Exception as error:
        # Readers of damaged files raise anything.
        if lacking := machine_fault(error):
            return f"cannot be read: {lacking.removeprefix(f'{path}: ')}", False
        return f"does not open as {path.suffix or 'text'}: {_short(error)}", True
    return None


def _differs(path: Path, stamp: Stamp) -> str:
    n_bytes = path.stat().st_size
    if n_bytes != stamp.n_bytes:
        return f"has {n_bytes:,} bytes, {stamp.n_bytes:,} were written"
    if Stamp.of(path) != stamp:
        return "has another content than was written: its checksum differs"
    return ""


def _short(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else f"{text[:199]}…"


def _opens_hdf5(path: Path) -> None:
    with h5py.File(path, "r") as file:
        file.visititems(lambda name, item: None)


def _is_ours(path: Path) -> None:
    """Check what every HDF5 file of a stage carries: its outcome, and what made it."""
    _opens_hdf5(path)
    read_outcome(path)
    if not read_provenance(path):
        raise StorageError("it does not say what made it")


def _opens_json(path: Path) -> None:
    json.loads(path.read_text(encoding="utf-8"))


def _opens_table(path: Path) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        widths = {len(row) for row in csv.reader(file, delimiter="\t") if row}
    if len(widths) > 1:
        raise StorageError(f"rows have {min(widths)} to {max(widths)} cells")


def _opens_text(path: Path) -> None:
    path.read_text(encoding="utf-8")


def _opens_page(path: Path) -> None:
    if not path.read_text(encoding="utf-8").rstrip().endswith("</html>"):
        raise StorageError("its end is missing")


def _opens_picture_in_words(path: Path) -> None:
    ElementTree.parse(path)


def _opens_picture(path: Path) -> None:
    from PIL import Image

    with Image.open(path) as picture:
        picture.load()


def _opens_video(path: Path) -> None:
    if not path.stat().st_size:
        # Of a recording that is not assessable: its record beside it has the reason.
        return
    import av

    with av.open(str(path)) as container:
        next(container.decode(video=0))


def _opens_archive(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        archive.infolist()


def _opens_weights(path: Path) -> None:
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        file.keys()


FORMATS: dict[str, Callable[[Path], None]] = {
    ".h5": _is_ours,
    ".nc": _opens_hdf5,
    ".nwb": _opens_hdf5,
    ".json": _opens_json,
    ".tsv": _opens_table,
    ".csv": _opens_text,
    ".txt": _opens_text,
    ".md": _opens_text,
    ".js": _opens_text,
    ".css": _opens_text,
    ".html": _opens_page,
    ".svg": _opens_picture_in_words,
    ".png": _opens_picture,
    ".jpg": _opens_picture,
    ".mp4": _opens_video,
    ".zip": _opens_archive,
    ".safetensors": _opens_weights,
}
#: What some readers need, which not every environment has: without it the checksum alone counts.
NEEDED = {".png": "PIL", ".jpg": "PIL", ".mp4": "av", ".safetensors": "safetensors"}


def check_format(path: Path, *, foreign: bool = False) -> None:
    """Open a file as what its name says; whatever the reader raises comes out.

    Parameters
    ----------
    path
        File.
    foreign
        It is made for another program: an HDF5 file carries nothing of ours.
    """
    needed = NEEDED.get(path.suffix)
    if needed is not None and importlib.util.find_spec(needed) is None:
        return
    opens = FORMATS.get(path.suffix)
    if opens is not None:
        (_opens_hdf5 if foreign and opens is _is_ours else opens)(path)


#: What results that are files end with.
_FILES = frozenset(
    {".csv", ".h5", ".html", ".json", ".mp4", ".nc", ".nwb", ".safetensors", ".svg", ".tsv", ".zip"}
)


def _is_there(file: str) -> bool:
    """Tell whether there is a result; an empty folder in the place of a file is none."""
    if Path(file).suffix in _FILES and os.path.isdir(file):
        return bool(os.listdir(file))
    return os.path.lexists(file)


def missing_files(
    planned: Sequence[Planned], infants: Mapping[str, Known], remedies: Remedies
) -> list[Finding]:
    """Return what the study should have and has not, with the infant and the stage.

    Parameters
    ----------
    planned
        All files of the workflow.
    infants
        By id.
    remedies
        What to do about it.
    """
    of_recording = {name: infant for infant, known in infants.items() for name in known.recordings}
    found = []
    for one in planned:
        if _is_there(one.file):
            continue
        stage = STAGE_OF.get(one.rule)
        whose = ""
        if stage is not None:
            owner = owner_of(one.rule, one.file)
            infant = owner if stage in INFANT_STAGES else of_recording.get(owner, owner)
            whose = f": neither result nor reason of infant {infant}, stage {stage}"
        found.append(
            Finding(one.file, f"is missing{whose}", f"Run again: {remedies.again(one.file)}")
        )
    return found


def unrecorded_outputs(
    planned: Sequence[Planned], found: Verified, remedies: Remedies
) -> list[Finding]:
    """Return the outputs of the plan that have no record, where others have one.

    Where nobody has a record, the results are from before there were any. A single one may be
    missing because its output was made by another version, or because somebody has removed it,
    and then nothing tells whether the output is what was written.

    Parameters
    ----------
    planned
        All files of the workflow.
    found
        Of :func:`verify_files`; outputs that are findings leave its list of unrecorded ones.
    remedies
        What to do about it.
    """
    outputs = {one.file for one in planned}
    if not outputs & found.recorded:
        return []
    lonely: dict[str, None] = {}
    kept = []
    for name in found.unrecorded:
        output = str(remedies.target(Path(name)) or name)
        if output in outputs and output not in found.recorded:
            lonely[output] = None
        else:
            kept.append(name)
    found.unrecorded = kept
    return [
        Finding(
            output,
            "has no record of its checksum, as others have: made by another version, or the "
            "record was removed",
            remedies.rewrite(Path(output)),
        )
        for output in lonely
    ]


def as_table(findings: Sequence[Finding]) -> pd.DataFrame:
    """Return the findings as a table."""
    rows = [(one.file, one.finding, one.what_to_do) for one in findings]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def verified_lines(found: Verified, n_pending: int, table: str) -> list[str]:
    """Write what was found for a terminal.

    Parameters
    ----------
    found
        All of it.
    n_pending
        How many files the next run would make anew, though they are whole.
    table
        Where the whole table is.
    """
    lines = []
    for one in found.findings[:LISTED]:
        lines += [f"{one.file}", f"  {one.finding}", f"  {one.what_to_do}"]
    if len(found.findings) > LISTED:
        lines.append(f"and {len(found.findings) - LISTED} more: {table}")
    if found.unrecorded:
        lines.append(
            f"{len(found.unrecorded)} files have no checksum, as they were written before there "
            "were any: they open, and whether they are what was written is not known. They get one "
            "when they are made the next time."
        )
    if n_pending:
        lines.append(
            f"{n_pending} files would be made anew by the next run; `snakemake status` says why."
        )
    n = len(found.findings)
    said = f"{n} finding{'s' if n > 1 else ''}" if n else "Nothing is wrong"
    lines.append(f"{said}: {found.n_files} files were looked at.")
    return lines
