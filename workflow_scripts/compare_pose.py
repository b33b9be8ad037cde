"""Compare what several pose estimators made of the same videos."""

import csv
from pathlib import Path

from fidgety.config.cleaning import CleaningConfig
from fidgety.config.compare_pose import ComparePoseConfig
from fidgety.errors import NotAssessable, Outcome
from fidgety.files import job_seed, write_json, write_text
from fidgety.phantom.record import read_truth
from fidgety.phantom.reference import truth_reference
from fidgety.pose.comparison import compare as comparing
from fidgety.pose.comparison.reference import Reference, from_corrections, from_labels, known
from fidgety.pose.corrections_table import load_corrections
from fidgety.pose.finetune.labels import read_coco
from fidgety.pose.tracks import read_pose
from fidgety.report import compare_pose as pages
from fidgety.report.pages import to_tsv
from fidgety.video.record import VideoRecord, read_video_record
from workflow_scripts.stage import Job, run

#: Key of an annotations file that is of several recordings.
ONE_FILE = "*"


def read_job(backend: str, recording: str, pose: str, benchmark: str) -> comparing.Job:
    """Read one backend's tracks of one recording, and how long they took."""
    with open(benchmark, encoding="utf-8", newline="") as file:
        measured = next(csv.DictReader(file, delimiter="\t"))

    def value(key: str) -> float:
        try:
            return float(measured.get(key, "nan"))
        except ValueError:  # Snakemake writes "-" and "NA" for jobs that were too short
            return float("nan")

    seconds, memory = value("s"), value("max_rss")
    try:
        return comparing.Job(backend, recording, read_pose(pose), seconds=seconds, memory_mb=memory)
    except NotAssessable as error:
        return comparing.Job(backend, recording, None, Outcome.of(error), seconds, memory)


def references(
    job: Job, records: dict[str, VideoRecord], jobs: list[comparing.Job]
) -> dict[str, Reference]:
    """Read what the tracks are compared with; a phantom's truth before marks by hand."""
    found: dict[str, Reference] = {}
    for name, path in zip(job.params.annotations_of, job.input.annotations, strict=True):
        if name == ONE_FILE:
            sizes = {r: (v.width_px, v.height_px) for r, v in records.items() if v.outcome.ok}
            found |= from_labels(read_coco(str(path)), sizes)
            continue
        stamps = [j.pose.time_s for j in jobs if j.recording == name and j.pose is not None]
        one = from_corrections(load_corrections(str(path)), stamps[0]) if stamps else None
        if one is not None:
            found[name] = one
    for recording, path in zip(job.params.phantoms, job.input.truths, strict=True):
        if records[recording].outcome.ok:
            found[recording] = truth_reference(read_truth(str(path))[1], records[recording])
    return found


def main(job: Job) -> None:
    """Write the tables, the figure and the page; print the table."""
    config = ComparePoseConfig.model_validate(dict(job.params.config))
    files = zip(job.params.jobs, job.input.poses, job.input.benchmarks, strict=True)
    jobs = [read_job(b, r, str(pose), str(speed)) for (b, r), pose, speed in files]
    recordings = list(dict.fromkeys(j.recording for j in jobs))
    records = {
        recording: read_video_record(str(path))
        for recording, path in zip(recordings, job.input.records, strict=True)
    }
    known_places = references(job, records, jobs)
    result = comparing.compare(
        jobs,
        dict(job.params.infants),
        known_places,
        CleaningConfig.model_validate(dict(job.params.cleaning)),
        cleaned=config.cleaned,
        seed=job_seed(job.params.seed, "compare_pose"),
    )
    backends = dict(job.params.backends)
    notes = [f"{name}: {b['note']}" for name, b in backends.items() if b["note"]]
    words = known(known_places.values())
    text = pages.text_table(result, words, notes)
    write_text(job.output.text, text)
    write_text(job.output.figures, to_tsv(result.figures))
    write_text(job.output.agreement, to_tsv(result.agreement))
    write_json(job.output.json, pages.to_json(result, backends))
    write_text(job.output.plot, pages.draw_measures(result))
    phantoms = bool(job.params.phantoms)
    write_text(job.output.page, pages.page(result, words, notes, phantoms=phantoms))
    print(text)
    print(f"\n{text}\nThe page: {Path(job.output.page)}", file=job.terminal, flush=True)


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
