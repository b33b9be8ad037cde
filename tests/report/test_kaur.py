"""The page of the study of Kaur 2025: complete, marked where it leaks, safe, reproducible."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup, Tag

from fidgety.datasets.snippet_split import LEAKS
from fidgety.evaluation.plots import figure as blank
from fidgety.evaluation.snippet_space import cosine_similarity
from fidgety.evaluation.snippets import (
    chosen_table,
    left_out_table,
    majority_rows,
    optimism_table,
    speed_rows,
    study_table,
)
from fidgety.report import kaur
from fidgety.report.kaur import Cell, Similarity, Study
from fidgety.report.wording import PHANTOM_BANNER, grid
from fidgety.training.snippet_scores import SnippetScores
from tests.evaluation.test_snippets import Infants, make_scores
from workflow_scripts.report_kaur2025 import read_components

ATTACK = "<script>alert('$x$ & \"y\"')</script>"
HOW = (0.95, 100, 1)
SIZES = ("filters=(32, 64)", "filters=(32, 64, 128)")


def cohort(names: str, seed: int) -> Infants:
    rng = np.random.default_rng(seed)
    return {
        f"{name}{seed}": (k % 2, rng.uniform(0.2, 0.6, 6) + 0.3 * (k % 2))
        for k, name in enumerate(names)
    }


def make_study(scores: list[SnippetScores], **more: object) -> Study:
    speed = {i: float(k) for s in scores for k, i in enumerate(dict.fromkeys(s.internal.infant))}
    speed |= {i: float(k) for s in scores for k, i in enumerate(dict.fromkeys(s.external.infant))}
    made = Study(
        table=study_table(scores, *HOW),
        optimism=optimism_table(scores, *HOW),
        baselines=pd.concat([majority_rows(scores, 0.95), speed_rows(speed, scores, *HOW)]),
        chosen=chosen_table(scores),
        left_out=left_out_table(scores),
        components=components(),
        similarities=[similarity(k, split) for split in ("infant", "snippet") for k in (2, 1)],
        features="both",
        overlap=150,
        confidence=0.95,
        similarity_model="cnn1d",
    )
    return replace(made, **more)


def components() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = [
        (f, fold, part, f"i{k}", ("normal", "abnormal")[k % 2], *rng.normal(size=2))
        for f in ("both",)
        for fold in (1, 2)
        for part, infants in (("train", 4), ("test", 2))
        for k in range(infants)
        for _ in range(5)
    ]
    columns = ["features", "fold", "part", "infant", "label", "component_1", "component_2"]
    return pd.DataFrame(rows, columns=columns)


def similarity(fold: int, split: str) -> Similarity:
    rng = np.random.default_rng(fold)
    infants = tuple(f"i{k // 3}" for k in range(9))
    labels = ("normal",) * 6 + ("abnormal",) * 3
    wrong = np.arange(9) % 4 == 0
    return Similarity(
        fold, split, infants, labels, wrong, cosine_similarity(rng.uniform(size=(9, 4)))
    )


@pytest.fixture(scope="module")
def study() -> Study:
    inside, outside = cohort("abcdef", 1), cohort("xyz", 2)
    scores = [
        make_scores(
            inside,
            outside,
            model=model,
            split=split,
            features=features,
            overlap=overlap,
            candidates=candidates,
        )
        for split in ("snippet", "infant")
        for features, overlap in (("both", 299), ("both", 150), ("angles", 150))
        for model, candidates in (("cnn1d", SIZES), (f"hydra {ATTACK}", ("",)))
    ]
    scores[2] = replace(scores[2], left_out={"i9": f"too short {ATTACK}"})
    scores[2].validation_loss[:, 0] = np.nan
    return make_study(scores)


@pytest.fixture(scope="module")
def html(study: Study) -> str:
    return kaur.page(study, [f"Not so: {ATTACK}"], phantoms=True)


@pytest.fixture(scope="module")
def soup(html: str) -> BeautifulSoup:
    return BeautifulSoup(html, "html.parser")


def rows_of(table: Tag) -> list[list[str]]:
    return [
        [cell.get_text(" ", strip=True) for cell in row.find_all(["td", "th"])]
        for row in table.find_all("tr")
    ]


def section(soup: BeautifulSoup, heading: str) -> Tag:
    found = [h for h in soup.find_all(["h2", "h3"]) if heading in h.get_text()]
    assert len(found) == 1, heading
    return found[0]


def test_the_page_has_every_part(soup: BeautifulSoup) -> None:
    assert soup.title is not None
    assert soup.title.get_text() == "The study of Kaur 2025"
    assert PHANTOM_BANNER in soup.get_text()
    for link in soup.select("nav a"):
        assert soup.find(id=str(link["href"])[1:]) is not None
    assert len(soup.find_all("figure")) == 1 + 1 + 2
    assert all(f.find("figcaption") for f in soup.find_all("figure"))
    assert "n that counts is the number of infants" in soup.get_text()
    assert f"Not so: {ATTACK}" in soup.get_text()
    assert f"too short {ATTACK}" in soup.get_text()
    ids = [str(tag["id"]) for tag in soup.find_all(id=True)]
    assert len(ids) == len(set(ids))


def test_main_table(soup: BeautifulSoup, study: Study) -> None:
    heading = section(soup, "Split by infant, input “both”")
    rows = rows_of(heading.find_next("table"))
    assert [r[0].split()[0] for r in rows[2:]] == ["cnn1d", "hydra", "majority", "mean"]
    table = study.table
    own = table[
        (table["split"] == "infant")
        & (table["features"] == "both")
        & (table["overlap"] == 150)
        & (table["model"] == "cnn1d")
        & (table["candidate"] == "chosen on validation data")
        & (table["set"] == "development")
    ].set_index(["level", "metric"])
    first = own.loc[("snippet", "accuracy")]
    assert rows[2][1].startswith(
        f"{first['value']:.2f} [{first['low']:.2f} to {first['high']:.2f}] "
        "n = 6 infants, 36 snippets fold models: "
    )
    area = own.loc[("infant", "auc")]
    text = f"{area['value']:.2f} [{area['low']:.2f} to {area['high']:.2f}] n = 6 infants"
    assert rows[2][4] == text
    # No figure without its interval and its n.
    for row in rows[2:]:
        assert all(c == "–" or ("[" in c and "n = " in c) for c in row[1:]), row
    assert rows[4][2] == rows[4][3]  # a constant answer, by either rule
    assert rows[5][4] != "–"


def test_what_leaks_is_marked_everywhere(soup: BeautifulSoup, study: Study) -> None:
    for features in ("both", "angles"):
        table = section(soup, f"Published split, by snippet, input “{features}”").find_next("table")
        rows = rows_of(table)
        assert rows[0][-1] == "Leaks"
        assert [r[-1] == LEAKS for r in rows[2:]] == [True, True, False, False]
        assert table.find("caption").get_text() == LEAKS
        fair = section(soup, f"Split by infant, input “{features}”").find_next("table")
        assert LEAKS not in fair.get_text()
    for table in soup.find_all("table"):
        rows = rows_of(table)
        if rows[0][0] == "Split":
            assert rows[0][-1] == "Leaks"
            for row in rows[1:]:
                assert (row[0] == "Published split, by snippet") == (row[-1] == LEAKS)
    optimism = rows_of(section(soup, "How much the published split flatters").find_next("table"))
    assert len(optimism) == 1 + 6 * 3
    assert {r[3] for r in optimism[1:]} == {name for _, _, name in kaur.SHOWN[:3]}
    assert all(r[-1] == LEAKS for r in optimism[1:])
    # The sweep, the components by infant, the heat maps of both splits.
    for part in ("svg", "figcaption"):
        marks = [LEAKS in f.find(part).get_text() for f in soup.find_all("figure")]
        assert marks == [True, False, False, True]
    text = kaur.text_table(study)
    blocks = [b for b in text.split("\n\n") if b.startswith("Published split")]
    assert len(blocks) == 4
    for block in blocks:
        lines = block.split("\n")
        assert lines[0].endswith(LEAKS)
        assert [line.endswith(LEAKS) for line in lines[2:4]] == [True, True]


def test_nothing_of_the_user_becomes_markup(html: str, soup: BeautifulSoup) -> None:
    assert "<script>alert" not in html
    assert len(soup.find_all("script")) == 1
    # In a figure, too: dollars start no formula, markup stays text.
    svg = soup.select_one("#sweep + figure svg")
    assert ATTACK in svg.get_text()


def test_equal_figures_give_equal_bytes(study: Study, html: str) -> None:
    again = replace(study, similarities=list(reversed(study.similarities)))
    assert kaur.page(again, [f"Not so: {ATTACK}"], phantoms=True) == html


def test_the_sweep_shows_overlaps_snippets_and_the_main_figures(study: Study) -> None:
    svg = kaur.draw_sweep(study)
    texts = re.findall(r"<text [^>]*>([^<]*)</text>", svg)
    whole = " ".join(texts)
    for words in ("299", "150", "36", "Split by infant", "Published split, by snippet"):
        assert words in whole
    row = study.table[
        (study.table["split"] == "infant")
        & (study.table["features"] == "both")
        & (study.table["overlap"] == 150)
        & (study.table["level"] == "snippet")
        & (study.table["set"] == "development")
        & (study.table["candidate"] == "chosen on validation data")
    ].iloc[0]
    label = f"cnn1d: {row['value']:.2f} ({row['low']:.2f} to {row['high']:.2f}), n = 6 infants"
    assert label in texts
    bold = re.search(rf"<text style=\"[^\"]*\"[^>]*>{re.escape(label)}", svg)
    assert bold is not None
    assert "bold" in bold[0] or "700" in bold[0]


def test_the_other_inputs_are_not_in_the_sweep(study: Study, soup: BeautifulSoup) -> None:
    rows = rows_of(soup.select_one("#sweep ~ details table"))
    assert len(rows) == 1 + 2 * 2 * 2
    assert {r[1] for r in rows[1:]} == {"299", "150"}
    angles = kaur.draw_sweep(replace(study, features="angles"))
    assert "299" not in re.findall(r"<text [^>]*>([^<]*)</text>", angles)


def test_what_each_fold_chose(soup: BeautifulSoup) -> None:
    rows = rows_of(section(soup, "Options").find_next("table"))
    assert rows[0][4:6] == ["Fold 1", "Fold 2"]
    assert {r[3] for r in rows[1:]} == {"cnn1d"}  # the other model has no choice
    assert [r[4] for r in rows[1:]].count(f"{SIZES[0]} (no validation data)") == 1


def test_downloads_are_the_tables(soup: BeautifulSoup, study: Study) -> None:
    links = {str(a["download"]): str(a["href"]) for a in soup.select("a[download]")}
    content = base64.b64decode(links["kaur2025.tsv"].split(",")[1]).decode()
    back = pd.read_csv(io.StringIO(content), sep="\t", keep_default_na=False)
    assert len(back) == len(study.table)
    assert set(back.loc[back["split"] == "snippet", "leaks"]) == {LEAKS}
    assert len(links) == 6
    many = replace(study, components=pd.concat([study.components] * 400))
    names = [d.name for d in kaur._downloads(many)]
    assert "kaur2025-components.tsv" not in names


def test_without_external_infants_and_without_the_published_split() -> None:
    study = make_study(
        [make_scores(cohort("abcd", 1))], similarities=[], components=components().iloc[:0]
    )
    html = kaur.page(study, [], phantoms=False)
    assert LEAKS not in html
    assert PHANTOM_BANNER not in html
    assert "How much the published split" not in html
    assert "None were computed." in html
    text = kaur.text_table(study, ["A note."])
    assert "no infants in this set" in text
    assert LEAKS not in text
    assert text.endswith("A note.\n")
    assert "There are no components" in kaur.draw_components(study)
    assert "No snippets were compared" in kaur.draw_similarity([])


def test_without_any_result() -> None:
    study = make_study([make_scores({})], similarities=[], components=components().iloc[:0])
    rows = rows_of(BeautifulSoup(kaur.page(study, [], phantoms=False), "html.parser").table)
    assert rows[2][:2] == ["cnn1d", "– n = 0 infants, 0 snippets"]
    assert "No development snippet was judged" in kaur.draw_sweep(study)
    empty = replace(study, table=study.table.iloc[:0], chosen=study.chosen.iloc[:0])
    assert "No snippet was judged" in kaur.page(empty, [], phantoms=False)
    assert "No development snippet was judged" in kaur.draw_sweep(empty)
    assert kaur.sweep_table(empty).empty


def refused_study() -> Study:
    inside, outside = cohort("abcd", 1), cohort("xy", 2)
    refused = make_scores({}, model="svm", candidates=SIZES)
    refused = replace(refused, left_out={f"svm, fold {k}": "not trained: 9 GB" for k in (1, 2)})
    refused.validation_loss[:] = refused.threshold[:] = np.nan
    partly = make_scores(inside, outside, model="vit")
    fold = partly.internal.fold == 2
    partly.internal.probability[0, 0, fold] = partly.external.probability[0, 1] = np.nan
    partly.validation_loss[0, 1] = partly.threshold[0, 1] = np.nan
    unchosen = make_scores(inside, outside, model="lstm", candidates=SIZES)
    unchosen.validation_loss[:, 1] = np.nan
    other = make_scores({}, model="svm", features="angles")
    other.threshold[:] = np.nan
    return make_study([refused, partly, unchosen, other])


def test_refused_models_are_told_of() -> None:
    study = refused_study()
    soup = BeautifulSoup(kaur.page(study, [], phantoms=False), "html.parser")
    rows = rows_of(section(soup, "Split by infant, input “both”").find_next("table"))
    names = [r[0] for r in rows[2:]]
    assert names[:3] == [
        "svm options chosen on validation data; no model in 2 of 2 folds",
        "vit no model in 1 of 2 folds",
        "lstm options chosen on validation data; none in 1 of 2 folds: the first of the grid",
    ]
    assert rows[2][1] == "– n = 0 infants, 0 snippets"
    assert rows[3][1].startswith("– n = 4 infants")
    assert rows[3][5].startswith("0.")
    assert "fold models: " in rows[3][5]
    alone = rows_of(section(soup, "Split by infant, input “angles”").find_next("table"))
    assert [r[0] for r in alone[2:]] == ["svm no model in 2 of 2 folds"]
    left_out = rows_of(section(soup, "Left out").find_next("table"))
    assert left_out[1] == ["both", "150", "Split by infant", "svm, fold 1", "not trained: 9 GB"]
    chosen = rows_of(section(soup, "Options").find_next("table"))
    assert chosen[1][4:6] == ["none was trained"] * 2
    assert chosen[2][4:6] == [SIZES[0], f"{SIZES[0]} (no validation data)"]
    assert "took the first of the grid" in soup.get_text()
    text = kaur.text_table(study)
    assert "svm: options chosen on validation data; no model in 2 of 2 folds" in text
    assert re.search(r"^svm +– +– +– +– +0 infants, 0 snippets$", text, re.MULTILINE)
    assert "svm: no figure, n = 0 infants" in kaur.draw_sweep(study)


def test_no_network_no_similarity() -> None:
    study = make_study([make_scores(cohort("abcd", 1))], similarities=[], similarity_model=None)
    soup = BeautifulSoup(kaur.page(study, [], phantoms=False), "html.parser")
    assert soup.find(id="similarity") is None
    assert all(soup.find(id=str(link["href"])[1:]) for link in soup.select("nav a"))
    assert "Similarity" not in soup.get_text()
    svg = kaur.draw_similarity(study.similarities, "infant")
    assert "No snippets were compared: no trained network" in svg


def test_no_speed_says_why() -> None:
    scores = [make_scores(cohort("abcd", 1))]
    study = make_study(scores, baselines=speed_rows({}, scores, *HOW))
    why = "no infant has coordinates_2d or coordinates_3d in the main line's features"
    assert f"mean speed: {why}" in kaur.text_table(study)
    soup = BeautifulSoup(kaur.page(study, [], phantoms=False), "html.parser")
    assert f"mean speed baseline {why}" in [r[0] for r in rows_of(soup.table)]


def test_the_data_of_figure_2(study: Study) -> None:
    table = kaur.sweep_table(study)
    assert list(table.columns) == list(kaur.SWEEP_COLUMNS)
    assert list(dict.fromkeys(table["split"])) == ["infant", "snippet", ""]
    assert len(table) == 2 * 2 * 2 + 2
    assert set(table.loc[table["split"] == "", "model"]) == {"majority class"}
    assert set(table.loc[table["split"] == "snippet", "leaks"]) == {LEAKS}
    assert set(table["overlap"]) == {299, 150}
    assert table["value"].between(table["low"], table["high"]).all()


def test_components_that_were_refused() -> None:
    study = make_study(
        [
            make_scores(cohort("abcd", 1), features=features, n_folds=3)
            for features in ("coordinates", "both")
        ]
    )
    svg = kaur.draw_components(study)
    for panel in ("both, fold 1", "both, fold 3", "coordinates, fold 2"):
        assert panel in svg
    assert svg.count("not computed") == 4  # one input's three folds, and a third fold
    assert svg.count("n = 0 + 0 infants, 0 + 0 snippets") == 4


def test_components_are_read_as_they_are_written(tmp_path: Path) -> None:
    head = "infant\trecording\tstart_s\tlabel\tfeatures\tfold\tpart\tcomponent_1\tcomponent_2\n"
    row = "{0}\t{0}-r\t0\tNA\t1e3\t2\ttrain\t0.25\t\n"
    paths = [tmp_path / "a.tsv", tmp_path / "b.tsv"]
    paths[0].write_text(head)
    paths[1].write_text(head + "".join(row.format(i) for i in ("007", "1e3", "NA")))
    table = read_components(paths)
    assert list(table["infant"]) == ["007", "1e3", "NA"]
    assert set(table["label"]) == {"NA"}
    assert set(table["features"]) == {"1e3"}
    assert list(table["fold"]) == [2, 2, 2]
    assert list(table["component_1"]) == [0.25] * 3
    assert table["component_2"].isna().all()
    nothing = read_components(paths[:1])
    assert nothing.empty
    scores = [make_scores(cohort("abcd", 1))]
    assert "There are no" in kaur.draw_components(make_study(scores, components=nothing))
    assert "no components" in kaur.draw_components(
        make_study(scores, components=table.assign(component_1=np.nan))
    )


def test_undefined_figures_are_dashes() -> None:
    study = make_study([make_scores({"a": (0, [0.1, 0.9]), "b": (0, [0.2])})])
    rows = [r for r in kaur.text_table(study).split("\n") if r.startswith("cnn1d")]
    assert len(rows) == 1
    assert " – " in rows[0]
    assert (
        Cell.of(
            {"value": np.nan, "low": np.nan, "high": np.nan, "n_infants": 1, "level": "infant"}
        ).line
        == "–"
    )


def test_components_that_do_not_differ_or_are_not_there() -> None:
    table = components()
    table.loc[table["label"] == "normal", "component_2"] = 0.25
    table.loc[table["fold"] == 1, ["component_1", "component_2"]] = np.nan
    table.loc[table["infant"] == "i3", "label"] = "absent"
    svg = kaur.draw_components(make_study([make_scores(cohort("abcd", 1))], components=table))
    assert "no components" in svg
    assert "n = 4 + 2 infants, 20 + 10 snippets" in svg
    assert all(name in svg for name in ("normal", "abnormal", "absent"))


def test_heat_map_marks_infants_and_mistakes(monkeypatch: pytest.MonkeyPatch) -> None:
    one = similarity(1, "infant")
    with blank(3, 3) as drawing:
        axes = drawing.axes[0]
        kaur._draw_infants(axes, one)
        labels = [t.get_text() for t in axes.get_yticklabels()]
        assert labels == ["i0, normal", "i1, normal", "i2, abnormal"]
        assert list(axes.get_xticks()) == [1, 4, 7]
        dots = [line for line in axes.lines if line.get_marker() == "o"]
        assert list(dots[0].get_ydata()) == [0, 4, 8]
        assert list(dots[1].get_xdata()) == [0, 4, 8]
        assert min(dots[0].get_xdata()) > 8.5  # outside, to the right
        assert max(dots[1].get_ydata()) < -0.5  # and above
        between = [line for line in axes.lines if line.get_marker() != "o"]
        assert [line.get_color() for line in between] == ["#ffffff"] * 2 + ["#000000"] * 2
    svg = kaur.draw_similarity([one])
    assert svg.count("<image") >= 1  # rasterised: no rectangle a cell
    assert "fold 1: n = 3 infants, 9 snippets, 3 wrong" in svg
    negative = replace(one, similarity=-one.similarity + 2 * np.eye(9))
    assert "−1.0" in kaur.draw_similarity([negative])
    empty = Similarity(1, "infant", (), (), np.empty(0, bool), np.empty((0, 0)))
    assert "No snippets were compared" in kaur.draw_similarity([empty])


def test_grid_lays_out_columns() -> None:
    assert grid(["a", "bb"], [["long", "1"]]) == ["a     bb", "long   1"]


def test_heat_maps_have_their_data_as_a_table() -> None:
    maps = [similarity(2, "infant"), similarity(1, "infant"), similarity(1, "snippet")]
    table = kaur.similarity_table(maps, "infant")
    assert table["fold"].tolist() == [1] * 9 + [2] * 9
    assert table["snippet"].tolist() == [*range(1, 10)] * 2
    values = table.loc[table["fold"] == 1, [f"similarity_{k}" for k in range(1, 10)]]
    np.testing.assert_allclose(values, maps[1].similarity, atol=1e-4)
    assert kaur.similarity_table([], "infant").empty
