"""No page has a text of its own: all of them are in the catalogue, and can be translated."""

from __future__ import annotations

import gettext
import re
from pathlib import Path

import pytest
from jinja2 import nodes

from fidgety.report import pages
from fidgety.report.catalogue import CATALOGUE, TEMPLATES, catalogue, texts
from tests.report.conftest import Site, build_site
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


def test_the_catalogue_is_that_of_the_templates() -> None:
    assert CATALOGUE.read_text(encoding="utf-8") == catalogue()
    assert len(texts()) > 300
    assert {name for where in texts().values() for name in where} >= {
        "compare_instances.html", "compare_models.html", "compare_pose.html", "gao2023.html",
        "index.html", "infant.html", "kaur2025.html", "subgroups.html",
    }  # fmt: skip
    assert not [text for text in texts() if text.startswith(("('", '("'))]


def test_a_translation_reaches_the_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, site: Site
) -> None:
    english = soup(site.text("e1"))
    translated = pages.environment(Marked())
    monkeypatch.setattr(pages, "environment", lambda: translated)
    other = build_site(tmp_path, only="e1")
    for page, name in ((soup(other.text()), "index"), (soup(other.text("e1")), "infant")):
        headings = [h.get_text() for h in page.select("h2, h3, thead th, summary")]
        marked = [h for h in headings if "⟦" in h]
        assert len(marked) > 0.5 * len(headings), (name, headings)
    # In brackets, the page is the same.
    shown = re.sub("[⟦⟧]", "", soup(other.text("e1")).get_text())
    assert shown == english.get_text()
