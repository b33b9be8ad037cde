"""No page has a text of its own: all of them are in the catalogue, and can be translated."""

from __future__ import annotations

import gettext
import re
from pathlib import Path

import pytest

from fidgety.report import pages
from fidgety.report.catalogue import CATALOGUE, TEMPLATES, catalogue, texts
from tests.report.conftest import Site, build_site
from tests.report.test_pages import soup

TEMPLATE_TEXT = re.compile(r"\{#.*?#\}|\{\{.*?\}\}|\{%.*?%\}|<[^>]*>", re.S)
#: Attributes that are read out or shown.
SHOWN = re.compile(r'\b(?:alt|aria-label|title|placeholder)="([^"{]*[A-Za-z][^"{]*)')


class Marked(gettext.NullTranslations):
    """A language in which every text stands in brackets."""

    def gettext(self, message: str) -> str:
        return f"⟦{message}⟧"


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_has_no_text_outside_of_the_catalogue(name: str) -> None:
    source = (pages.HERE / "templates" / name).read_text(encoding="utf-8")
    outside = TEMPLATE_TEXT.sub(" ", source).replace("<!DOCTYPE html>", "")
    # The program's own name is no text.
    assert set(re.findall(r"[A-Za-z]+", outside)) <= {"fidgety"}
    assert SHOWN.findall(source) == []


def test_the_catalogue_is_that_of_the_templates() -> None:
    assert CATALOGUE.read_text(encoding="utf-8") == catalogue()
    assert len(texts()) > 100
    assert not [text for text in texts() if text.startswith("(")]


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
