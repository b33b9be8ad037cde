"""Resampling, standardisation, windows, clips, batches."""

import tracemalloc
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fidgety.datasets.clips import (
    FM,
    NON_FM,
    Rating,
    agreed,
    clip_runs,
    ratings,
    reference_clips,
)
from fidgety.datasets.instances import (
    BagData,
    BalancedBatches,
    Draw,
    InstanceData,
    ShuffledBatches,
    collate_bags,
)
from fidgety.datasets.series import (
    InputSpec,
    Series,
    Standardisation,
    load_series,
    resample,
    take_features,
)
from fidgety.datasets.windows import Windows, cut_windows, in_intervals, window_starts
from fidgety.errors import NotAssessable, Reason
from fidgety.features.store import mirror_features
from tests.training.synthetic import write_recording


def series(values, recording="r", infant="i", label="", rate=25.0, start=0.0):
    values = np.asarray(values, dtype=np.float32)
    names = tuple(f"f{k}" for k in range(values.shape[1]))
    return Series(recording, infant, label, values, names, start, rate, values[:, ::-1].copy())


def test_resampling_at_the_own_rate_changes_nothing():
    values = np.random.default_rng(0).normal(size=(101, 3)).astype(np.float32)
    values[7, 1] = np.nan
    time = 3.2 + np.arange(101) / 25
    np.testing.assert_array_equal(resample(values, time, 25.0), values)
    # Time stamps that were rounded to microseconds are the same grid.
    np.testing.assert_array_equal(resample(values, np.round(time + 1e-7, 6), 25.0), values)


@given(st.floats(10, 60), st.floats(10, 60), st.integers(0, 2**31))
def test_resampling_is_exact_on_straight_lines(source, target, seed):
    rng = np.random.default_rng(seed)
    time = np.cumsum(rng.uniform(0.7, 1.3, size=80)) / source
    slope = np.array([1.5, -0.3])
    out = resample((time[:, None] * slope), time, target)
    grid = time[0] + np.arange(len(out)) / target
    np.testing.assert_allclose(out, grid[:, None] * slope, atol=2e-3 / source)
    assert time[-1] - 1.001 / target <= grid[-1] <= time[-1] + 1e-3 / target


@given(st.integers(0, 2**31))
def test_resampling_never_reaches_across_missing_values_or_gaps(seed):
    rng = np.random.default_rng(seed)
    time = np.arange(60) / 30.0
    time[40:] += 0.5  # the camera stopped for half a second
    values = np.ones((60, 1), dtype=np.float32)
    values[rng.integers(60, size=4)] = np.nan
    out = resample(values, time, 25.0)[:, 0]
    grid = time[0] + np.arange(len(out)) / 25.0
    for t, value in zip(grid, out, strict=True):
        after = min(int(np.searchsorted(time, t - 1e-6)), 59)
        before = after if abs(time[after] - t) < 1e-5 else after - 1
        known = np.isfinite(values[[before, after], 0]).all() and time[after] - time[before] < 0.1
        assert np.isfinite(value) == known


def test_standardisation_is_of_the_given_values_alone():
    rng = np.random.default_rng(1)
    parts = [rng.normal(3, 2, size=(50, 6)).astype(np.float32), rng.normal(size=(20, 6))]
    parts[0][3:9, 2] = np.nan
    scaling = Standardisation.fit(parts)
    whole = np.concatenate(parts)
    np.testing.assert_allclose(scaling.mean, np.nanmean(whole, axis=0))
    np.testing.assert_allclose(scaling.sd, np.nanstd(whole, axis=0))
    z = scaling.apply(whole.astype(np.float32))
    np.testing.assert_allclose(np.nanmean(z, axis=0), 0, atol=1e-6)
    assert np.isnan(z[3:9, 2]).all()
    pooled = Standardisation.fit(parts, space_dimensions=3)
    by_axis = whole.reshape(70, 2, 3)
    np.testing.assert_allclose(pooled.mean, np.tile(np.nanmean(by_axis, axis=(0, 1)), 2))
    np.testing.assert_allclose(pooled.sd, np.tile(np.nanstd(by_axis, axis=(0, 1)), 2))


def test_a_constant_feature_becomes_zero_and_does_not_blow_up():
    values = np.full((30, 1), 1234.567, dtype=np.float32)
    scaling = Standardisation.fit([values])
    assert np.abs(scaling.apply(values)).max() < 1e-3


def test_feature_sets_stand_side_by_side_and_mirrored(tmp_path):
    path = tmp_path / "r.h5"
    write_recording(path, duration_s=12.0, fps=30.0)
    spec = InputSpec(("coordinates_2d", "angles_2d"), 30.0, 10.0, 5.0, 5.0)
    loaded = load_series(path, spec, recording="r", infant="i", mirror=True)
    assert loaded.values.shape == (360, 42 + 12)
    assert loaded.names[0] == "coordinates_2d/pelvis_x"
    only = load_series(
        path, InputSpec(("coordinates_2d",), 30.0, 10.0, 5.0, 5.0), recording="r", infant="i"
    )
    names = tuple(n.partition("/")[2] for n in only.names)
    np.testing.assert_array_equal(
        loaded.mirrored[:, :42], mirror_features(only.values, names).astype(np.float32)
    )
    assert only.mirrored is None
    centred = InputSpec(("coordinates_2d",), 30.0, 10.0, 5.0, 5.0, centre=True)
    moved = load_series(path, centred, recording="r", infant="i", mirror=True)
    np.testing.assert_allclose(moved.values.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(mirror_features(moved.values, names), moved.mirrored, atol=1e-6)


def test_a_recording_without_the_features_says_so(tmp_path):
    def different(values):
        values["angles_2d"] = values["angles_2d"].copy()

    path = tmp_path / "r.h5"
    write_recording(path, change=different)
    spec = InputSpec(("coordinates_3d",), 25.0, 9.6, 2.4, 6.0, 3)
    assert load_series(path, spec, recording="r", infant="i").values.shape == (750, 51)
    assert InputSpec.from_dict(spec.to_dict()) == spec
    assert (spec.window_frames, spec.step_frames(True), spec.step_frames(False)) == (240, 60, 150)


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.integers(1, 12), st.integers(1, 7))
def test_windows_are_the_complete_ones_of_the_grid(complete, length, step):
    starts, dropped = window_starts(np.array(complete), length, step)
    grid = range(0, len(complete) - length + 1, step)
    assert starts.tolist() == [s for s in grid if all(complete[s : s + length])]
    assert dropped == len(grid) - len(starts)


@given(
    st.lists(st.tuples(st.floats(0, 20), st.floats(0, 20)), max_size=5),
    st.floats(0, 15),
    st.floats(0.5, 10),
)
def test_share_in_intervals_is_what_sampling_finds(intervals, start, length):
    share = in_intervals(start, start + length, intervals)
    t = start + (np.arange(4000) + 0.5) / 4000 * length
    inside = np.zeros(4000, dtype=bool)
    for a, b in intervals:
        inside |= (t >= a) & (t <= b)
    assert share == pytest.approx(inside.mean(), abs=5e-3)


def test_reference_clips_are_wholly_in_or_wholly_out():
    recording = series(np.zeros((1500, 2)))
    rows = [
        {"recording": "r", "start_s": 10.0, "end_s": 20.0, "movement": "fidgety", "rater": "a"},
        {"recording": "r", "start_s": 20.0, "end_s": 31.0, "movement": "fidgety", "rater": "a"},
        {"recording": "r", "start_s": 5.0, "end_s": 40.0, "movement": "fidgety", "rater": "b"},
    ]
    other = series(np.zeros((300, 2)), recording="unrated")
    clips, labels = reference_clips([recording, other], rows, 240, 60)
    found = {float(s) / 25: int(y) for s, y in zip(clips.start, labels, strict=True)}
    # Both raters: in from 10 to 31 s, out before 5 s and after 40 s; the unrated one gives none.
    assert found == {
        **dict.fromkeys((12.0, 14.4, 16.8, 19.2), FM),
        **dict.fromkeys((40.8, 43.2, 45.6, 48.0, 50.4), NON_FM),
    }
    consensus = {**rows[0], "rater": "consensus", "movement": "other"}
    assert agreed(ratings([*rows, consensus])["r"]) == [Rating()]
    unjudged = {**rows[0], "start_s": 44.0, "end_s": 46.0, "movement": "not_assessable"}
    fewer, _ = reference_clips([recording], [*rows, unjudged], 240, 60)
    starts = fewer.start / 25
    assert ((starts + 9.6 <= 44) | (starts >= 46)).all(), "what a rater could not judge is no clip"
    assert len(starts) == 4 + 2
    runs, kinds = clip_runs(clips, labels, 4)
    assert kinds.tolist() == [NON_FM, NON_FM, FM]
    assert all((labels[run] == kind).all() for run, kind in zip(runs, kinds, strict=True))
    assert sorted(np.concatenate(runs).tolist()) == list(range(9))


def test_instances_are_views_of_the_series():
    one = series(np.arange(40).reshape(20, 2))
    windows = cut_windows([one], 5, 5)
    data = InstanceData([one], windows, np.array([0, 1, 0, 1]))
    x, target = data[Draw(1)]
    assert target == 1
    assert np.shares_memory(x.numpy(), one.values)
    np.testing.assert_array_equal(x, one.values[5:10])
    np.testing.assert_array_equal(data[Draw(1, mirrored=True)][0], one.values[5:10, ::-1])


def test_the_largest_overlap_costs_less_than_the_series():
    """299 of 300 frames: windows are indices, so 300 times the frames cost a fraction of them."""
    rng = np.random.default_rng(0)
    recordings = [series(rng.normal(size=(5400, 60)), str(k), rate=30.0) for k in range(3)]
    size = sum(s.values.nbytes for s in recordings)
    tracemalloc.start()
    windows = cut_windows(recordings, 300, 1)
    data = InstanceData(recordings, windows, windows.series % 2)
    batches = iter(ShuffledBatches(len(data), 16, 3, mirror=True))
    for _ in range(20):
        x = torch.stack([data[draw][0] for draw in next(batches)])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(data) == 3 * 5101
    assert x.shape == (16, 300, 60)
    assert peak < 0.25 * size


@given(st.integers(1, 40), st.integers(0, 39), st.integers(0, 200))
def test_neighbouring_snippets_share_the_overlap(length, overlap, frames):
    overlap = min(overlap, length - 1)
    starts, dropped = window_starts(np.ones(frames, dtype=bool), length, length - overlap)
    assert dropped == 0
    covered = [set(range(s, s + length)) for s in starts.tolist()]
    assert all(len(a & b) == overlap for a, b in pairwise(covered))
    assert len(starts) == max((frames - length) // (length - overlap) + 1, 0)


def test_a_model_takes_its_own_features_of_a_richer_recording():
    rich = series(np.arange(12).reshape(4, 3))
    own = take_features(rich, ("f2", "f0"))
    np.testing.assert_array_equal(own.values, rich.values[:, [2, 0]])
    np.testing.assert_array_equal(own.mirrored, rich.mirrored[:, [2, 0]])
    assert own.names == ("f2", "f0")
    assert take_features(rich, rich.names) is rich
    with pytest.raises(NotAssessable, match="learned from f7, f9 too") as caught:
        take_features(rich, ("f0", "f7", "f9"))
    assert caught.value.reason is Reason.FEATURE_UNAVAILABLE


def test_bags_hold_exactly_their_windows():
    rng = np.random.default_rng(3)
    a, b = series(rng.normal(size=(50, 2)), "a"), series(rng.normal(size=(30, 2)), "b")
    a.values[22] = np.nan
    windows = cut_windows([a, b], 8, 4)
    first = np.flatnonzero(windows.series == 0)
    bags = [np.arange(len(windows)), first]
    data = BagData([a, b], windows, bags, np.array([1, 0]))
    draws = [Draw(0, first=2, length=9), Draw(1)]
    batch = collate_bags([data[d] for d in draws])
    assert torch.isfinite(batch.x).all()
    assert batch.target.tolist() == [1, 0]
    assert batch.bag.tolist() == [0] * 9 + [1] * len(first)
    wanted = np.concatenate([bags[0][2:11], first])
    for k, w in enumerate(wanted):
        start = int(batch.start[k])
        got = batch.x[batch.segment[k], start : start + 8]
        source = (a, b)[windows.series[w]].values
        np.testing.assert_array_equal(got, source[windows.start[w] : windows.start[w] + 8])
    clips = BagData([a, b], windows, bags, np.arange(len(windows)), by_instance=True)
    assert collate_bags([clips[d] for d in draws]).target.tolist() == wanted.tolist()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU")
def test_series_on_a_gpu_give_the_same_batches():
    rng = np.random.default_rng(3)
    a, b = series(rng.normal(size=(50, 2)), "a"), series(rng.normal(size=(30, 2)), "b")
    a.values[22] = np.nan
    a, b = (replace(s, mirrored=-s.values) for s in (a, b))
    windows = cut_windows([a, b], 8, 4)
    bags = [np.arange(len(windows))]
    draws = [Draw(0, True, first=2, length=9), Draw(0, chosen=(0, 3))]
    here, there = (
        collate_bags(
            [
                BagData([a, b], windows, bags, np.array([1]), device=torch.device(d))[k]
                for k in draws
            ]
        )
        for d in ("cpu", "cuda")
    )
    assert there.x.is_cuda
    torch.testing.assert_close(there.x.cpu(), here.x, rtol=0, atol=0)
    assert there.start.tolist() == here.start.tolist()


def test_batches_depend_on_seed_and_epoch_alone():
    for sampler in (
        ShuffledBatches(17, 5, 3, mirror=True),
        BalancedBatches(np.array([0] * 6 + [1] * 3), 2, 3, True, np.full(9, 30), 16),
    ):
        epochs = []
        for epoch in (0, 1, 0):
            sampler.set_epoch(epoch)
            epochs.append(list(sampler))
            assert len(epochs[-1]) == len(sampler)
        assert epochs[0] == epochs[2] != epochs[1]
        flips = [d.mirrored for e in epochs for batch in e for d in batch]
        assert 0 < np.mean(flips) < 1


def test_an_epoch_shows_every_instance_once():
    batches = list(ShuffledBatches(17, 5, 3, mirror=False))
    assert sorted(d.item for b in batches for d in b) == list(range(17))
    assert not any(d.mirrored for b in batches for d in b)


def test_balanced_batches_hold_as_many_of_each_class():
    targets = np.array([0] * 7 + [1] * 2 + [2] * 3)
    sampler = BalancedBatches(targets, 2, 3, False, np.arange(10, 22), 16)
    items = []
    for batch in sampler:
        assert np.bincount([targets[d.item] for d in batch]).tolist() == [2, 2, 2]
        for d in batch:
            items.append(d.item)
            assert 0 <= d.first <= max(10 + d.item - 16, 0)
    assert set(items) == set(range(12))


def test_small_cohorts_come_round_more_often():
    sampler = BalancedBatches(np.array([0, 1, 1]), 1, 3, False, at_least=7)
    batches = list(sampler)
    assert len(batches) == len(sampler) == 7
    assert np.bincount([d.item for b in batches for d in b])[0] == 7


def test_no_windows_is_an_empty_answer():
    assert len(cut_windows([], 5, 5)) == 0
    short = cut_windows([series(np.zeros((3, 2)))], 5, 5)
    assert isinstance(short, Windows)
    assert len(short) == short.dropped == 0


def test_reasons_of_the_features_file_are_handed_on(tmp_path):
    from fidgety.storage import Provenance, write_not_assessable

    path = tmp_path / "r.h5"
    error = NotAssessable(Reason.NO_BODY, "nobody")
    write_not_assessable(path, error, schema="features/1", provenance=Provenance("r"))
    spec = InputSpec(("coordinates_2d",), 30.0, 10.0, 5.0, 5.0)
    with pytest.raises(NotAssessable) as caught:
        load_series(path, spec, recording="r", infant="i")
    assert caught.value.reason is Reason.NO_BODY


def test_feature_sets_are_not_pooled_with_each_other():
    values = np.random.default_rng(2).normal(size=(40, 12)).astype(np.float32)
    values[:, 6:] *= 100  # the second set: velocities, say
    scaling = Standardisation.fit([values], space_dimensions=3, sets=2)
    alone = [Standardisation.fit([part], 3) for part in (values[:, :6], values[:, 6:])]
    np.testing.assert_allclose(scaling.sd, np.concatenate([one.sd for one in alone]))
    np.testing.assert_allclose(scaling.mean, np.concatenate([one.mean for one in alone]))
