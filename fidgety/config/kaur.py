"""The ``kaur`` section: the study of Kaur et al. 2025 as a sweep over models and overlaps."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from fidgety.config.base import Section
from fidgety.config.learning import ModelConfig

Overlap = Annotated[int, Field(ge=0, le=299)]
Share = Annotated[float, Field(gt=0, lt=1)]
Split = Literal["infant", "snippet"]


def _published(kind: str, *sizes: dict[str, Any], **options: Any) -> ModelConfig:
    """Return one of the paper's models, to be chosen from its sizes on validation data."""
    grid = tuple({key: (value,) for key, value in size.items()} for size in sizes)
    return ModelConfig(kind=kind, options={"preset": "kaur2025", **options}, grid=grid)


class KaurConfig(Section):
    """What `snakemake kaur2025` trains and compares (docs/kaur2025.md); nothing else reads it."""

    overlaps: Annotated[tuple[Overlap, ...], Field(min_length=1)] = (
        299, 290, 270, 250, 200, 150, 100,
    )  # fmt: skip
    """Frames of 300 that neighbouring snippets share: the sweep of Figure 2."""
    overlap: Overlap = 150
    """The overlap that is looked at closely: tables, Figure 3, and every feature set."""
    splits: Annotated[tuple[Split, ...], Field(min_length=1)] = ("infant", "snippet")
    """``infant``: nobody stands on both sides. ``snippet``: as published, which leaks: snippets of
    one infant on both sides. With both, the size of the optimism is told."""
    feature_sets: Annotated[dict[str, tuple[str, ...]], Field(min_length=1)] = {
        "coordinates": ("landmarks_2d",),
        "angles": ("angles_2d",),
        "both": ("landmarks_2d", "angles_2d"),
    }
    """The inputs that are compared, by a name of your own; of each the sets of features."""
    features: str = "both"
    """The one of ``feature_sets`` that the sweep over overlaps is made with."""
    models: Annotated[dict[str, ModelConfig], Field(min_length=1)] = {
        "svm": _published("svm", {"kernel": "rbf"}, {"kernel": "cubic"}, max_gb=16.0),
        "lstm": _published("lstm", {"units": (64, 32)}, {"units": (128, 64, 32)}),
        "cnn1d": _published(
            "cnn1d", {"filters": (32, 64), "dense": 32}, {"filters": (32, 64, 128), "dense": 64}
        ),
        "vit": _published("vit", {"encoder_layers": 2}, {"encoder_layers": 4}),
        "multirocket_hydra": _published("multirocket_hydra", max_gb=16.0),
    }
    """Models on snippets. Of a ``grid`` every fold takes what is best on its validation data."""
    origin: Literal["sternum", "pelvis", "none"] = "sternum"
    """As ``features.origin``, for this study alone."""
    scale: Literal["trunk", "none"] = "none"
    """As ``features.scale``; the paper normalises no length."""
    upright: bool = False
    """As ``features.upright``; the paper does not turn infants. Where yours lie any way round in
    the picture, set it true."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Options for all of ``models``, such as ``centre: true``; a model's own win over them."""
    folds: Annotated[int, Field(ge=2, le=20)] = 5
    """Of the split by snippet, as published. The split by infant takes ``folds.n``."""
    random_state: Annotated[int, Field(ge=0, lt=2**32)] = 42
    """Of the split by snippet, as published."""
    validation_share: Share = 0.1
    """Of the split by snippet: share of the training snippets that early stopping watches, as many
    of every class. The split by infant takes ``folds.validation_share``."""
    similarity_model: str | None = None
    """The model whose last hidden layer is looked at in Figure 3B: null takes ``cnn1d``, or else
    the first network; without a network there is no such figure."""
    similarity_snippets: Annotated[int, Field(ge=2, le=2000)] = 400
    """Snippets of a fold in the heat map, at most; infants give in equal steps."""

    @model_validator(mode="after")
    def _check_names(self) -> KaurConfig:
        if self.features not in self.feature_sets:
            raise ValueError(
                f"features: {self.features!r} is none of feature_sets "
                f"({', '.join(self.feature_sets)})"
            )
        if len(set(self.splits)) != len(self.splits):
            raise ValueError("splits: one is named twice")
        if self.similarity_model is not None and self.similarity_model not in self.models:
            raise ValueError(
                f"similarity_model: {self.similarity_model!r} is none of models "
                f"({', '.join(self.models)})"
            )
        return self
