"""Training by mmengine's Runner: what it calls after steps, epochs and validations.

The state after every validation is kept, whole or not at all. An interrupted training goes on
from there and ends with the same weights: random numbers are drawn anew for every epoch from the
seed and its number, and history, best weights and patience are part of the state.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fidgety.files import job_seed
from fidgety.pose.finetune.network import export
from fidgety.pose.finetune.scoring import oks, sigmas_of
from fidgety.pose.mmpose_runtime import import_mmpose

import_mmpose()

from mmengine.evaluator import BaseMetric  # noqa: E402 - importable from here on
from mmengine.hooks import Hook  # noqa: E402

#: File of the last state, of the best weights.
STATE, BEST = "state.pth", "best.pth"
#: Key of what this module keeps in a state.
OWN = "fidgety"


class LabelError2D(BaseMetric):
    """Validation during training: mean OKS, and the mean error in trunk lengths.

    Parameters
    ----------
    trunk_px : dict
        Trunk length in the crop's pixels, by annotation; NaN where it is unknown.
    keypoints
        Names.
    """

    default_prefix = "labels"

    def __init__(self, trunk_px: dict[int, float], keypoints: tuple[str, ...]) -> None:
        super().__init__(collect_device="cpu")
        self.trunk_px = trunk_px
        self.sigmas = sigmas_of(keypoints)

    def process(self, data_batch: Any, data_samples: Any) -> None:
        """Keep what is needed of a batch."""
        for sample in data_samples:
            truth = sample["raw_ann_info"]
            self.results.append(
                {
                    "id": int(sample["id"]),
                    "predicted": np.asarray(sample["pred_instances"]["keypoints"])[0, :, :2],
                    "true": np.asarray(truth["keypoints"], dtype=np.float64).reshape(-1, 3),
                    "area": float(truth["area"]),
                }
            )

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Return ``oks`` and ``error``."""
        true = np.stack([r["true"] for r in results])
        predicted = np.stack([r["predicted"] for r in results]).astype(np.float64)
        marked = true[:, :, 2] > 0
        area = np.array([r["area"] for r in results])
        similar = oks(predicted, true[:, :, :2], marked, area, self.sigmas)
        trunk = np.array([self.trunk_px[r["id"]] for r in results])
        away = np.linalg.norm(predicted - true[:, :, :2], axis=2) / trunk[:, None]
        away = away[marked & np.isfinite(away)]
        return {
            "oks": float(np.nanmean(similar)),
            "error": float(away.mean()) if away.size else float("nan"),
        }


class Keeper(Hook):
    """Seeds every epoch, keeps history, best weights and state, and ends a training in vain.

    Parameters
    ----------
    folder
        For the state and the best weights.
    seed
        Of the training.
    epochs
        That are wanted.
    patience
        Validations without a better one after which training ends; None: all epochs.
    """

    priority = "LOWEST"

    def __init__(self, folder: Path, seed: int, epochs: int, patience: int | None) -> None:
        self.folder = folder
        self.seed = seed
        self.epochs = epochs
        self.patience = patience
        self.history: list[dict[str, float]] = []
        self.losses: list[float] = []
        self.started = 0.0
        self.first_epoch = 0

    @property
    def best(self) -> dict[str, float] | None:
        """The best validation so far: the first one of the highest OKS."""
        return max(self.history, key=lambda row: row["oks"], default=None)

    @property
    def in_vain(self) -> bool:
        """Whether patience is at its end."""
        if self.patience is None or self.best is None:
            return False
        return len(self.history) - 1 - self.history.index(self.best) >= self.patience

    def before_train(self, runner: Any) -> None:
        """Start the clock; a training that had ended stays ended."""
        self.started, self.first_epoch = time.monotonic(), runner.epoch
        runner.train_loop.stop_training = self.in_vain

    def before_train_epoch(self, runner: Any) -> None:
        """Seed the epoch by its number alone."""
        seed = job_seed(self.seed, "epoch", str(runner.epoch))
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002 - mmpose draws from the global generator
        torch.manual_seed(seed)
        self.losses = []

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Remember the loss."""
        self.losses.append(float(torch.as_tensor(outputs["loss"]).detach()))

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Note the validation, keep what is best, keep the state, and say how it goes."""
        found = metrics or {}
        before = self.best
        row = {
            "epoch": float(runner.epoch),
            "learning_rate": float(runner.optim_wrapper.get_lr()["lr"][0]),
            "loss": float(np.mean(self.losses)) if self.losses else float("nan"),
            "oks": float(found["labels/oks"]),
            "error": float(found["labels/error"]),
        }
        self.history.append(row)
        better = before is None or row["oks"] > before["oks"]
        if better:
            export(self.folder / BEST, runner.model.state_dict())
        self._keep_state(runner)
        done = runner.epoch - self.first_epoch
        left = (time.monotonic() - self.started) / max(done, 1) * (self.epochs - runner.epoch)
        print(
            f"epoch {runner.epoch} of {self.epochs}: loss {row['loss']:.4f}, error "
            f"{row['error']:.3f} trunk lengths, OKS {row['oks']:.3f}{' (best)' if better else ''}, "
            f"{left:.0f} s left",
            flush=True,
        )
        if self.in_vain:
            print(f"no better validation in {self.patience}: training ends", flush=True)
            runner.train_loop.stop_training = True

    def _keep_state(self, runner: Any) -> None:
        runner.save_checkpoint(
            str(self.folder),
            f".{STATE}",
            meta={"epoch": runner.epoch, "iter": runner.iter},
            by_epoch=True,
        )
        os.replace(self.folder / f".{STATE}", self.folder / STATE)

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Put the history into the state."""
        checkpoint[OWN] = json.dumps(self.history)

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Take the history out of a state."""
        self.history = json.loads(checkpoint.get(OWN, "[]"))


def seed_worker(worker: int, **_: Any) -> None:
    """Seed a loading process from torch's seed, which is another one in every epoch."""
    seed = torch.initial_seed() % 2**32
    np.random.seed(seed)  # noqa: NPY002 - mmpose draws from the global generator
    random.seed(seed)


@contextlib.contextmanager
def on_device(device: str) -> Iterator[None]:
    """Let mmengine use this device, with the same algorithms on every run."""
    from mmengine.device import utils

    before = utils.DEVICE
    utils.DEVICE = device
    try:
        with torch.backends.cudnn.flags(
            enabled=True, benchmark=False, deterministic=True, allow_tf32=False
        ):
            yield
    finally:
        utils.DEVICE = before


def trunks_by_annotation(trunk_px: NDArray[np.floating]) -> dict[int, float]:
    """Key trunk lengths by annotation, numbered as in the COCO file."""
    return {k: float(v) for k, v in enumerate(trunk_px, start=1)}
