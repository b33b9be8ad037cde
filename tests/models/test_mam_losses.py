"""MAM's losses against a plain transcription of the paper's formulas."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fidgety.models.mam_losses import MARGIN, closeness, distances, triplet


def distance(a, b):
    return math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b, strict=True)))


def mean(values):
    return sum(values) / len(values)


def plain_triplet(embedding, fidgety, margin):
    """Formulas 2 and 3, term by term."""
    p = [e for e, f in zip(embedding, fidgety, strict=True) if f]
    n = [e for e, f in zip(embedding, fidgety, strict=True) if not f]
    losses = []
    for a, is_fm in zip(embedding, fidgety, strict=True):
        to_p, to_n = mean([distance(a, x) for x in p]), mean([distance(a, x) for x in n])
        losses.append(max((to_p - to_n if is_fm else to_n - to_p) + margin, 0))
    return mean(losses)


def plain_closeness(instances, probability, reference, fidgety):
    """Formulas 4 to 7, term by term."""
    width = len(reference[0])
    p = [e for e, f in zip(reference, fidgety, strict=True) if f]
    n = [e for e, f in zip(reference, fidgety, strict=True) if not f]
    p_centre = [mean([e[k] for e in p]) for k in range(width)]
    n_centre = [mean([e[k] for e in n]) for k in range(width)]
    losses = []
    for b, a in zip(instances, probability, strict=True):
        to_p, to_n = math.exp(distance(b, p_centre)), math.exp(distance(b, n_centre))
        losses.append(a * (1 - a) * (to_p if a >= 0.5 else to_n) / (to_p + to_n))
    return mean(losses)


def draw(seed, n_fm, n_non, width=5):
    generator = torch.Generator().manual_seed(seed)
    embedding = torch.randn(n_fm + n_non, width, generator=generator, dtype=torch.float64)
    order = torch.randperm(n_fm + n_non, generator=generator)
    return embedding, (order < n_fm)


@given(st.integers(0, 99), st.integers(1, 6), st.integers(1, 6), st.sampled_from([0.0, MARGIN, 3]))
def test_triplet_is_formula_2(seed, n_fm, n_non, margin):
    embedding, fidgety = draw(seed, n_fm, n_non)
    found = triplet(embedding, fidgety, margin).item()
    assert found == pytest.approx(plain_triplet(embedding.tolist(), fidgety.tolist(), margin))


@given(st.integers(0, 99), st.integers(1, 6), st.integers(1, 6), st.integers(1, 9))
def test_closeness_is_formula_6(seed, n_fm, n_non, n):
    reference, fidgety = draw(seed, n_fm, n_non)
    instances = draw(seed + 1, n, 0)[0]
    probability = torch.rand(n, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    found = closeness(instances, probability, reference, fidgety).item()
    plain = plain_closeness(
        instances.tolist(), probability.tolist(), reference.tolist(), fidgety.tolist()
    )
    assert found == pytest.approx(plain)


def test_half_counts_as_fidgety():
    """Formula 6 has 0.5 on the side of fidgety movements."""
    reference = torch.tensor([[0.0], [4.0]], dtype=torch.float64)
    fidgety = torch.tensor([False, True])
    one = torch.tensor([[1.0]], dtype=torch.float64)
    found = closeness(one, torch.tensor([0.5], dtype=torch.float64), reference, fidgety).item()
    assert found == pytest.approx(0.25 * math.exp(3) / (math.exp(3) + math.exp(1)))


@pytest.mark.parametrize("fidgety", [[True, True], [False, False]])
def test_a_batch_of_one_class_is_safe(fidgety):
    embedding = torch.randn(2, 3, requires_grad=True)
    known = torch.tensor(fidgety)
    loss = triplet(embedding, known) + closeness(embedding, torch.rand(2), embedding, known)
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(embedding.grad, torch.zeros_like(embedding))


def test_equal_clips_have_a_gradient():
    embedding = torch.ones(4, 3, requires_grad=True)
    known = torch.tensor([True, True, False, False])
    loss = triplet(embedding, known)
    loss.backward()
    assert loss.item() == pytest.approx(MARGIN)
    assert torch.isfinite(embedding.grad).all()


def test_far_apart_distances_do_not_overflow():
    reference = torch.tensor([[0.0], [1e4]])
    found = closeness(
        torch.tensor([[1e4]]), torch.tensor([0.4]), reference, torch.tensor([True, False])
    )
    assert found.item() == pytest.approx(0.24 * 0.0, abs=1e-6)
    between = distances(torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0]]))
    assert between.item() == pytest.approx(5.0)
