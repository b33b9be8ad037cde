"""Training by fold: no leakage, exact resumption, what is kept of it."""

import errno
import math
import tempfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from fidgety.config.learning import TrainingConfig
from fidgety.datasets.folds import FoldEntry
from fidgety.datasets.instances import Draw, InstanceData
from fidgety.datasets.series import Standardisation
from fidgety.datasets.shelf import Shelf
from fidgety.datasets.windows import cut_windows
from fidgety.errors import ConfigError, FidgetyError
from fidgety.models.base import OptimiserPlan, TrainingPlan, weights_of
from fidgety.training import lit
from fidgety.training.fold import train_fold
from fidgety.training.gather import gather
from tests.training.conftest import KINDS, NETWORKS, Cohort, make_job
from tests.training.synthetic import write_recording


def gathered(job, own, **changes):
    arguments = {
        "entries": own.entries,
        "cohort": own.development,
        "features": own.features,
        "reference": own.reference,
    }
    return gather(job, **(arguments | changes))


def trained(job, cohort, work, **changes):
    return train_fold(job, gathered(job, cohort, **changes), cohort.intervals, work)


def same(a, b):
    return all(torch.equal(a[k], b[k]) for k in a.keys() | b.keys())


@pytest.mark.parametrize("kind", KINDS)
def test_test_infants_leave_no_trace(kind, cohort, tmp_path):
    """Their features are replaced by nonsense: not a bit of the model changes."""
    job = make_job(kind)
    first = trained(job, cohort, tmp_path / "a")
    changed = dict(cohort.features)
    for infant in cohort.tested(1):
        path = tmp_path / f"{infant.removeprefix('i-')}.h5"

        def mark(values):
            for array in values.values():
                array += 1e3

        write_recording(path, duration_s=8.0, seed=99, change=mark)
        changed[path.stem] = path
    second = trained(job, cohort, tmp_path / "b", features=changed)
    assert same(weights_of(first.network), weights_of(second.network))
    assert first.description["standardisation"]["mean"].tolist() == (
        second.description["standardisation"]["mean"].tolist()
    )
    assert not set(cohort.tested(1)) & set(first.description["training_infants"])
    # The same nonsense in a training infant does change it: the marker can be seen.
    other = next(e.infant for e in cohort.entries if e.fold == 2).removeprefix("i-")
    changed = dict(cohort.features) | {other: changed[cohort.tested(1)[0].removeprefix("i-")]}
    third = trained(job, cohort, tmp_path / "c", features=changed)
    assert not same(weights_of(first.network), weights_of(third.network))


@pytest.mark.parametrize("kind", KINDS)
def test_scaling_is_that_of_the_training_infants_alone(kind, larger):
    job = make_job(kind)
    data = gathered(job, larger)
    assert len(data.labels) == 4
    assert len(data.validation_labels) == 2
    assert not set(data.labels) & set(data.validation_labels)
    assert not (set(data.labels) | set(data.validation_labels)) & set(larger.tested(1))
    values = np.concatenate([s.values for s in data.train])
    if not job.spec.standardise:  # the network norms what it reads
        assert not data.standardisation.mean.any()
        assert (data.standardisation.sd == 1).all()
        return
    if job.spec.space_dimensions:
        values = values.reshape(len(values), -1, 3)
        np.testing.assert_allclose(values.mean(axis=(0, 1)), 0, atol=1e-5)
        np.testing.assert_allclose(values.std(axis=(0, 1)), 1, atol=1e-4)
    else:
        np.testing.assert_allclose(values.mean(axis=0), 0, atol=1e-4)
        np.testing.assert_allclose(values.std(axis=0), 1, atol=1e-4)
    for s in data.validation:  # scaled by the same numbers: not centred itself
        assert np.abs(s.values.mean(axis=0)).max() > 0.05


def test_reference_clips_follow_their_infants_fold(larger):
    job = make_job("mam_clip")
    data = gathered(job, larger)
    validation, training = sorted(data.validation_labels)[0], sorted(data.labels)[0]
    names = [larger.tested(1)[0], validation, training, "elsewhere"]
    own = larger.reference.iloc[[0, 0, 1, 1]].assign(infant=names)
    found = gathered(job, larger, reference=own)
    assert {s.infant for s in found.reference} == {training, "elsewhere"}
    assert gathered(make_job("mam_clip", pretrain_epochs=0), larger).reference == []


def test_reference_clips_of_the_site_that_is_left_out_are_not_learned_from(larger):
    place = {e.infant: "ab"[e.fold - 1] for e in larger.entries}
    entries = [replace(e, site=place[e.infant]) for e in larger.entries]
    clips = larger.reference.iloc[[0, 0, 1, 1]].assign(
        infant=["here", "there", "here-too", "there-too"], site=["a", "b", "a", "b"]
    )
    for fold, wanted in ((1, {"there", "there-too"}), (2, {"here", "here-too"})):
        job = make_job("mam_clip", fold=fold)
        data = gathered(job, larger, entries=entries, reference=clips)
        assert {s.infant for s in data.reference} == wanted
        own = set(data.labels) | set(data.validation_labels)
        assert data.validation_labels
        assert {place[infant] for infant in own} == {"ab"[2 - fold]}


def stop_at(monkeypatch, stage_calls):
    """Let training fail at the start of some epoch, counted over all stages."""
    calls = []
    original = lit.Chance.on_train_epoch_start

    def hook(self, trainer, module):
        calls.append(1)
        if len(calls) == stage_calls:
            raise RuntimeError("the power went out")
        original(self, trainer, module)

    monkeypatch.setattr(lit.Chance, "on_train_epoch_start", hook)


@pytest.mark.parametrize(
    ("kind", "which", "epoch"),
    [
        ("cnn1d", "larger", 4),
        ("cnn1d", "cohort", 3),
        ("lstm", "larger", 3),
        ("vit", "larger", 3),
        ("ctr_gcn", "larger", 3),
        ("ctr_gcn", "cohort", 3),
        ("mam_clip", "larger", 2),
        ("mam_clip", "larger", 6),
        ("mam_clip", "cohort", 5),
    ],
)
def test_interrupted_training_ends_with_the_same_weights(
    kind, which, epoch, request, tmp_path, monkeypatch, capfd
):
    own = request.getfixturevalue(which)
    job = make_job(kind)
    whole = trained(job, own, tmp_path / "whole")
    with monkeypatch.context() as patch:
        stop_at(patch, epoch)
        with pytest.raises(RuntimeError, match="power"):
            trained(job, own, tmp_path / "work")
    again = trained(job, own, tmp_path / "work")
    assert "goes on after epoch" in capfd.readouterr().err
    assert same(weights_of(whole.network), weights_of(again.network))
    assert whole.history.equals(again.history)
    # Killed after the last epoch, before the files were written: nothing is trained further.
    third = trained(job, own, tmp_path / "work")
    assert same(weights_of(whole.network), weights_of(third.network))
    assert whole.history.equals(third.history)


@pytest.mark.parametrize(
    ("which", "name"), [("cohort", "last"), ("larger", "last"), ("larger", "best")]
)
@pytest.mark.parametrize("left", [0, 100, 0.5, 0.999, b"no archive"])
def test_a_damaged_checkpoint_counts_as_none(
    which, name, left, request, tmp_path, monkeypatch, capfd
):
    own = request.getfixturevalue(which)
    job = make_job("cnn1d")
    whole = trained(job, own, tmp_path / "whole")
    with monkeypatch.context() as patch:
        stop_at(patch, 3)
        with pytest.raises(RuntimeError, match="power"):
            trained(job, own, tmp_path / "work")
    path = tmp_path / "work/train" / f"{name}.ckpt"
    data = path.read_bytes()
    if isinstance(left, bytes):
        path.write_bytes(left)
    else:
        path.write_bytes(data[: left if isinstance(left, int) else int(len(data) * left)])
    capfd.readouterr()
    again = trained(job, own, tmp_path / "work")
    log = capfd.readouterr().err
    assert f"{path}: is damaged" in log
    assert "goes on after" not in log
    assert same(weights_of(whole.network), weights_of(again.network))
    assert whole.history.equals(again.history)


def test_a_disk_that_fails_is_no_damage(cohort, tmp_path, monkeypatch):
    job = make_job("cnn1d")
    trained(job, cohort, tmp_path)

    def fail(*_, **__):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(torch, "load", fail)
    with pytest.raises(OSError, match="Input/output"):
        trained(job, cohort, tmp_path)
    assert (tmp_path / "train/last.ckpt").is_file()


def test_checkpoints_are_written_beside_their_place(larger, tmp_path, monkeypatch):
    """Nothing goes through the folder of temporary files, and nothing half-written is there."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "there is none"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "there is none"))
    moments = []

    def save(checkpoint, file, **_):
        moments.append(sorted(p.name for p in (tmp_path / "work/train").iterdir()))
        original(checkpoint, file)

    original = torch.save
    monkeypatch.setattr(torch, "save", save)
    trained(make_job("cnn1d"), larger, tmp_path / "work")
    # What is being written has a name of its own.
    assert all(len([name for name in found if name.startswith(".")]) == 1 for found in moments)
    assert not [name for name in moments[0] if not name.startswith(".")]
    assert sorted(p.name for p in (tmp_path / "work/train").iterdir()) == ["best.ckpt", "last.ckpt"]


def test_every_epoch_draws_anew(cohort, tmp_path, monkeypatch):
    seen = []
    original = lit.InstanceClassification.losses

    def spy(self, batch):
        seen.append(float(batch[0].sum()))
        return original(self, batch)

    monkeypatch.setattr(lit.InstanceClassification, "losses", spy)
    trained(make_job("cnn1d"), cohort, tmp_path)
    batches = len(seen) // 4
    assert seen[:batches] != seen[batches : 2 * batches]


def test_same_seed_same_bytes_other_seed_others(cohort, tmp_path):
    one = trained(make_job("cnn1d"), cohort, tmp_path / "a")
    torch.manual_seed(1234)
    two = trained(make_job("cnn1d"), cohort, tmp_path / "b")
    assert same(weights_of(one.network), weights_of(two.network))
    other = trained(make_job("cnn1d", seed=6), cohort, tmp_path / "c")
    assert not same(weights_of(one.network), weights_of(other.network))


@pytest.mark.parametrize("kind", NETWORKS)
def test_four_instances_can_be_learned_by_heart(kind, larger):
    """The whole network, without dropout, drives the loss of four snippets to nothing."""
    job = make_job(kind, dropout=0.0)
    data = gathered(job, larger)
    series = [next(s for s in data.train if s.label == c) for c in job.classes]
    length = job.spec.window_frames
    windows = cut_windows(series, length, length).take(np.array([0, 1, -2, -1]))
    target = torch.tensor([0, 1, 0, 1])  # by heart: the two snippets of an infant differ
    items = InstanceData(series, windows, target.numpy())
    x = torch.stack([items[Draw(k)][0] for k in range(4)])
    torch.manual_seed(0)
    network = job.system.build(job.options, x.shape[2], 2)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    for module in network.modules():  # the Transformer's own dropout, too
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    index = torch.arange(4)
    loss = math.inf
    for _ in range(300):
        if job.system.objective == "instance":
            log_probability = network(x).log_softmax(dim=1)
        else:  # four bags of one instance
            log_probability = network(x, index, 0 * index, index, n_bags=4).bag_log_probability
        value = torch.nn.functional.nll_loss(log_probability, target)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        loss = float(value.detach())
    assert loss < 0.01


def test_description_tells_what_was_done(larger, tmp_path):
    job = make_job("mam_clip")
    result = trained(job, larger, tmp_path)
    said = result.description
    assert said["counts"]["train_infants"] == {"normal": 2, "risk": 2}
    assert said["counts"]["validation_infants"] == {"normal": 1, "risk": 1}
    # 8 s at 25 a second, windows of 60 frames every 12: 12 a recording.
    assert said["counts"]["train_windows"] == 4 * 12
    assert said["counts"]["reference_clips"] == {"fm": 12, "non_fm": 12}
    assert said["reference_infants"] == ["i-ref-normal-0", "i-ref-risk-0"]
    assert [v["label"] for v in said["validation"]] == ["normal", "risk"]
    assert said["threshold"]["rule"] in ("youden", "default")
    history = result.history
    assert history["stage"].tolist() == ["pretrain"] * 3 + ["train"] * said["epochs"]
    losses = history[history["stage"] == "train"]["val_loss"].to_numpy()
    assert losses.argmin() == said["best_epoch"]


def test_windows_with_missing_values_are_counted_and_recordings_named(tmp_path):
    def hole(values):
        for array in values.values():
            array[30:40] = np.nan

    def nothing(values):
        for array in values.values():
            array[::10] = np.nan

    own = Cohort(tmp_path / "c", per_class=3, reference=0)
    write_recording(own.features["dev-normal-0"], True, 8.0, seed=0, change=hole)
    write_recording(own.features["dev-risk-1"], False, 8.0, seed=3, change=nothing)
    entries = [FoldEntry(e.infant, e.label, 1 + e.infant.endswith("2")) for e in own.entries]
    job = make_job("cnn1d", fold=2)
    result = train_fold(job, gathered(job, own, entries=entries), [], tmp_path / "w")
    counts = result.description["counts"]
    assert counts["train_windows_dropped"] > 0
    assert counts["train_windows"] + counts["train_windows_dropped"] == 3 * 6
    left_out = result.description["left_out"]
    assert set(left_out) == {"dev-risk-1", "i-dev-risk-1"}
    assert "no complete window" in left_out["dev-risk-1"]


def test_recordings_with_other_features_are_named(larger, tmp_path):
    """The features of most recordings are the model's; who has more gives these alone."""
    job = make_job("cnn1d")
    train = sorted(gathered(job, larger).labels)
    names = [infant.removeprefix("i-") for infant in train]
    changed = dict(larger.features)
    poorer = [r for r in changed if r != names[0]]
    for recording in poorer:  # most have no wrists
        changed[recording] = tmp_path / f"{recording}.h5"
        write_recording(changed[recording], duration_s=8.0, left_out=("wrist",))
    data = gathered(job, larger, features=changed)
    assert len(data.feature_names) == 42 + 10
    assert {s.values.shape[1] for s in data.train + data.validation} == {52}
    assert data.left_out == {}
    whole = next(s for s in data.train if s.recording == names[0])
    assert whole.mirrored.shape == whole.values.shape
    lacking = dict(larger.features)
    lacking[names[0]] = changed[names[1]]
    data = gathered(job, larger, features=lacking)
    assert len(data.feature_names) == 42 + 12
    assert (
        "learned from angles_2d/left_wrist, angles_2d/right_wrist too" in (data.left_out[names[0]])
    )


def test_the_paper_s_loss_weighs_all_snippets_alike(cohort, tmp_path, monkeypatch):
    seen = []
    original = lit.InstanceClassification.__init__

    def spy(self, network, class_weights, optimiser):
        seen.append(class_weights.tolist())
        original(self, network, class_weights, optimiser)

    monkeypatch.setattr(lit.InstanceClassification, "__init__", spy)
    entries = [e for e in cohort.entries if not (e.fold == 2 and e.label == "risk")]
    kept = next(e for e in cohort.entries if e.fold == 2 and e.label == "risk")
    for weigh in (True, False):
        job = make_job("cnn1d", class_weights=weigh)
        trained(job, cohort, tmp_path / str(weigh), entries=[*entries, kept])
    assert seen[0] == pytest.approx([0.75, 1.5])  # two infants against one
    assert seen[1] == [1.0, 1.0]


@pytest.mark.parametrize("flip", [True, False])
def test_estimators_see_every_snippet_and_its_mirror_image(flip, cohort, tmp_path, monkeypatch):
    seen = []
    system = make_job("svm").system
    original = system.fit.__func__

    def spy(cls, options, data, draws, n_classes, seed):
        seen.extend(draws)
        return original(cls, options, data, draws, n_classes, seed)

    monkeypatch.setattr(system, "fit", classmethod(spy))
    said = trained(make_job("svm", flip=flip), cohort, tmp_path).description
    n = said["counts"]["train_windows"]
    assert seen == [Draw(k, m) for m in ((False, True) if flip else (False,)) for k in range(n)]
    assert said["epochs"] == 0
    assert said["parameters"] > 60 * 54


def test_a_class_without_infants_is_a_message(cohort):
    job = make_job("cnn1d", classes=("normal", "risk", "other"))
    with pytest.raises(ConfigError, match="no training infant of class 'other'"):
        gathered(job, cohort)
    with pytest.raises(ConfigError, match=r"label risk .*none of the classes normal, bad"):
        gathered(make_job("cnn1d", classes=("normal", "bad")), cohort)


def test_divergence_is_a_message(cohort, tmp_path):
    with pytest.raises(FidgetyError, match="learning_rate"):
        trained(make_job("cnn1d", learning_rate=1e30), cohort, tmp_path)


def test_a_gpu_that_is_not_there_is_a_message(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert lit.accelerator_of(TrainingConfig()) == ("cpu", "32-true")
    with pytest.raises(ConfigError, match="torch finds none"):
        lit.accelerator_of(TrainingConfig(device="gpu"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert lit.accelerator_of(TrainingConfig()) == ("gpu", "bf16-mixed")
    assert lit.accelerator_of(TrainingConfig(device="cpu")) == ("cpu", "32-true")


def test_lightning_is_quiet_and_leaves_nothing(cohort, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    trained(make_job("cnn1d"), cohort, tmp_path / "work")
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 4
    assert all(line.startswith("train epoch ") for line in lines)
    assert [p.name for p in tmp_path.iterdir()] == ["work"]
    assert sorted(p.name for p in (tmp_path / "work/train").iterdir()) == ["last.ckpt"]


def test_schedules_follow_the_plan():
    network = torch.nn.Linear(2, 2)

    def rates(plan, epochs):
        module = lit.InstanceClassification(network, torch.ones(2), plan)
        built = module.configure_optimizers()
        if not isinstance(built, dict):
            return [built.param_groups[0]["lr"]] * epochs
        found = []
        for _ in range(epochs):
            found.append(built["optimizer"].param_groups[0]["lr"])
            built["optimizer"].step()
            built["lr_scheduler"]["scheduler"].step()
        return found

    step = rates(OptimiserPlan(schedule="step"), 25)
    np.testing.assert_allclose(step, [1e-3] * 10 + [6e-4] * 10 + [3.6e-4] * 5)
    cyclic = rates(OptimiserPlan("sgd", schedule="cyclic", step_epochs=20), 81)
    assert cyclic[0] == pytest.approx(1e-5)
    assert cyclic[20] == pytest.approx(1e-3)
    assert cyclic[40] == pytest.approx(1e-5)
    assert cyclic[60] == pytest.approx(1e-5 + (1e-3 - 1e-5) / 2)  # triangular2 halves each cycle


def test_epoch_losses_are_means_over_items():
    """Two unequal batches: the weighted mean over all items, not the mean of means."""
    module = lit.InstanceClassification(
        torch.nn.Identity(), torch.tensor([1.0, 3.0]), OptimiserPlan()
    )
    logits, target = torch.randn(5, 2), torch.tensor([0, 1, 1, 0, 1])
    for part in (slice(0, 4), slice(4, 5)):
        module._step("val_loss", (logits[part], target[part]))
    wanted = torch.nn.functional.cross_entropy(logits, target, torch.tensor([1.0, 3.0]))
    assert module.epoch_loss("val_loss") == pytest.approx(float(wanted), rel=1e-5)


def test_early_stopping_takes_the_best_epoch(tmp_path):
    """A validation set that training makes worse: the first epoch's weights are kept."""
    torch.manual_seed(0)
    network = torch.nn.Linear(1, 2)
    x, target = torch.ones(8, 1), torch.zeros(8, dtype=torch.int64)
    plan = TrainingPlan(30, 4, 30, 8, OptimiserPlan(learning_rate=0.1))
    module = lit.InstanceClassification(network, torch.ones(2), plan.optimiser)
    data = torch.utils.data.TensorDataset(x, target)
    against = torch.utils.data.TensorDataset(x, 1 - target)
    fitted = lit.fit(
        module,
        DataLoader(data, 8),
        DataLoader(against, 8),
        plan,
        TrainingConfig(device="cpu"),
        stage="s",
        work=tmp_path,
        seed=1,
    )
    assert fitted.best_epoch == 0
    assert len(fitted.history) == 1 + 4
    loss = torch.nn.functional.cross_entropy(network(x), 1 - target)
    assert float(loss.detach()) == pytest.approx(fitted.history[0]["val_loss"], rel=1e-5)


def test_pretraining_stops_when_it_has_learned_enough(cohort, tmp_path):
    """A loss limit that the first epochs meet; resuming after that trains no further."""
    job = make_job("mam_clip", pretrain_stop_loss=0.9, pretrain_epochs=6)
    first = trained(job, cohort, tmp_path)
    stages = first.history["stage"].tolist()
    assert 0 < stages.count("pretrain") < 6
    assert first.history["train_loss"][stages.count("pretrain") - 1] < 0.9
    for path in (tmp_path / "train").iterdir():
        path.unlink()
    again = trained(job, cohort, tmp_path)
    assert same(weights_of(first.network), weights_of(again.network))


def test_standardisation_of_nobody_is_an_error():
    with pytest.raises(ValueError, match="no series"):
        Standardisation.fit([])


def characteristics(own, **changes):
    """Return complete characteristics of every recording, but for what is changed."""
    whole = {
        "sex": "female",
        "gestational_age_weeks": 38.0,
        "birth_weight_g": 3000.0,
        "corrected_age_weeks": 12.0,
    }
    return {recording: whole | changes.get(recording, {}) for recording in own.features}


def test_an_infant_without_a_characteristic_is_left_out_or_marked(larger):
    job = make_job("mam", info_missing="exclude")
    lacking = next(e.infant for e in larger.entries if e.fold == 2).removeprefix("i-")
    rows = characteristics(larger, **{lacking: {"birth_weight_g": None}})
    data = gathered(job, larger, characteristics=rows)
    assert "birth_weight_g" in data.left_out[lacking]
    assert f"i-{lacking}" not in data.labels | data.validation_labels
    assert all(len(s.info) == 4 for s in data.train)
    kept = gathered(make_job("mam"), larger, characteristics=rows)
    assert f"i-{lacking}" in kept.labels | kept.validation_labels
    (one,) = [s for s in kept.train + kept.validation if s.recording == lacking]
    assert one.info[4:].tolist() == [0.0, 0.0, 1.0, 0.0]
    with pytest.raises(ConfigError, match="characteristics_missing"):
        gathered(job, larger)
    # Without the branch nobody asks.
    free = gathered(make_job("mam", info=False), larger)
    assert all(s.info is None for s in free.train)


def test_characteristics_of_tested_infants_leave_no_trace(larger, tmp_path):
    job = make_job("mam")
    rows = characteristics(larger)
    first = trained(job, larger, tmp_path / "a", characteristics=rows)
    tested = larger.tested(1)[0].removeprefix("i-")
    other = characteristics(larger, **{tested: {"birth_weight_g": 900.0}})
    second = trained(job, larger, tmp_path / "b", characteristics=other)
    assert same(weights_of(first.network), weights_of(second.network))
    mine = next(e.infant for e in larger.entries if e.fold == 2).removeprefix("i-")
    changed = characteristics(larger, **{mine: {"birth_weight_g": 900.0}})
    third = trained(job, larger, tmp_path / "c", characteristics=changed)
    assert not same(weights_of(first.network), weights_of(third.network))


@pytest.mark.parametrize("kind", ["cnn1d", "mam_clip", "mam", "svm"])
def test_what_lies_on_disk_trains_alike(kind, cohort, tmp_path):
    """Not a bit of the model changes."""
    job = make_job(kind)
    plain = trained(job, cohort, tmp_path / "plain")
    shelf = Shelf(tmp_path / "shelf", in_memory_bytes=2000, chunk_bytes=1 << 16)
    other = trained(job, cohort, tmp_path / "other", shelf=shelf)
    assert (tmp_path / "shelf").is_dir(), "nothing was put on disk"
    assert same(weights_of(plain.network), weights_of(other.network))
    assert plain.history.equals(other.history)
