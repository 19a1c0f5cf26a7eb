"""A head, or a scoreboard, as a table of numbers for a terminal."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from regard.measures.heads import top_keys
from regard.pictures.terminal import aligned, columns, legible
from regard.pictures.text import TOP, of_hidden
from regard.record.trace import Trace

READABLE = 12  # a matrix of more tokens is hard to read as text
LONGEST = 24  # columns of a token
BASELINES = {  # columns of a scoreboard, and what stands above them
    "offset_share": "offset",
    "untrained_share": "untrained",
    "shuffled_share": "shuffled",
}


def lines_of(
    seen: Trace, layer: int, head: int, kind: str | None, *, top: int | None, width: int
) -> Iterator[str]:
    """Write a head's matrix; or, if that is asked for or no line holds it, each row's strongest.

    Examples
    --------
    >>> seen = Trace.from_weights([[1.0, 0.0], [0.25, 0.75]], tokens=["the", "dog"])
    >>> for line in lines_of(seen, 0, 0, None, top=None, width=80):
    ...     print(line)
    encoder self-attention, layer 0, head 0
    each row is a token that reads, each column one that is read
             the   dog
    0  the  1.00  0.00
    1  dog  0.25  0.75
    """
    kind = seen.kind_or_first(kind)
    model = seen.origin.get("model")
    path = seen.paths.get(kind, {}).get(layer)
    origin = f", of {model}" * bool(model) + f" ({path})" * bool(path)
    yield f"{seen.head(layer, head, kind=kind)}{origin}"
    yield from of_hidden(seen, layer, head, kind)
    matrix = [] if top else matrix_lines(seen, layer, head, kind)
    if matrix and columns(matrix[0]) <= width:
        yield "each row is a token that reads, each column one that is read"
        yield from matrix
    else:
        wide = "" if top else " (all of them, with --output x.csv)"
        yield f"each row is a token that reads, then the {top or TOP} that it reads most{wide}"
        yield from strongest_lines(seen, layer, head, kind, top or TOP)


def matrix_lines(seen: Trace, layer: int, head: int, kind: str) -> list[str]:
    """Write the whole matrix; nothing, where it is too large to be read."""
    queries, keys = seen.labels(layer, kind=kind)
    if len(keys) > READABLE:
        return []
    weights = seen.weights(layer, head, kind=kind).tolist()
    rows = [
        [str(at), legible(token, LONGEST), *(f"{weight:.2f}" for weight in row)]
        for at, (token, row) in enumerate(zip(queries, weights, strict=True))
    ]
    return aligned([["", "", *(legible(token, LONGEST) for token in keys)], *rows])


def strongest_lines(seen: Trace, layer: int, head: int, kind: str, top: int) -> list[str]:
    """Write, for each token that reads, where its attention goes: position, token and weight."""
    queries = seen.labels(layer, kind=kind).queries
    rows = [[str(at), legible(token, LONGEST)] for at, token in enumerate(queries)]
    strongest = top_keys(seen, layer, head, k=top, kind=kind)
    for query, key, token, weight in strongest[["query", "key", "key_token", "weight"]].to_numpy():
        rows[query] += [str(key), legible(token, LONGEST), f"{weight:.2f}"]
    return [line.rstrip() for line in aligned(rows)]  # a token may read nothing


def scoreboard_lines(scores: pd.DataFrame) -> Iterator[str]:
    """Write the better direction of each relation, as chosen on the half that chooses."""
    by_choice = scores.sort_values("chosen_share", ascending=False, kind="stable")
    shown = by_choice.drop_duplicates(["name", "kind"]).sort_values("share", ascending=False)
    there = {column: title for column, title in BASELINES.items() if column in scores}
    head = ["", "relation", "words", "head", "right", "", *there.values()]
    head += ["rule", "right", "else", "lead"]
    yield from _how(scores)
    relations = [_relation(row, list(there)) for row in shown.to_dict("records")]
    yield from aligned([head, *relations])
    yield from _summary(shown, scores.attrs.get("findings_by_split", []))


def _how(scores: pd.DataFrame) -> Iterator[str]:
    """Say how to read the table."""
    if start := scores.attrs.get("start_token"):
        yield f"the start token {start} stands in front, which the tokenizer does not add"
    num_splits = len(scores.attrs.get("findings_by_split", [])) // 2
    yield "head: layer-head, chosen on some sentences; the shares are of other ones" + (
        f", in {num_splits} splits, each both ways" if num_splits else ""
    )
    yield "rule: the strongest one, chosen alike; else: the head's share where that rule is wrong"
    yield "lead: of the head over the rule, with its interval"
    yield "*: ahead of all of these by more than chance (p < 0.05, Holm); o: of all but the rule"


def _summary(shown: pd.DataFrame, by_split: Sequence[int]) -> Iterator[str]:
    """Say for how many relations the head is ahead, and by what."""
    ahead = int((shown["share"] > shown["offset_share"]).sum())
    simple = int((shown["claim"] != "").sum())
    yield (
        f"the best head is right more often than the best fixed offset for {ahead} of {len(shown)} "
        f"relations, by more than chance for {simple}; more often than the strongest rule by more "
        f"than chance for {int(shown['finding'].sum())}"
    )
    if len(by_split) > 1:
        yield (
            f"in both directions {min(by_split)} to {max(by_split)} rows would be ahead of the "
            "rule by more than chance in one split alone"
        )


def _relation(row: Mapping[Any, Any], baselines: list[str]) -> list[str]:
    """Write what was found of one relation."""
    side = "dependent reads head" if row["direction"] == "reads" else "head reads dependent"
    else_right = "" if row["wrong"] == 0 else f"{row['share_where_wrong']:.1%}"
    return [
        "*" if row["finding"] else "o" if row["claim"] else "",
        f"{row['name']}: {side}",
        f"{row['count']}",
        f"{row['layer']}-{row['head']}",
        f"{row['share']:.1%}",
        f"{row['offset']:+}",
        *(f"{row[column]:.1%}" for column in baselines),
        row["rule"],
        f"{row['rule_share']:.1%}",
        else_right,
        f"{_points(row['lead'])} ({_points(row['lead_low'])} to {_points(row['lead_high'])})",
    ]


def _points(share: float) -> str:
    """Write a difference of two shares."""
    return f"{100 * share:+.1f}"
