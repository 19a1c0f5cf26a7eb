"""Hostile tokens amid prose, rendered as notebooks are: what shows is what they are."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from nbconvert.filters import markdown2html

from regard.pictures.markup import as_markup

HOSTILE = [
    "<script>",
    "</s>",
    "<!--",
    "**",
    "_it_",
    "`",
    "```",
    "$x$",
    "$$",
    r"\(x\)",
    r"\begin{align}",
    r"\*",
    "a|b",
    "[a](b)",
    "![a](b)",
    "&amp;",
    "&",
    "# 1",
    "1.",
    "-",
    "~~a~~",
    "@@0@@",
    "http://a.b",
    "a@b.c",
    ":smile:",
    "{{x}}",
    " dog",
    "  ",
    "e\u0301",
    "👩\u200d👧",
    "שלום",
    "牛",
]
GFM = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
PLACES = {  # where prose has a token, and the element that it stands in
    "It reads {} here.": "p",
    "It reads **{}**, its noun.": "strong",
    "- *{}* becomes it.": "em",
    "| token | read |\n| --- | --- |\n| {} | 1 |": "td",
}
# What JupyterLab takes out of the text as formulas, before it is rendered.
LAB_MATH = re.compile(r"\$|\\(?:begin|end)\{|\\[{}$]|[{}]|@@\d+@@|\\\\[()\[\]]|`|~")
# What MathJax looks for in each element's own text, after it is rendered.
MATHJAX = re.compile(r"\$.+\$|\\\(|\\\[|\\begin|\\(?:eq)?ref|\\[\\$]", re.DOTALL)


class Page(HTMLParser):
    """What a browser shows of each element, and the runs of text in which MathJax looks."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.shown: dict[str, str] = {}
        self.tags: set[str] = set()
        self.runs = [""]
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        self.open.append(tag)
        self.runs.append("")

    def handle_endtag(self, tag: str) -> None:
        self.open.pop()
        self.runs.append("")

    def handle_data(self, data: str) -> None:
        self.runs[-1] += data
        for tag in set(self.open):
            self.shown[tag] = self.shown.get(tag, "") + data


def pages(prose: str) -> list[Page]:
    """Render prose as nbconvert does, and as GitHub and JupyterLab do."""
    return [Page(markdown2html(prose)), Page(GFM.render(prose))]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("token", HOSTILE)
def test_a_token_amid_prose_shows_as_it_is(token: str, place: str) -> None:
    plain = pages(place.format("token"))
    for page, expected in zip(pages(place.format(as_markup(token))), plain, strict=True):
        said = expected.shown[PLACES[place]].replace("token", token)
        shown = page.shown[PLACES[place]]
        assert shown == said
        assert page.tags - {"span"} == expected.tags
        assert not [run for run in page.runs if MATHJAX.search(run)]


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Zs"]), min_size=1))
def test_any_text_shows_as_it_is(token: str) -> None:
    for page in pages(f"It reads **{as_markup(token)}**, its noun."):
        assert page.shown["strong"].isprintable() or set(token) & set("\u200c\u200d")
        if token.isprintable():
            assert page.shown["strong"] == token
        assert page.tags <= {"p", "strong", "span"}


@pytest.mark.parametrize("token", HOSTILE)
def test_no_mark_is_left_for_whoever_reads_the_source(token: str) -> None:
    assert not LAB_MATH.search(as_markup(token))


def test_what_cannot_be_seen_is_written_out() -> None:
    hidden = {
        "\n": r"\n",
        "a\tb": r"a\tb",
        "\x00": r"\x00",
        "\ud800": r"\ud800",
        "\u202e": r"\u202e",
    }
    for token, expected in hidden.items():
        for page in pages(f"It reads **{as_markup(token)}**, its noun."):
            assert page.shown["strong"] == expected


def test_plain_words_stay_plain() -> None:
    assert as_markup("the cows") == "the cows"
    assert as_markup(3) == "3"
