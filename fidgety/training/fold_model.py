"""A fold model: weights and all that is needed to use them.

``weights.safetensors`` beside ``model.json`` (schema ``model/1``):

==================  ============================================================================
field               content
==================  ============================================================================
model, kind         name in the configuration, name in the registry
options             the model's options, complete
classes, at_risk    class names in the order of the outputs; for each whether it is at risk
inputs              feature sets, rate, window, steps (:class:`~fidgety.datasets.series.InputSpec`)
standardisation     feature names, mean, sd
pooling             how an infant's recordings are pooled
threshold           value, rule, detail
info                mean, sd of the infants' characteristics, flags of missing ones; null where
                    the model reads none
split, leaks        ``infant``, or ``snippet`` and what is wrong with that; else empty
validation          infants with label and score
validation_loss     mean over classes of the infants' cross-entropy (estimators: of their share of
                    wrong instances); null without any
training_infants    ids; ``reference_infants`` and ``left_out`` (infant or recording to why) too
counts              windows used and dropped, reference clips
epochs, best_epoch  run, and (from 0) the one whose weights these are
weights_sha256      of the file beside it
parameters          number of trained parameters; of an estimator, of the numbers that it keeps
selection           only of a model with a grid: the combinations, their losses, the chosen one
fold, seed          of the job
provenance          as in every results file
==================  ============================================================================
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from fidgety.config.base import Section
from fidgety.datasets.characteristics import InfoScaling
from fidgety.datasets.series import InputSpec, Standardisation
from fidgety.errors import StorageError
from fidgety.files import atomic_path, file_sha256, write_json
from fidgety.models.base import ModelSystem, parse_model_options, weights_of
from fidgety.models.registry import MODEL_SYSTEMS
from fidgety.training.described import check_described
from fidgety.training.description import MODEL_SCHEMA, read_description

WEIGHTS_NAME = "weights.safetensors"
#: A network that is larger than any memory is a RuntimeError of torch, or an OverflowError.
_UNUSABLE = (KeyError, TypeError, ValueError, ArithmeticError, RuntimeError, SafetensorError)


@dataclass(frozen=True)
class FoldModel:
    """A trained fold model, ready to predict.

    Parameters
    ----------
    model, kind, fold
        Name in the configuration, name in the registry, number of the fold.
    system, options, spec
        The published system, its options, what it reads.
    network
        With its weights, in evaluation mode.
    standardisation, feature_names
        Fitted on the training infants.
    units
        Units of each feature set that it learned from.
    classes, at_risk
        In the order of the outputs.
    pooling
        ``infant`` or ``recording``, as in training.
    threshold
        Lowest probability of being at risk that counts as positive.
    validation_loss
        By which candidates of a grid are compared; NaN without validation infants.
    info_scaling
        Of the infants' characteristics, where the model reads them.
    seen
        Infants that had a part in training, validation or pre-training.
    """

    model: str
    kind: str
    fold: int
    system: type[ModelSystem]
    options: Section
    spec: InputSpec
    network: nn.Module
    standardisation: Standardisation
    feature_names: tuple[str, ...]
    units: tuple[str, ...]
    classes: tuple[str, ...]
    at_risk: tuple[bool, ...]
    pooling: str
    threshold: float
    validation_loss: float
    info_scaling: InfoScaling | None
    seen: frozenset[str]


def write_fold_model(
    weights_path: str | os.PathLike[str],
    model_path: str | os.PathLike[str],
    network: nn.Module,
    description: Mapping[str, Any],
) -> None:
    """Write weights and description, each whole or not at all; the description comes last."""
    with atomic_path(weights_path) as temporary:
        temporary.write_bytes(save(weights_of(network)))
    write_json(
        model_path,
        {
            "schema": MODEL_SCHEMA,
            **description,
            "weights": Path(weights_path).name,
            "weights_sha256": file_sha256(weights_path),
        },
    )


def write_refused(
    weights_path: str | os.PathLike[str],
    model_path: str | os.PathLike[str],
    reason: str,
    description: Mapping[str, Any],
) -> None:
    """Write the record of a model that could not be trained: no weights, and why."""
    with atomic_path(weights_path) as temporary:
        temporary.write_bytes(save({}))
    write_json(model_path, {"schema": MODEL_SCHEMA, **description, "refused": reason})


def load_fold_model(model_path: str | os.PathLike[str]) -> FoldModel:
    """Load a fold model: the weights beside its ``model.json``, checked.

    Raises
    ------
    StorageError
        If the weights are missing, damaged or do not belong to the description.
    """
    description = read_description(model_path)
    try:
        weights_path = Path(model_path).with_name(str(description.get("weights", WEIGHTS_NAME)))
    except ValueError:
        raise StorageError(f"{model_path}: names no file of weights that may lie beside.") from None
    try:
        digest = file_sha256(weights_path)
    except OSError as error:
        raise StorageError(f"{weights_path}: cannot be read: {error}") from None
    if digest != description.get("weights_sha256"):
        raise StorageError(
            f"{weights_path}: its checksum is not the one in {Path(model_path).name}: the file is "
            "damaged or belongs to another model. Delete both and run the workflow again."
        )
    try:
        said = check_described(description)
        system = MODEL_SYSTEMS.get(said.kind)
        options = parse_model_options(system, said.options, str(model_path))
        spec = InputSpec.from_dict(said.inputs)
        if spec != system.inputs(options):
            raise ValueError("inputs: they are not what its options ask for")
        if len(said.units) != len(spec.feature_sets):
            raise ValueError("units: every feature set must have one")
        scaling = said.standardisation
        network = system.restore(
            options, len(scaling.features), len(said.classes), load_file(weights_path)
        )
        network.eval()
        seen = {*said.training_infants, *said.reference_infants}
        return FoldModel(
            model=said.model,
            kind=said.kind,
            fold=said.fold,
            system=system,
            options=options,
            spec=spec,
            network=network,
            standardisation=Standardisation(np.array(scaling.mean), np.array(scaling.sd)),
            feature_names=tuple(scaling.features),
            units=tuple(said.units),
            classes=tuple(said.classes),
            at_risk=tuple(said.at_risk),
            pooling=said.pooling,
            threshold=said.threshold.value,
            validation_loss=math.nan if said.validation_loss is None else said.validation_loss,
            info_scaling=InfoScaling.from_dict(said.info.model_dump()) if said.info else None,
            seen=frozenset(seen | {entry.infant for entry in said.validation}),
        )
    # A network that is larger than any memory is a RuntimeError of torch, or an OverflowError.
    except _UNUSABLE as error:
        raise StorageError(
            f"{model_path}: cannot be used ({error}). Delete its folder and run the workflow "
            "again; if it came in a bundle, ask for the bundle anew."
        ) from None
