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
    assign_sites,
    choose_validation,
    infant_labels,
    infant_sites,
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


def script_job(folder, n, sites=(), **given):
    """Return a job of the script, and what writes the cohort table that it reads."""

    def cohort(infants, site=lambda k: ""):
        rows = [(f"r{k}", f"i{k}", ("normal", "risk")[k % 2], "ok", site(k)) for k in infants]
        table = pd.DataFrame(rows, columns=["recording", "infant", "label", "status", "site"])
        table.to_csv(folder / "development.tsv", sep="\t", index=False)

    job = SimpleNamespace(
        input=Names(development=str(folder / "development.tsv"), **given),
        output=SimpleNamespace(folds=str(folder / "folds.tsv")),
        params=SimpleNamespace(n=n, seed=5, sites=list(sites)),
    )
    return job, cohort


def test_script_keeps_what_stands_in_its_output(tmp_path):
    job, cohort = script_job(tmp_path, 3)
    cohort(range(10))
    script.main(job)
    assert (tmp_path / "folds.tsv").read_text().startswith("infant\tlabel\tfold\n")
    first = read_folds(job.output.folds)
    cohort(range(14))
    script.main(job)
    second = read_folds(job.output.folds)
    assert set(first) < set(second)
    assert len(second) == 14


SITES = st.text("abcdefgh", min_size=1, max_size=3)


@st.composite
def sited(draw, least=2, most=6):
    """Infant to label and to site; every site has both classes, so that any can be left out."""
    sites = draw(st.lists(SITES, min_size=least, max_size=most, unique=True))
    labels, site_of = {}, {}
    for site in sites:
        for k in range(draw(st.integers(2, 4))):
            labels[f"{site}-{k}"] = "ab"[k % 2]
            site_of[f"{site}-{k}"] = site
    return labels, site_of


def numbers(entries):
    return {e.site: e.fold for e in entries}


@given(sited(), st.randoms(use_true_random=False))
def test_every_site_is_a_fold(own, random):
    labels, site_of = own
    sites = sorted(set(site_of.values()))
    entries = assign_sites(labels, site_of, sites)
    assert {e.infant: e.label for e in entries} == labels
    assert {e.infant: e.site for e in entries} == site_of
    assert numbers(entries) == {site: k for k, site in enumerate(sites, 1)}
    assert all(e.fold == numbers(entries)[site_of[e.infant]] for e in entries)
    items = list(labels.items())
    random.shuffle(items)
    assert assign_sites(dict(items), site_of, reversed(sites)) == entries


@given(sited(most=4), sited(least=1, most=4))
def test_no_site_moves_when_sites_and_infants_are_added(own, others):
    labels, site_of = own
    before = assign_sites(labels, site_of, site_of.values())
    # Names of new sites stand before, among and behind those that there are.
    more = {f"new-{i}": label for i, label in others[0].items()} | labels
    where = {f"new-{i}": site for i, site in others[1].items()} | site_of
    after = assign_sites(more, where, where.values(), before)
    assert set(before) <= set(after)
    assert sorted(numbers(after).values()) == list(range(1, len(set(where.values())) + 1))
    new = sorted(set(where.values()) - set(site_of.values()))
    assert [numbers(after)[s] for s in new] == sorted(numbers(after)[s] for s in new)


@given(sited(least=3), st.data())
def test_a_site_that_leaves_moves_the_last_one_at_most(own, data):
    labels, site_of = own
    before = assign_sites(labels, site_of, site_of.values())
    gone = data.draw(st.sampled_from(sorted(set(site_of.values()))))
    left = {i: label for i, label in labels.items() if site_of[i] != gone}
    after = numbers(assign_sites(left, site_of, {site_of[i] for i in left}, before))
    n = len(after)
    assert sorted(after.values()) == list(range(1, n + 1))
    was = numbers(before)
    assert all(after[site] == was[site] for site in after if was[site] <= n)


def test_an_infant_whose_site_is_corrected_goes_there():
    site_of = {"i0": "x", "i1": "x", "i2": "y", "i3": "y", "i4": "y"}
    labels = {f"i{k}": "ab"[k % 2] for k in range(5)}
    before = assign_sites(labels, site_of, "xy")
    after = assign_sites(labels, site_of | {"i4": "x"}, "xy", before)
    assert {e.infant: e.fold for e in after} == {"i0": 1, "i1": 1, "i2": 2, "i3": 2, "i4": 1}


def test_folds_by_site_and_by_infant_do_not_mix():
    labels = {f"i{k}": "ab"[k % 2] for k in range(8)}
    site_of = {f"i{k}": "xy"[k // 6] for k in range(8)}
    by_site = assign_sites(labels, site_of, "xy")
    assert assign_folds(labels, 2, 1, by_site) == assign_folds(labels, 2, 1)
    by_infant = assign_folds(labels, 2, 1)
    assert assign_sites(labels, site_of, "xy", by_infant) == by_site


def test_a_site_of_one_class_is_a_fold_if_the_others_have_both():
    labels = {"i0": "a", "i1": "b", "i2": "a", "i3": "a"}
    site_of = {"i0": "x", "i1": "x", "i2": "y", "i3": "y"}
    with pytest.raises(ConfigError, match=r"without the site 'x' .* class 'b'"):
        assign_sites(labels, site_of, "xy")
    labels |= {"i4": "b", "i5": "a"}
    site_of |= {"i4": "z", "i5": "z"}
    entries = assign_sites(labels, site_of, "xyz")
    assert {e.label for e in entries if e.site == "y"} == {"a"}
    # Validation is of the others, whose classes are too small here; with more it is never of y.
    rest = {e.infant: e.label for e in entries if e.site != "y"}
    rest |= {f"j{k}": "ab"[k % 2] for k in range(8)}
    kept = choose_validation(rest, 0.2, 1, 2)
    assert kept
    assert not set(kept) & {"i2", "i3"}


def test_a_site_without_assessable_infants_is_named():
    labels = {f"i{k}": "ab"[k % 2] for k in range(4)}
    site_of = {f"i{k}": "xy"[k // 2] for k in range(4)}
    with pytest.raises(ConfigError, match="site 'z' is assessable"):
        assign_sites(labels, site_of, "xyz")
    with pytest.raises(ConfigError, match="no development infant"):
        assign_sites({}, {}, "xy")
    table = pd.DataFrame(
        [("a", "x", "ok"), ("a", "y", "ok"), ("b", "", "ok"), ("c", "", "not assessable")],
        columns=["infant", "site", "status"],
    )
    with pytest.raises(ConfigError) as error:
        infant_sites(table)
    assert str(error.value).splitlines() == [
        "development infant a has the sites x, y; give it one.",
        "development infant b has no site; give it one.",
    ]


def test_tables_by_site_come_back(tmp_path):
    path = tmp_path / "folds.tsv"
    entries = [FoldEntry("007", "normal", 2, "NA"), FoldEntry("8", "risk", 1, "ward 3")]
    write_folds(path, entries)
    assert path.read_text() == (
        "infant\tlabel\tfold\tsite\n007\tnormal\t2\tNA\n8\trisk\t1\tward 3\n"
    )
    assert read_folds(path) == entries


def test_script_keeps_the_numbers_of_sites(tmp_path):
    job, cohort = script_job(tmp_path, 2, ["north", "south"])
    cohort(range(8), lambda k: ("north", "south")[k // 4])
    script.main(job)
    first = read_folds(job.output.folds)
    assert numbers(first) == {"north": 1, "south": 2}
    job.params.sites, job.params.n = ["east", "north", "south"], 3
    cohort(range(12), lambda k: ("north", "south", "east")[k // 4])
    script.main(job)
    second = read_folds(job.output.folds)
    assert set(first) < set(second)
    assert numbers(second) == {"north": 1, "south": 2, "east": 3}
    # The same from a copy, on a machine that has no table yet.
    (tmp_path / "copy.tsv").write_bytes((tmp_path / "folds.tsv").read_bytes())
    (tmp_path / "folds.tsv").unlink()
    job.input.previous = str(tmp_path / "copy.tsv")
    script.main(job)
    assert read_folds(job.output.folds) == second
    # Folds by site are no start for folds by infant.
    job.params.sites = []
    with pytest.raises(ConfigError, match=r"folds\.file: .* folds by site .* by infant"):
        script.main(job)
