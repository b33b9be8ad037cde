"""No page has a text of its own: all of them are in the catalogue, and can be translated."""

from __future__ import annotations

import ast
import gettext
import re
from pathlib import Path

import pytest
from jinja2 import nodes

from fidgety.evaluation.records import LOST
from fidgety.report import pages
from fidgety.report.catalogue import (
    CATALOGUE,
    MODULES,
    TEMPLATES,
    TRANSLATED,
    catalogue,
    module_texts,
    texts,
)
from fidgety.report.described import reason_text
from fidgety.report.language import spoken, translate
from fidgety.report.plots import draw_trajectories
from tests.report.conftest import Site, body_pose, build_site
from tests.report.test_pages import soup

TEMPLATE_TEXT = re.compile(r"\{#.*?#\}|\{\{.*?\}\}|\{%.*?%\}|<[^>]*>", re.S)
#: Attributes that are read out or shown.
SHOWN = re.compile(
    r'\b(?:alt|aria-label|aria-valuetext|title|placeholder|label)="([^"{]*[A-Za-z][^"{]*)'
)


class Marked(gettext.NullTranslations):
    """A language in which every text stands in brackets."""

    def gettext(self, message: str) -> str:
        return f"⟦{message}⟧"


def chosen_texts(source: str) -> list[str]:
    """Texts that an expression chooses without asking the translation (``"yes" if x``)."""
    found = []
    for output in pages.environment().parse(source).find_all(nodes.Output):
        before = ""
        for part in output.nodes:
            if isinstance(part, nodes.TemplateData):
                before = part.data
            elif isinstance(part, nodes.CondExpr | nodes.Or) and before.rfind("<") <= before.rfind(
                ">"
            ):  # behind a tag: what stands inside of one is a class or a number
                ends = [getattr(part, name, None) for name in ("expr1", "expr2", "left", "right")]
                found += [one.value for one in ends if isinstance(one, nodes.Const)]
    return [text for text in found if isinstance(text, str) and re.search("[A-Za-z]", text)]


def test_a_chosen_text_is_found() -> None:
    assert chosen_texts('<b class="{{ "on" if x else "off" }}">{{ "yes" if x else _("no") }}') == [
        "yes"
    ]
    assert chosen_texts('<td>{{ x or "none" }}</td>') == ["none"]


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_has_no_text_outside_of_the_catalogue(name: str) -> None:
    source = (pages.HERE / "templates" / name).read_text(encoding="utf-8")
    outside = TEMPLATE_TEXT.sub(" ", source).replace("<!DOCTYPE html>", "")
    # The program's own name is no text.
    assert set(re.findall(r"[A-Za-z]+", outside)) <= {"fidgety"}
    assert SHOWN.findall(source) == []
    assert chosen_texts(source) == []


def test_the_catalogue_is_that_of_the_sources() -> None:
    assert CATALOGUE.read_text(encoding="utf-8") == catalogue()
    assert len(texts()) > 300
    assert {name for where in texts().values() for name in where} >= {
        "compare_instances.html", "compare_models.html", "compare_pose.html", "gao2023.html",
        "index.html", "infant.html", "kaur2025.html", "subgroups.html",
    }  # fmt: skip
    assert not [text for text in texts() if text.startswith(("('", '("'))]


def beside(source: str) -> list[str]:
    """Texts of a module that it shows without translating them: with a space, or a capital."""
    tree = ast.parse(source)
    apart: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            apart |= {id(node.args[0])} if node.func.id in TRANSLATED else set()
        elif isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef):
            first = node.body[0]
            apart |= {id(first.value)} if isinstance(first, ast.Expr) else set()
    strings = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in apart
    ]
    return [text for text in strings if re.search("[A-Za-z]", text) and re.search("[A-Z ]", text)]


def test_a_text_beside_the_catalogue_is_found() -> None:
    source = '"""Doc of it."""\nA = mark("All of it")\nB = f"{A} or more"\nC = "Name"\nD = "a_key"'
    assert set(beside(source)) == {" or more", "Name"}
    assert list(module_texts(source)) == ["All of it"]


@pytest.mark.parametrize("name", MODULES)
def test_a_module_has_no_text_outside_of_the_catalogue(name: str) -> None:
    source = (pages.HERE / name).read_text(encoding="utf-8")
    # Where a legend stands, and markup.
    found = [text for text in beside(source) if text != "upper right" and "<" not in text]
    assert found == []
    assert list(module_texts(source))


def test_every_text_can_be_filled_in() -> None:
    for text in texts():
        names = dict.fromkeys(re.findall(r"%\((\w+)\)s", text), "x")
        assert re.sub(r"%\(\w+\)s", "x", text).replace("%%", "%") == text % names


def test_texts_of_python_are_translated_within_the_block_alone() -> None:
    with spoken(Marked()):
        drawn = draw_trajectories(body_pose(1.0))
        assert reason_text(LOST) == "⟦No recording left⟧"
        assert translate("%(n)s missing", n=3) == "⟦3 missing⟧"
    for text in ("seconds", "x (right)", "left", "wrist"):
        assert f"⟦{text}⟧" in drawn
    assert "⟦" not in draw_trajectories(body_pose(1.0))
    assert reason_text(LOST) == "No recording left"


def test_a_translation_reaches_the_pages(tmp_path: Path, site: Site) -> None:
    english = soup(site.text("e1"))
    with spoken(Marked()):
        other = build_site(tmp_path, only="e1")
    described = [str(f["aria-label"]) for f in soup(other.text()).select("figure svg")]
    assert described
    assert all(text.startswith("⟦") for text in described)
    shown = soup(other.text()).select("#quality-overview tbody td.text:nth-child(2)")
    assert shown
    assert all(cell.get_text().startswith("⟦") for cell in shown)
    for page, name in ((soup(other.text()), "index"), (soup(other.text("e1")), "infant")):
        headings = [h.get_text() for h in page.select("h2, h3, thead th, summary")]
        marked = [h for h in headings if "⟦" in h]
        assert len(marked) > 0.5 * len(headings), (name, headings)
    # In brackets, the page is the same.
    shown = re.sub("[⟦⟧]", "", soup(other.text("e1")).get_text())
    assert shown == english.get_text()
