"""MAM, the motor assessment model of Gao et al. 2023, with its three branches: ``mam``.

On top of the clip encoder and the attention pooling of :mod:`fidgety.models.mam`:

- **Reference branch** (training alone): annotated clips with and without fidgety movements go
  through the same encoder and classifier; cross-entropy (formula 1) and triplet loss (2, 3). In a
  batch they stand beside instances of one bag of each class, drawn at random over the whole video.
- **Closeness loss** (4 to 7): draws instances to the centre of the kind that they are predicted to
  be.
- **Info branch**: sex, gestational age, birth weight and corrected age through a layer of 32, ReLU,
  dropout 0.6, to the classes.

Both branches' probabilities are fused into the infant's (``fusion``). The four losses are summed
without weights (9). For application the reference branch is dropped.

Where no reference clips of both kinds are at hand, bags are learned from alone, and the log says
so.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import nn

from fidgety.datasets.characteristics import CHARACTERISTICS
from fidgety.datasets.instances import BagBatch
from fidgety.models.base import BagOutput, JointPlan, TrainingPlan
from fidgety.models.mam import MamClip, MamClipNetwork
from fidgety.models.mam_full_options import MamOptions

INFO_WIDTH = 32


class MamNetwork(MamClipNetwork):
    """Main and Info branch.

    Parameters
    ----------
    joints, n_classes
        Number of joints and of classes.
    options
        Sizes and branches.
    """

    def __init__(self, joints: int, n_classes: int, options: MamOptions) -> None:
        super().__init__(joints, n_classes, options)
        self.fusion = options.fusion
        self.info_branch: nn.Sequential | None = None
        if options.info:
            width = len(CHARACTERISTICS) * (2 if options.info_missing == "impute" else 1)
            self.info_branch = nn.Sequential(
                nn.Linear(width, INFO_WIDTH),
                nn.ReLU(),
                nn.Dropout(options.info_dropout),
                nn.Linear(INFO_WIDTH, n_classes),
            )

    def fuse(self, video: torch.Tensor, info: torch.Tensor) -> torch.Tensor:
        """Fuse the main branch with the infants' characteristics.

        Parameters
        ----------
        video : Tensor of shape (bag, class)
            Log-probabilities of the main branch.
        info : Tensor of shape (bag, value)
            Standardised characteristics.

        Returns
        -------
        Tensor of shape (bag, class)
            Log-probabilities.
        """
        assert self.info_branch is not None
        told = self.info_branch(info.to(video.dtype)).float()
        if self.fusion == "mean":
            both = torch.stack([video, told.log_softmax(dim=1)])
            return both.logsumexp(dim=0) - torch.log(torch.tensor(2.0, device=both.device))
        return (video.exp() + told.softmax(dim=1)).log_softmax(dim=1)

    def forward(
        self,
        x: torch.Tensor,
        segment: torch.Tensor,
        start: torch.Tensor,
        bag: torch.Tensor,
        n_bags: int,
        info: torch.Tensor | None = None,
    ) -> BagOutput:
        """Classify instances and bags.

        Parameters
        ----------
        x, segment, start, bag, n_bags
            As of the clip network.
        info : Tensor of shape (bag, value)
            Characteristics of the first bags; the others have none and are the video's alone.
        """
        output = super().forward(x, segment, start, bag, n_bags)
        if self.info_branch is None or info is None:
            return output
        video = output.bag_log_probability
        fused = self.fuse(video[: len(info)], info)
        return output._replace(bag_log_probability=torch.cat([fused, video[len(info) :]]))

    def prefix_log_probability(self, batch: BagBatch, output: BagOutput) -> torch.Tensor:
        """Judge a bag that ends with each of its instances; characteristics are known at once."""
        video = super().prefix_log_probability(batch, output)
        if self.info_branch is None or batch.info is None:
            return video
        return self.fuse(video, batch.info.expand(len(video), -1))


class Mam(MamClip):
    """The whole of Gao 2023."""

    name = "mam"
    options = MamOptions
    network = MamNetwork

    @classmethod
    def reads_info(cls, options: Any) -> bool:
        """Whether the branch of characteristics is on."""
        return bool(options.info)

    @classmethod
    def training(cls, options: Any) -> TrainingPlan:
        """Pre-training of the clip part, then all branches together."""
        plan = super().training(options)
        plan = replace(plan, scattered=True)
        if not options.reference:
            return replace(plan, pretraining=None)
        joint = JointPlan(
            clips_per_kind=options.clips_per_kind,
            closeness=options.closeness,
            margin=options.triplet_margin,
        )
        return replace(plan, joint=joint)
