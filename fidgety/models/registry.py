"""The models that can be trained: name to the module that implements it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fidgety.registry import Registry

if TYPE_CHECKING:
    from fidgety.models.base import ModelSystem

MODEL_SYSTEMS: Registry[type[ModelSystem]] = Registry(
    "model",
    {
        "cnn1d": "fidgety.models.kaur:Cnn1d",
        "lstm": "fidgety.models.kaur_lstm:Lstm",
        "vit": "fidgety.models.kaur_vit:Vit",
        "svm": "fidgety.models.kaur_svm:Svm",
        "multirocket_hydra": "fidgety.models.multirocket:MultiRocketHydra",
        "mam_clip": "fidgety.models.mam:MamClip",
        "mam": "fidgety.models.mam_full:Mam",
        "eml": "fidgety.models.eml:Eml",
        "stam": "fidgety.models.stam:Stam",
        "wo_gma": "fidgety.models.wo_gma:WoGma",
        "ctr_gcn": "fidgety.models.ctr_gcn:CtrGcn",
        "two_stream": "fidgety.models.two_stream:TwoStreamSystem",
    },
)

#: Models that learn from annotated reference clips beside the infants' labels.
READ_REFERENCE: frozenset[str] = frozenset({"mam_clip", "mam"})

#: Models that may read the infants' characteristics.
READ_INFO: frozenset[str] = frozenset({"mam"})

#: Models that read crops and flow (`snakemake pixels`) instead of features.
READ_PIXELS: frozenset[str] = frozenset({"two_stream"})

#: Models whose instances' probabilities are those of fidgety movements.
FIND_FIDGETY: frozenset[str] = frozenset({"mam_clip", "mam"})

#: Models whose weights hold movement of single training infants: kind to the option and its values
#: that make it so, or to nothing where it is always so. `snakemake bundle` asks before it gives
#: them away.
KEEP_INFANTS: dict[str, tuple[str, frozenset[str]] | None] = {
    "svm": None,
    "eml": ("classifier", frozenset({"nn1", "nn3"})),
}
