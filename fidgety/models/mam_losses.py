"""The losses of MAM (Gao et al. 2023, formulas 1 to 9), summed without weights.

A batch may lack a class: a cross-entropy is then over what there is, the triplet loss has no
other class to keep away from and is 0, and so is the closeness loss, whose centres are unknown.
"""

from __future__ import annotations

import torch

#: Margin of the triplet loss.
MARGIN = 0.4


def distances(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return Euclidean distances between two sets of vectors, of shape (len(a), len(b)).

    Differentiable where two vectors are the same: the gradient of the distance is 0 there.
    """
    squared = (a[:, None, :] - b[None, :, :]).square().sum(dim=-1)
    same = squared == 0
    return torch.where(same, torch.ones_like(squared), squared).sqrt() * ~same


def triplet(embedding: torch.Tensor, fidgety: torch.Tensor, margin: float = MARGIN) -> torch.Tensor:
    """Return the triplet loss of reference clips by mean distances (formulas 2 and 3).

    An anchor's distance to its own class is the mean over all clips of it in the batch, the anchor
    itself, at distance 0, among them, as the formula has it.

    Parameters
    ----------
    embedding : Tensor of shape (clip, width)
        Clip representations.
    fidgety : Tensor of bool of shape (clip,)
        Whether the clip is one of fidgety movements.
    margin
        By which the other class is to be farther away.

    Returns
    -------
    Tensor
        Mean over the clips; 0 if a class has none.
    """
    n_fm = int(fidgety.sum())
    if n_fm in (0, len(fidgety)):
        return embedding.sum() * 0.0
    between = distances(embedding, embedding)
    to_fm, to_non_fm = between[:, fidgety].mean(dim=1), between[:, ~fidgety].mean(dim=1)
    excess = torch.where(fidgety, to_fm - to_non_fm, to_non_fm - to_fm)
    return (excess + margin).clamp_min(0).mean()


def closeness(
    instances: torch.Tensor,
    probability: torch.Tensor,
    reference: torch.Tensor,
    fidgety: torch.Tensor,
) -> torch.Tensor:
    """Return the closeness loss of a batch's instances (formulas 4 to 7).

    ``a (1 - a)`` times the softmax over the distances to the two centres, taken at the centre of
    the class that the instance is predicted to be: undecided instances far from "their" centre
    cost most.

    Parameters
    ----------
    instances : Tensor of shape (instance, width)
        Representations of the bags' instances.
    probability : Tensor of shape (instance,)
        Their probability of fidgety movements.
    reference : Tensor of shape (clip, width)
        Representations of the batch's reference clips, whose means are the centres.
    fidgety : Tensor of bool of shape (clip,)
        Which of them are of fidgety movements.

    Returns
    -------
    Tensor
        Mean over the instances; 0 without a centre of each class.
    """
    n_fm = int(fidgety.sum())
    if n_fm in (0, len(fidgety)) or not len(instances):
        return instances.sum() * 0.0
    centres = torch.stack([reference[~fidgety].mean(dim=0), reference[fidgety].mean(dim=0)])
    share = distances(instances, centres).softmax(dim=1)
    own = torch.where(probability >= 0.5, share[:, 1], share[:, 0])
    return (probability * (1 - probability) * own).mean()
