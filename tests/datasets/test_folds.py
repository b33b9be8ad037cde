"""Folds: laws over arbitrary cohorts, and the messages for users."""

from collections import Counter
from types import SimpleNamespace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fidgety.datasets.folds import (
    FoldEntry,
    assign_folds,
    choose_validation,
    infant_labels,
    read_folds,
    read_previous_folds,
    write_folds,
)
from fidgety.errors import ConfigError, StorageError
from workflow_scripts import assign_folds as script

IDS = st.text("abcdefghij0123456789-_", min_size=1, max_size=6)


@st.composite
def cohorts(draw, least=5):
    """Infant to label: two or three classes, at least ``least`` infants each."""
    ids = draw(st.lists(IDS, min_size=3 * least, max_size=45, unique=True))
    n_classes = draw(st.integers(2, 3))
    labels = {i: f"class-{k % n_classes}" for k, i in enumerate(ids[: n_classes * least])}
    for i in ids[n_classes * least :]:
        labels[i] = f"class-{draw(st.integers(0, n_classes - 1))}"
    return labels


class Names(SimpleNamespace):
    """Snakemake's named lists: by attribute, and ``get``."""

    def get(self, name, default=None):
        return getattr(self, name, default)


def spread(counts):
    return max(counts) - min(counts)


@given(cohorts(), st.integers(2, 5), st.integers(0, 2**31))
def test_folds_are_balanced_by_class_and_in_total(labels, n, seed):
    entries = assign_folds(labels, n, seed)
    assert {e.infant: e.label for e in entries} == labels
    folds = range(1, n + 1)
    assert {e.fold for e in entries} == set(folds)
    assert spread([sum(e.fold == k for e in entries) for k in folds]) <= 1
    for label in set(labels.values()):
        own = [sum(e.fold == k and e.label == label for e in entries) for k in folds]
        assert spread(own) <= 1
        assert min(own) >= 1


@given(cohorts(), st.integers(2, 5), st.randoms(use_true_random=False))
def test_order_of_the_table_does_not_matter(labels, n, random):
    shuffled = list(labels.items())
    random.shuffle(shuffled)
    assert assign_folds(dict(shuffled), n, 7) == assign_folds(labels, n, 7)


@given(cohorts(), st.integers(2, 5), st.data())
def test_nobody_moves_when_infants_are_added_or_relabelled(labels, n, data):
    new = data.draw(st.lists(IDS.map(lambda i: "new" + i), max_size=10, unique=True))
    before = assign_folds(labels, n, 3)
    more = labels | dict.fromkeys(new, "class-0")
    after = {e.infant: e.fold for e in assign_folds(more, n, 3, before)}
    assert all(after[e.infant] == e.fold for e in before)
    own = Counter(after[i] for i, label in more.items() if label == "class-0")
    assert spread([own[k] for k in range(1, n + 1)]) <= 1
    # One infant's label is corrected: the class must still suffice.
    infant = data.draw(st.sampled_from(sorted(labels)))
    changed = labels | {infant: "class-1"}
    if min(Counter(changed.values()).values()) >= n:
        again = {e.infant: e.fold for e in assign_folds(changed, n, 3, before)}
        assert all(again[e.infant] == e.fold for e in before)


def test_seed_and_number_of_folds_matter():
    labels = {f"i{k}": "ab"[k % 2] for k in range(40)}
    first = assign_folds(labels, 5, 1)
    assert assign_folds(labels, 5, 2) != first
    # Another number of folds deals anew, as if there had been none.
    assert assign_folds(labels, 4, 1, first) == assign_folds(labels, 4, 1)


def test_infants_that_leave_take_their_row_along():
    labels = {f"i{k}": "ab"[k % 2] for k in range(12)}
    before = assign_folds(labels, 3, 1)
    fewer = {i: label for i, label in labels.items() if i not in ("i0", "i1")}
    kept = [e for e in before if e.infant in fewer]
    assert assign_folds(fewer, 3, 1, before) == kept


def test_too_few_infants_say_what_to_set():
    labels = {f"i{k}": "normal" for k in range(9)} | {f"r{k}": "risk" for k in range(3)}
    with pytest.raises(ConfigError, match=r"'risk' has 3 .*folds\.n = 5.* to at most 3"):
        assign_folds(labels, 5, 1)
    assert len(assign_folds(labels, 3, 1)) == 12
    with pytest.raises(ConfigError, match="at least 2: add infants"):
        assign_folds({"a": "normal", "b": "normal", "c": "risk"}, 2, 1)
    with pytest.raises(ConfigError, match="at least two classes"):
        assign_folds({"a": "normal", "b": "normal"}, 2, 1)
    with pytest.raises(ConfigError, match="no development infant"):
        assign_folds({}, 2, 1)


@given(cohorts(least=3), st.floats(0.05, 0.95), st.integers(1, 5))
def test_validation_takes_from_every_class_and_leaves_enough(labels, share, fold):
    chosen = choose_validation(labels, share, 11, fold)
    count, own = Counter(labels.values()), Counter(labels[i] for i in chosen)
    for label, n in count.items():
        assert 1 <= own[label] <= n - 2
        assert abs(own[label] - share * n) <= 1.5 or own[label] in (1, n - 2)
    assert choose_validation(dict(reversed(labels.items())), share, 11, fold) == chosen


def test_classes_that_are_too_small_give_no_validation():
    three, two = {f"a{k}": "a" for k in range(9)}, {f"b{k}": "b" for k in range(2)}
    assert choose_validation(three | two, 0.2, 1, 1) == ()
    assert choose_validation(three | {f"d{k}": "d" for k in range(9)}, 0, 1, 1) == ()
    third = three | two | {f"c{k}": "c" for k in range(3)}
    assert {i[0] for i in choose_validation(third, 0.2, 1, 1)} == {"a", "c"}


def test_labels_of_a_cohort_table():
    table = pd.DataFrame(
        [
            ("r1", "a", "normal", "ok"),
            ("r2", "a", "normal", "ok"),
            ("r3", "b", "risk", "ok"),
            ("r4", "c", "risk", "not assessable"),
        ],
        columns=["recording", "infant", "label", "status"],
    )
    assert infant_labels(table) == {"a": "normal", "b": "risk"}
    table.loc[1, "label"] = "risk"
    table.loc[2, "label"] = ""
    with pytest.raises(ConfigError) as error:
        infant_labels(table)
    assert "a has the labels normal, risk" in str(error.value)
    assert "b has no label" in str(error.value)


def test_tables_come_back(tmp_path):
    path = tmp_path / "folds.tsv"
    assert read_previous_folds(path) == []
    entries = [FoldEntry("007", "normal", 1), FoldEntry("NA", "risk", 2)]
    write_folds(path, entries)
    assert path.read_text() == "infant\tlabel\tfold\n007\tnormal\t1\nNA\trisk\t2\n"
    assert read_folds(path) == read_previous_folds(path) == entries
    path.write_text("infant\tfold\n007\tx\n")
    with pytest.raises(StorageError, match="Delete it"):
        read_folds(path)


def test_script_keeps_what_stands_in_its_output(tmp_path):
    def cohort(n):
        rows = [(f"r{k}", f"i{k}", ("normal", "risk")[k % 2], "ok") for k in range(n)]
        table = pd.DataFrame(rows, columns=["recording", "infant", "label", "status"])
        table.to_csv(tmp_path / "development.tsv", sep="\t", index=False)

    job = SimpleNamespace(
        input=Names(development=str(tmp_path / "development.tsv")),
        output=SimpleNamespace(folds=str(tmp_path / "folds.tsv")),
        params=SimpleNamespace(n=3, seed=5),
    )
    cohort(10)
    script.main(job)
    first = read_folds(job.output.folds)
    cohort(14)
    script.main(job)
    second = read_folds(job.output.folds)
    assert set(first) < set(second)
    assert len(second) == 14
