"""How the view writes tokens: what its front end exports as `legible`, in a real browser."""

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Browser

from regard.viewer.page import FRONT_END
from tests.browser.test_view import LOAD

pytestmark = pytest.mark.browser

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
KISS = "\U0001f469\U0001f3fb\u200d\u2764\ufe0f\u200d\U0001f48b\u200d\U0001f469\U0001f3ff"
Write = Callable[..., str]


@pytest.fixture(scope="module")
def legible(browser: Browser) -> Iterator[Write]:
    with closing(browser.new_context(offline=True)) as context:
        page = context.new_page()
        page.evaluate(LOAD, FRONT_END.read_text("utf-8"))

        def write(text: str, longest: int = 20) -> str:
            return str(page.evaluate("([...told]) => front.legible(...told)", [text, longest]))

        yield write


@pytest.mark.parametrize(
    ("token", "written"),
    {
        "": "(empty)",
        "dog": "dog",
        " dog": " dog",
        "a\nb\r": "a↵b\\u000d",
        "a\u200bb": "a\\u200bb",
        "\u2060": "\\u2060",
        "\ufeffa": "\\ufeffa",
        "\ufeff": '"\\ufeff"',
        "co\u00adop": "co\\u00adop",
        "a\u200db": "a\\u200db",
        "a\ufe0f": "a\\ufe0f",
        "\u034f\u061c": "\\u034f\\u061c",
        "\u115f\u3164": "\\u115f\\u3164",
        "x\U000e0041": "x\\u{e0041}",
        "a\u2028b": "a\\u2028b",
        "a\u202eb": "a\\u202eb",
        " ": '" "',
        "\u00a0": '"\\u00a0"',
        " \u3000": '" \\u3000"',
        "\n\t": '"\\n\\t"',
        "\U0001f469\u200d": "\U0001f469\\u200d",
    }.items(),
)
def test_what_cannot_be_seen_is_written_out(legible: Write, token: str, written: str) -> None:
    assert legible(token) == written


@pytest.mark.parametrize(
    "token",
    [
        *[FAMILY, ENGLAND, KISS, "1\ufe0f\u20e3", "\u263a\ufe0f", "\u263a\ufe0e"],
        *["\u845b\U000e0100", "\U0001f1f3\U0001f1f1", "e\u0301", "नमस्ते", "\u1820\u180b"],
    ],
)
def test_sequences_stay_whole(legible: Write, token: str) -> None:
    assert legible(token) == token


def test_a_long_token_is_cut_between_letters(legible: Write) -> None:
    assert legible(FAMILY * 20) == FAMILY * 20
    assert legible(FAMILY * 21) == f"{FAMILY * 9}…{FAMILY * 9}"
    assert legible(KISS * 1000) == f"{KISS * 9}…{KISS * 9}"
    assert legible("x" * 10_000) == f"{'x' * 9}…{'x' * 9}"
    assert legible("e\u0301" * 30) == f"{'e' + chr(0x301)}" * 9 + "…" + "e\u0301" * 9
    assert legible("ab" + "\u200b" * 30) == "ab\\u200b…\\u200b"  # no number is cut
    assert len(legible("e" + "\u0301" * 10_000)) < 40
    assert legible(" " * 10_000) == f'"{" " * 9}…{" " * 9}"'


@pytest.mark.parametrize("token", ["שלום", "שלום!", "##لم", "مرحبا (1)"])
def test_right_to_left_keeps_to_itself(legible: Write, token: str) -> None:
    assert legible(token) == f"\u2068{token}\u2069"
