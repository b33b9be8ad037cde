"""Fine-tune a pose model of mmpose on labelled frames."""

import json
import shutil
from typing import Any

import torch

from fidgety.config.pose_training import PoseTrainingConfig
from fidgety.errors import ConfigError
from fidgety.files import atomic_path, write_json
from fidgety.pose.finetune.inputs import read_labels, taken_for_infants
from fidgety.pose.finetune.training import train
from workflow_scripts.stage import Job, run

LIBRARIES = ("mmcv-lite", "mmengine", "mmpose", "numpy", "pycocotools", "torch")


def decisive_parts(job: Job) -> dict[str, Any]:
    """Return what decides the training: its labels, parameters and code."""
    return {k: job.params.get(k) for k in ("config", "infants", "files_sha256", "seed", "code")}


def main(job: Job) -> None:
    """Write weights, resolved config, history and report."""
    torch.set_num_threads(job.threads)
    config = PoseTrainingConfig.model_validate(job.on_device(job.params.config))
    seed = int(job.params.seed)
    if not config.labels:
        raise ConfigError(
            "config.yaml: pose_training.labels is empty: name the files of labels "
            "(docs/pose-training.md)."
        )
    infants = dict(job.params.infants)
    labels, pictures = read_labels(config, infants)
    print(f"{len(labels)} labelled frames of {len(labels.groups)} infants")
    alone = taken_for_infants(labels, config, infants)
    if alone:
        print(
            f"warning: whose {', '.join(alone)} are nobody says, so each is taken for an infant of "
            "its own: if two are of one infant, name both in pose_training.infants, or validation "
            "is on an infant that was learned from"
        )
    tested = sorted({f.recording for f in labels.frames} & set(job.params.external))
    if tested:
        print(
            f"warning: {', '.join(tested)} are of cohorts that only test: with this pose model "
            "they are no longer unseen"
        )
    with job.alone():
        trained = train(labels, pictures, config, job.work_folder(decisive_parts(job)), seed)
        provenance = job.provenance(seed=seed, libraries=LIBRARIES)
        report = {
            **trained.report,
            "tested_recordings": tested,
            "taken_for_infants": alone,
            "provenance": json.loads(provenance.to_json()),
        }
        with atomic_path(job.output.history) as temporary:
            trained.history.to_csv(temporary, sep="\t", index=False, lineterminator="\n")
        for source, target in (
            (trained.config, job.output.config),
            (trained.checkpoint, job.output.checkpoint),
        ):
            with atomic_path(target) as temporary:
                shutil.copyfile(source, temporary)
        write_json(job.output.report, report)
        shutil.rmtree(job.params.work, ignore_errors=True)
    before, after = report["start"], report["trained"]
    blind = report["mean_posture"]
    print(
        f"on {after['n_infants']} infants kept aside ({after['n_frames']} frames): error "
        f"{before['error']:.3f} -> {after['error']:.3f} trunk lengths, PCK@0.2 "
        f"{before['pck_0.2']:.3f} -> {after['pck_0.2']:.3f}; a guess that never looks, the mean "
        f"posture: {blind['error']:.3f}, {blind['pck_0.2']:.3f}"
    )


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
