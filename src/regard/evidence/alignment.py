"""How well what words of two sentences read of each other aligns them."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from itertools import zip_longest

import pandas as pd

from regard.evidence.readings import check_sentences
from regard.evidence.strongest import excluded_keys, strongest_keys
from regard.record.trace import Trace, a_trace

Link = tuple[int, int]  # (query, key): in cross-attention, a target and a source position
Links = Iterable[Collection[Link]]  # of each sentence


def alignment_error_rate(found: Links, sure: Links, possible: Links | None = None) -> float:
    """Measure how far found links are from those that people drew.

    Parameters
    ----------
    found, sure, possible
        The links of each sentence, (query, key), in one order. Sure links must be found; possible
        ones may be, and sure ones always are possible too.

    Returns
    -------
    float
        1 - (|A & S| + |A & P|) / (|A| + |S|) over all sentences: 0 where every sure link is found
        and every found link is possible; 1 where no found link is.

    Raises
    ------
    ValueError
        If there are not as many sentences of each, or no links at all.

    Notes
    -----
    Och and Ney (2003), *A systematic comparison of various statistical alignment models*, section
    6.1.

    Examples
    --------
    >>> alignment_error_rate([{(0, 0), (1, 2)}], sure=[{(0, 0)}], possible=[{(1, 1)}])
    0.33333333333333337
    """
    check_sentences(found=found, sure=sure, possible=[] if possible is None else possible)
    agreed = total = 0
    for links, must, may in _together(found, sure, possible):
        agreed += len(links & must) + len(links & (may | must))
        total += len(links) + len(must)
    if not total:
        raise ValueError("There are no links to compare, neither found nor sure ones.")
    return 1 - agreed / total


def _together(*parts: Links | None) -> Iterator[list[set[Link]]]:
    """Go through the sentences, and raise where one part ends before the others."""
    given = [part for part in parts if part is not None]
    for number, links in enumerate(zip_longest(*given)):
        if None in links:
            raise ValueError(
                f"There must be links for each sentence, but some end after {number}: pass all for "
                "the same sentences, in one order."
            )
        of_sentence = [set(of_part) for of_part in links]
        yield of_sentence if len(given) == len(parts) else [*of_sentence, set()]


def score_alignments(
    traces: Iterable[Trace], sure: Links, possible: Links | None = None, *, kind: str = "cross"
) -> pd.DataFrame:
    """Give each head the alignment error rate of the links from each query to its strongest key.

    Parameters
    ----------
    traces, sure, possible
        One trace, and the links (query, key), a sentence. Only queries that have a link, sure or
        possible, are asked. Keys that are special tokens are never the strongest.
    kind
        One of the traces' kinds.

    Returns
    -------
    pandas.DataFrame
        `kind`, `layer`, `head` and `error`, the best head first.

    Raises
    ------
    ValueError
        If a trace has no such kind, a link lies outside of the attention matrix, or as
        `alignment_error_rate`.

    Examples
    --------
    >>> weights = [[[0.9, 0.1], [0.2, 0.8]], [[0.1, 0.9], [0.2, 0.8]]]  # of two heads
    >>> seen = Trace.from_weights(weights, kind="cross")
    >>> score_alignments([seen], sure=[{(0, 0), (1, 1)}])
        kind  layer  head  error
    0  cross      0     0    0.0
    1  cross      0     1    0.5
    """
    check_sentences(traces=traces, sure=sure, possible=[] if possible is None else possible)
    sure, possible = list(map(set, sure)), None if possible is None else list(map(set, possible))
    found: defaultdict[tuple[int, int], list[set[Link]]] = defaultdict(list)
    asked = [must | may for must, may in _together(sure, possible or [set()] * len(sure))]
    for number, seen in enumerate(map(a_trace, traces)):
        links = asked[number] if number < len(asked) else set()
        for head, of_head in _strongest_links(seen, kind, sorted({q for q, _ in links})).items():
            found[head].append(of_head)
    rows = [
        (kind, *head, alignment_error_rate(of_head, sure, possible))
        for head, of_head in found.items()
    ]
    table = pd.DataFrame(rows, columns=["kind", "layer", "head", "error"])
    return table.sort_values("error", kind="stable", ignore_index=True)


def _strongest_links(
    seen: Trace, kind: str, queries: list[int]
) -> dict[tuple[int, int], set[Link]]:
    """Link each of the queries to its strongest key, by layer and head."""
    seen.special(kind)  # says what is wrong with a kind
    excluded = excluded_keys(seen, kind)
    if queries and not 0 <= queries[0] <= queries[-1] < len(excluded):
        raise ValueError(
            f"The links are of queries {queries[0]} to {queries[-1]}, but the {kind} attention has "
            f"{len(excluded)}, numbered from 0."
        )
    links: dict[tuple[int, int], set[Link]] = {}
    for number, layer in seen.layers[kind].items():
        (keys,) = strongest_keys([layer], excluded, both=False)  # (h, Q)
        for head, of_head in enumerate(keys[:, queries].tolist()):
            found = zip(queries, of_head, strict=True)
            links[number, head] = {(query, key) for query, key in found if key >= 0}
    return links
