"""Options of ``kind: eml``, apart from PyTorch and scikit-learn."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from fidgety.config.base import Section
from fidgety.models.eml_histograms import ANGLE_FRAMES, MIN_FRAMES

Positive = Annotated[int, Field(ge=1)]
Classifier = Literal["ensemble", "svm", "tree", "nn1", "nn3", "lda", "logistic"]


class EmlOptions(Section):
    """Options of ``kind: eml`` (McCay 2022)."""

    feature_sets: ClassVar[tuple[str, ...]] = ("coordinates_2d",)

    mode: Literal["corrected", "published"] = "corrected"
    """``corrected``: ways in trunk lengths, so that neither camera nor size of the infant counts;
    ``published``: in pixels, which needs ``features: {scale: none}`` and video."""
    classifier: Classifier = "ensemble"
    """``ensemble``: LogitBoost of small trees; or one of the paper's single classifiers: linear
    ``svm``, ``tree``, one or three nearest neighbours (``nn1``, ``nn3``), ``lda``, ``logistic``
    regression."""
    rate_hz: Annotated[float, Field(gt=0)] = 25.0
    """Frame rate of the series; the histograms' distances in frames are those of 25 a second."""
    window_s: Annotated[float, Field(gt=0)] = 10.0
    """Length of the stretches whose histograms are averaged over an infant; the paper has one
    histogram a video."""
    way_width_trunk: Annotated[float, Field(gt=0)] = 0.02
    """Bin width of the joint displacement in trunk lengths (``corrected``)."""
    way_width_px: Annotated[float, Field(gt=0)] = 2.0
    """The same in pixels (``published``)."""
    trees: Positive = 11
    """Trees of the ensemble."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.136
    """Of the ensemble."""
    max_splits: Positive = 2
    """Splits of a tree of the ensemble."""
    min_leaf: Positive = 2
    """Infants that a leaf of such a tree holds at least."""

    @model_validator(mode="after")
    def _check_window(self) -> EmlOptions:
        if self.window_frames < MIN_FRAMES:
            raise ValueError(
                f"window_s must hold {MIN_FRAMES} frames: bones are compared {ANGLE_FRAMES} frames "
                "apart"
            )
        return self

    @property
    def window_frames(self) -> int:
        """Frames of a stretch."""
        return round(self.window_s * self.rate_hz)


Options = EmlOptions
