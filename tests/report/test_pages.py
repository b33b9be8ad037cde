from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from bs4 import BeautifulSoup, Tag

from fidgety.errors import Reason
from fidgety.report import wording
from fidgety.report.pages import environment
from tests.report.conftest import ATTACK, SECRET_LABEL, SECRET_PATH, Site

LINKS = ("href", "src", "action", "poster", "data", "srcset", "xlink:href", "formaction")


def soup(html: str) -> BeautifulSoup:
    return BeautifulSoup(html, "html.parser")


def every_page(site: Site) -> list[tuple[Path, BeautifulSoup]]:
    return [
        (path, soup(path.read_text(encoding="utf-8")))
        for path in (site.index, *site.pages.values())
    ]


def one(page: BeautifulSoup, selector: str) -> Tag:
    found = page.select_one(selector)
    assert found is not None, selector
    return found


def table_after(page: BeautifulSoup, heading: str) -> list[list[str]]:
    """The rows of the first table after a heading."""
    title = next(h for h in page.find_all(["h2", "h3"]) if h.get_text() == heading)
    table = title.find_next("table")
    assert isinstance(table, Tag)
    return [
        [cell.get_text(" ", strip=True) for cell in row.find_all(["th", "td"])]
        for row in table.find_all("tr")
    ]


def test_no_page_names_another_host(site: Site) -> None:
    for path, page in every_page(site):
        for tag in page.find_all(True):
            for name in LINKS:
                link = tag.get(name)
                if not link:
                    continue
                parts = urlsplit(str(link))
                assert parts.scheme in ("", "data"), f"{path.name}: {tag.name} {name}={link[:80]}"
                assert not parts.netloc, f"{path.name}: {link[:80]}"
        styles = " ".join(s.get_text() for s in page.find_all("style"))
        styles += " ".join(str(t.get("style", "")) for t in page.find_all(True))
        assert "@import" not in styles
        assert all(u.startswith("#") for u in re.findall(r"url\(['\"]?([^)'\"]*)", styles))
        assert not page.select("iframe, object, embed, link[rel=stylesheet], script[src]")


def test_local_links_lead_somewhere(site: Site) -> None:
    for path, page in every_page(site):
        ids = {str(t["id"]) for t in page.find_all(id=True)}
        for tag in page.find_all(True):
            for name in ("href", "src", "xlink:href"):
                link = str(tag.get(name) or "")
                if not link or link.startswith("data:"):
                    continue
                if link.startswith("#"):
                    assert link[1:] in ids, f"{path.name}: {link}"
                else:
                    assert (path.parent / link).is_file(), f"{path.name}: {link}"
        for tag in page.find_all(attrs={"aria-labelledby": True}):
            assert str(tag["aria-labelledby"]) in ids


def test_ids_are_unique(site: Site) -> None:
    for path, page in every_page(site):
        ids = [str(t["id"]) for t in page.find_all(id=True)]
        assert len(ids) == len(set(ids)), path.name


def test_everything_from_users_is_escaped(site: Site) -> None:
    for path, page in every_page(site):
        assert not page.find_all("img"), path.name
        handlers = [t for t in page.find_all(True) if any(k.startswith("on") for k in t.attrs)]
        assert not handlers, path.name
        assert ATTACK in page.get_text(), path.name
    index = soup(site.text())
    assert ATTACK in one(index, "h1").get_text()  # title
    assert ATTACK in one(index, "#cohort ~ details").get_text()  # free text of the sheet
    page = soup(site.text("e1"))
    assert ATTACK in one(page, "svg.marks title").get_text()  # annotated movement
    assert ATTACK in one(soup(site.text("d5")), ".stop").get_text()  # detail of a reason


def test_only_our_script_may_run(site: Site) -> None:
    for path, page in every_page(site):
        policy = str(one(page, 'meta[http-equiv="Content-Security-Policy"]')["content"])
        assert "default-src 'none'" in policy
        scripts = page.find_all("script")
        assert len(scripts) == 1, path.name
        digest = hashlib.sha256(scripts[0].get_text().encode()).digest()
        assert f"script-src 'sha256-{base64.b64encode(digest).decode()}'" in policy


def test_autoescape_is_on_whatever_the_name() -> None:
    made = environment().from_string("<p title='{{ x }}'>{{ x }}</p>").render(x="'<b>")
    assert made == "<p title='&#39;&lt;b&gt;'>&#39;&lt;b&gt;</p>"


def test_phantoms_are_announced_on_every_page_and_only_they(site: Site, plain_site: Site) -> None:
    for _, page in every_page(site):
        assert wording.PHANTOM_BANNER in page.get_text()
    for _, page in every_page(plain_site):
        assert wording.PHANTOM_BANNER not in page.get_text()


def test_every_page_says_what_it_is_not(site: Site) -> None:
    for _, page in every_page(site):
        assert wording.LIMITS in page.get_text()
    assert wording.WHAT_IT_IS_NOT in soup(site.text()).get_text()


def test_models_table_shows_figures_with_interval_and_n(site: Site) -> None:
    summary = json.loads((site.folder / "evaluation" / "summary.json").read_text())
    page = soup(site.text())
    for heading, role in (
        ("Development (cross-validated)", "development"),
        ("External (tested, never trained on)", "external"),
    ):
        section = one(page, "#models")
        title = next(h for h in section.find_all_next("h3") if h.get_text() == heading)
        rows = [
            [c.get_text(" ", strip=True) for c in r.find_all(["th", "td"])]
            for r in title.find_next("table").find_all("tr")  # type: ignore[union-attr]
        ]
        assert rows[0][:4] == ["Model", "AUC", "Accuracy", "Sensitivity"]
        by_model = {r[0]: r for r in rows[1:]}
        for m in summary["metrics"]:
            if m["set"] != role or m["metric"] != "auc":
                continue
            cell = by_model[m["model"]][1]
            figures = f"{m['value']:.2f} [{m['low']:.2f} to {m['high']:.2f}] n = {m['n']}"
            if role == "development" and m["folds"]:
                figures += f" mean of {m['folds']} fold: {m['fold_mean']:.2f}"
            assert cell == figures
        # Kaur's rule decides without a score: it has no area.
        assert by_model["cnn1d, 60 % rule"][1] == "–"
        assert "n = " in by_model["cnn1d, 60 % rule"][2]
    assert "pools the scores of different fold models" in page.get_text()


def test_sets_without_infants_are_said(plain_site: Site) -> None:
    page = soup(plain_site.text())
    title = next(
        h
        for h in one(page, "#models").find_all_next("h3")
        if h.get_text() == "External (tested, never trained on)"
    )
    following = title.find_next("p")
    assert following is not None
    assert following.get_text() == "No infants in this set."


def test_infants_table_has_everybody_with_link_words_and_reason(site: Site) -> None:
    rows = table_after(soup(site.text()), "Infants")
    by_key = {(r[0], r[3]): r for r in rows[1:]}
    assert len(by_key) == len(rows) - 1 == 2 * 10
    assert by_key["d2", "cnn1d"][4:] == [
        "ok",
        "0.80",
        "one",
        "0.50",
        "Movements more like the group “risk”",
        "12",
        "yes",
    ]
    assert by_key["e1", "cnn1d"][6] == "0.20 to 0.40"
    assert by_key["n1", "cnn1d"][2] == "–"
    assert "Undecided: 2 of 3 fold models" in by_key["n1", "cnn1d"][8]
    assert by_key["d5", "cnn1d"][4] == "not assessable"
    assert "shorter than the configured minimum" in by_key["d5", "cnn1d"][8]
    assert "longest run 3.0 s" in by_key["d6", "mam_clip"][8]
    links = {str(a["href"]) for a in soup(site.text()).select("table.sortable a")}
    assert links == {f"infants/{i}.html" for i in site.pages}
    # Some have no page, and the study's page tells how to make it.
    assert "snakemake results/report/infants/ID.html" in site.text()


def test_not_assessable_table(site: Site) -> None:
    rows = table_after(soup(site.text()), "Not assessable")
    assert [r[0] for r in rows[1:]] == ["d5-r", "d7-r"]
    assert rows[2][4] == "corrected age 31 weeks, at most 20"


def test_what_became_of_infants_is_told_in_words(site: Site) -> None:
    page = soup(site.text())
    table = next(
        c for c in page.find_all("caption") if c.get_text() == "What became of the infants"
    )
    rows = [[c.get_text() for c in row.find_all("td")] for row in table.parent.find_all("tr")]
    told = {(row[0], row[1]): row[5] for row in rows[1:]}["mam_clip", "development"]
    assert "No window of the model's length is free of missing values: 1" in told
    assert "The recording is shorter than the configured minimum: 1" in told
    assert not {reason.value for reason in Reason} & set(re.split(r"\W+", told))


def test_what_is_odd_about_recordings_is_listed(site: Site) -> None:
    rows = [
        [c.get_text(" ", strip=True) for c in r.find_all(["th", "td"])]
        for r in one(soup(site.text()), "table#findings").find_all("tr")
    ]
    assert rows[1:] == [["d2-r", "d2", "development", f"intervals behind its end {ATTACK}"]]


def test_infants_lost_at_a_model_are_listed_and_counted(site: Site, plain_site: Site) -> None:
    for made in (site, plain_site):
        page = soup(made.text())
        rows = [
            [c.get_text(" ", strip=True) for c in r.find_all(["th", "td"])]
            for r in one(page, "table#lost").find_all("tr")
        ]
        assert [r[:3] for r in rows[1:]] == [["d6", "development", "mam_clip"]]
        assert rows[1][4] == "longest run 3.0 s"
        assert "Every recording gave usable tracks" not in page.get_text()
        boxes = [li.get_text(" ", strip=True) for li in page.select(".flow li.step")]
        assert any(b.startswith("With a result of cnn1d: 5 infants") for b in boxes)
        lost = next(b for b in boxes if b.startswith("With a result of mam_clip: 4 infants"))
        assert "1: No window of the model's length" in lost


def test_labels_of_new_infants_are_nowhere(site: Site) -> None:
    assert SECRET_LABEL not in site.text()
    assert SECRET_LABEL not in site.text("n1")
    tables = [
        base64.b64decode(str(a["href"]).split("base64,", 1)[1]).decode()
        for a in soup(site.text()).select("a[download]")
    ]
    assert not any(SECRET_LABEL in t or SECRET_PATH in t for t in tables)
    assert SECRET_PATH not in site.text()
    assert "n1-r" in site.text()
    for path in (site.folder / "report" / "figures" / "n1").iterdir():
        assert SECRET_LABEL not in path.read_text(encoding="utf-8")


def test_cohort_paths_and_methods(site: Site) -> None:
    page = soup(site.text())
    text = page.get_text(" ", strip=True)
    methods = text[text.index("Made from the configuration") :]
    assert "modified Akima interpolation" in methods
    assert "Keypoints of 2 recordings came from tracks of other programs." in methods
    assert "somebody else in view for more than" in methods
    for author in ("Kaur M", "Gao Q", "Bazarevsky V", "Akima H", "Mölder F"):
        assert author in methods
    assert "cleaning.max_gap_s" in methods
    assert "models.cnn1d.options.note" in methods


def test_downloads_are_the_files_themselves(site: Site) -> None:
    found = {}
    for link in soup(site.text()).select("a[download]"):
        content = base64.b64decode(str(link["href"]).split("base64,", 1)[1])
        found[str(link["download"])] = content
    for name in ("summary.json", "metrics.tsv", "infants.tsv", "roc.svg", "calibration.svg"):
        assert found[name] == (site.folder / "evaluation" / name).read_bytes()
    assert "development.tsv" in found


def test_infant_page_plays_the_video_over_the_timeline(site: Site) -> None:
    page = soup(site.text("e1"))
    assert str(one(page, ".recording video")["src"]) == "../media/e1-r.mp4"
    sliders = page.select(".strip")
    strips = [one_ for one_ in sliders if "lanes" not in one_["class"]]
    annotated = [one_ for one_ in strips if one_.select("svg.marks")]
    assert (len(strips), len(annotated), len(sliders)) == (3, 1, 5)
    for slider in sliders:
        assert slider["role"] == "slider"
        assert slider["tabindex"] == "0"
        assert {str(svg["viewbox"]) for svg in slider.select("svg")} == {"0 0 45.000 1"}, (
            "one axis for all"
        )
        assert len(slider.select("line.now")) == len(slider.select("svg"))
    # Where what was annotated lies is told to readers of the screen too.
    (slot,) = json.loads(str(annotated[0]["data-slots"]))
    assert slot[:2] == [3.0, 14.0]
    assert slot[2].startswith("fidgety")
    for strip in strips:
        if strip in annotated:
            continue
        slots = strip.select("rect.slot")
        assert len(slots) == 8
        edges = [(float(str(s["data-left"])), float(str(s["data-right"]))) for s in slots]
        assert edges[0][0] == 0
        assert edges[-1][1] == 45
        for (_, right), (left, _) in itertools.pairwise(edges):
            assert right == pytest.approx(left)
    mark = one(page, "svg.marks rect")
    assert (float(str(mark["x"])), float(str(mark["width"]))) == (3.0, 11.0)
    headlines = [h.get_text() for h in page.select(".verdict .headline")]
    assert headlines == ["Movements less like the group “risk”"] * 2
    assert (
        "fold models from 0.20 to 0.40, no confidence interval" in one(page, ".verdict").get_text()
    )


def test_pages_say_what_the_models_looked_at(site: Site) -> None:
    words = one(soup(site.text("e1")), ".looked").get_text()
    for model in ("cnn1d", "mam_clip"):
        assert re.search(rf"{model}: (this model does not|uniform:|by the bars)", words)


def test_not_assessable_infant_is_loud_and_has_no_player(site: Site) -> None:
    page = soup(site.text("d5"))
    assert not page.select("video")
    notes = page.select(".stop[role=alert]")
    assert len(notes) == 2  # the infant and its recording
    for note in notes:
        assert "Not assessable." in note.get_text()
        assert "shorter than the configured minimum" in note.get_text()
    partly = soup(site.text("d6"))
    assert partly.select_one("video") is not None
    tones = [v["class"][1] for v in partly.select(".verdict")]
    assert tones == ["no-risk", "none"]
    assert "longest run 3.0 s" in partly.select(".verdict")[1].get_text()


def test_figures_have_text_alternatives(site: Site) -> None:
    for path, page in every_page(site):
        for figure in page.select("figure svg"):
            assert figure["role"] == "img"
            assert figure["aria-label"], path.name
        for table in page.find_all("table"):
            assert table.find("th") is not None
        assert one(page, "html")["lang"] == "en"
        assert len(page.find_all("h1")) == 1


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


@pytest.mark.parametrize(
    ("ink", "paper"),
    [
        ("ink", "paper"),
        ("soft", "paper"),
        ("soft", "shade"),
        ("accent", "paper"),
        ("soft", "risk-bg"),
        ("soft", "calm-bg"),
        ("soft", "warn-bg"),
        ("soft", "stop-bg"),
    ],
)
def test_text_has_contrast(ink: str, paper: str) -> None:
    style = str(environment().globals["style"])
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", style))
    first, second = sorted((_luminance(colours[c]) for c in (ink, paper)), reverse=True)
    assert (first + 0.05) / (second + 0.05) >= 4.5  # WCAG 2.2, AA


def test_the_index_tells_whom_the_study_is_about(site: Site) -> None:
    page = soup(site.text())
    tables = page.select("table.table-one")
    captions = [one(t, "caption").get_text() for t in map(Tag.extract, tables)]
    assert captions[0] == "Development (cross-validated)"
    heads = [[h.get_text() for h in t.select("thead th")] for t in tables]
    assert heads[0] == ["Characteristic", "normal", "risk", "All"]
    assert heads[-1] == ["Characteristic", "All"], "of new infants no label is told"
    rows = {one(r, "th").get_text(): r for r in tables[0].select("tbody tr")}
    cells = [c.get_text(" ", strip=True) for c in rows["Infants"].select("td")]
    assert cells == ["3", "2", "5"]
    assert "n = 2" in rows["Sex: female"].get_text()


def test_the_index_has_decision_curves_frequencies_and_an_overview_of_quality(
    site: Site, plain_site: Site
) -> None:
    page = soup(site.text())
    labels = " ".join(str(f["aria-label"]) for f in page.select("figure svg"))
    assert "Decision curves of all models. " in labels
    assert "Frequency of fidgety movements by group. " in labels
    rows = table_after(page, "Fidgety movements")
    assert rows[0][1:4] == ["Model", "Label", "Infants"]
    assert {r[1] for r in rows[1:]} == {"mam_clip"}
    lost = [
        [c.get_text(strip=True) for c in r.select("td")] for r in page.select("#reasons tbody tr")
    ]
    assert lost[0][1:4] == [
        "The recording is shorter than the configured minimum.",
        *["1 of 6"] * 2,
    ]
    assert " %" in lost[0][5]
    overview = one(page, "#quality-overview").get_text()
    assert "Missing values" in overview
    assert "new" not in one(soup(plain_site.text()), "#reasons").get_text().split()


def test_curves_have_their_figures_in_words_and_tables(site: Site) -> None:
    page = soup(site.text())
    summary = json.loads((site.folder / "evaluation" / "summary.json").read_text())
    roc = next(
        str(figure["aria-label"])
        for figure in page.select("figure svg")
        if str(figure["aria-label"]).startswith("ROC")
    )
    areas = [m for m in summary["metrics"] if m["metric"] == "auc"]
    assert areas
    for m in areas:
        assert f"{m['model']}, {m['set']}: AUC {wording.number(m['value'])} [" in roc
        assert f"n = {m['n']}" in roc
    for name, file in (("calibration", "calibration.tsv"), ("benefit", "net_benefit.tsv")):
        lines = (site.folder / "evaluation" / file).read_text().splitlines()
        assert len(page.select(f"#{name}-data tbody tr")) == len(lines) - 1 > 0
    drawn = (site.folder / "evaluation" / "net_benefit.svg").read_text(encoding="utf-8")
    assert "true positives per infant screened" in drawn


def test_lanes_say_in_words_what_they_show(site: Site) -> None:
    quality, trajectories = soup(site.text("e1")).select(".lanes")
    assert "e1-r over time: head, trunk, left arm" in str(quality["aria-label"])
    assert "Trajectories of wrist, elbow, ankle, knee of e1-r" in str(trajectories["aria-label"])
    slots = json.loads(str(quality["data-slots"]))
    assert [slot[:2] for slot in slots] == [[0, 1], [1, 2], [2, 3]]
    assert slots[0][2].startswith("measured 9")
    assert "imputed 1 %" in slots[0][2]
    assert json.loads(str(trajectories["data-slots"]))[2][2] == "missing: left wrist"
    assert not soup(site.text("d5")).select(".lanes"), "nothing to show of who is not assessable"


def test_an_infants_figures_are_files_with_their_data(site: Site) -> None:
    folder = site.folder / "report" / "figures" / "e1"
    page = soup(site.text("e1"))
    linked = {str(a["href"]) for a in page.select("a[download]")}
    assert linked == {f"../figures/e1/{path.name}" for path in folder.iterdir()}
    figures = [path for path in folder.iterdir() if path.suffix == ".svg"]
    assert len(figures) == 3
    for path in figures:
        assert path.read_text(encoding="utf-8").startswith("<?xml")
        assert path.with_suffix(".tsv").stat().st_size > 0
    assert not list((site.folder / "report" / "figures" / "d5").glob("*quality*"))
