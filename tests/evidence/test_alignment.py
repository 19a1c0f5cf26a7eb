"""Alignment error rate against the formula of Och and Ney, worked by hand."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from regard.evidence.alignment import Link, alignment_error_rate, score_alignments
from regard.record.trace import Trace

links = st.sets(st.tuples(st.integers(0, 4), st.integers(0, 4)))
sentences = st.lists(st.tuples(links, links, links), min_size=1, max_size=4)


@given(sentences)
def test_equals_the_formula_over_all_sentences(of_sentences: list[tuple[set[Link], ...]]) -> None:
    found, sure, more = (
        {(n, *link) for n, three in enumerate(of_sentences) for link in three[part]}
        for part in range(3)
    )
    given_links = [[three[part] for three in of_sentences] for part in range(3)]
    if not found and not sure:
        with pytest.raises(ValueError, match="no links to compare"):
            alignment_error_rate(*given_links)
        return
    possible = sure | more  # S is a part of P
    expected = 1 - (len(found & sure) + len(found & possible)) / (len(found) + len(sure))
    assert alignment_error_rate(*given_links) == pytest.approx(expected)


def test_without_possible_links_it_is_one_minus_f1() -> None:
    found, sure = [{(0, 0), (1, 1), (2, 0)}], [{(0, 0), (1, 2)}]
    precision, recall = 1 / 3, 1 / 2
    f1 = 2 * precision * recall / (precision + recall)
    assert alignment_error_rate(found, sure) == pytest.approx(1 - f1)


def test_links_are_for_the_same_sentences() -> None:
    with pytest.raises(ValueError, match="some end after 1: pass all for the same sentences"):
        alignment_error_rate([{(0, 0)}, {(0, 0)}], [{(0, 0)}])


def cross(*heads: list[list[float]]) -> Trace:
    return Trace.from_weights(torch.tensor(heads), kind="cross")


def test_heads_are_ordered_by_their_error() -> None:
    aligns = [[0.1, 0.8, 0.1], [0.7, 0.2, 0.1], [0.4, 0.3, 0.3]]
    reads_first = [[1.0, 0.0, 0.0]] * 3
    sure, possible = [{(0, 1)}], [{(1, 0), (1, 1)}]
    table = score_alignments([cross(reads_first, aligns)], sure, possible)
    assert table.to_numpy().tolist() == [
        ["cross", 0, 1, 0.0],
        ["cross", 0, 0, pytest.approx(2 / 3)],
    ]
    (only_sure,) = score_alignments([cross(aligns)], sure)["error"]
    assert only_sure == 0  # the query without a link is not asked


def test_what_fits_no_trace() -> None:
    seen = cross([[1.0, 0.0]])
    with pytest.raises(ValueError, match="queries 0 to 1, but the cross attention has 1"):
        score_alignments([seen], [{(0, 0), (1, 0)}])
    with pytest.raises(ValueError, match="no attention of kind 'decoder'"):
        score_alignments([seen], [{(0, 0)}], kind="decoder")
    with pytest.raises(ValueError, match="some end after 1"):
        score_alignments([seen], [{(0, 0)}] * 2)
    with pytest.raises(ValueError, match="some end after 1"):
        score_alignments([seen] * 2, [{(0, 0)}])


def test_what_is_not_one_a_sentence() -> None:
    seen: Any = Trace.from_weights([[[1.0]]], kind="cross")
    links: Any = 5
    with pytest.raises(TypeError, match="traces are one for each sentence, but got a Trace"):
        score_alignments(seen, [{(0, 0)}])
    with pytest.raises(TypeError, match=r"sure are one for each sentence, but got 5 \(int\)"):
        score_alignments([seen], links)
    with pytest.raises(TypeError, match="A trace is expected, but got 'dog'"):
        score_alignments(["dog"], [{(0, 0)}])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="found are one for each sentence, but got 5"):
        alignment_error_rate(links, [{(0, 0)}])
