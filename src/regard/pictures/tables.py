"""A head, or a scoreboard, as columns of text under each other."""

import shutil
from collections.abc import Iterator, Sequence

import pandas as pd

from regard.measures.heads import top_keys
from regard.pictures.text import columns, legible, of_hidden
from regard.record.trace import Trace

READABLE = 12  # a matrix of more tokens is hard to read as text
TOP = 3  # keys a token, where there is no matrix
LONGEST = 24  # columns of a token


def lines_of(
    seen: Trace, layer: int, head: int, kind: str | None, *, top: int | None
) -> Iterator[str]:
    """Write a head's matrix; or, if that is asked for or fits no terminal, each row's strongest."""
    kind = seen.kinds[0] if kind is None else kind
    hidden = of_hidden(seen, layer, head, kind)  # says what is wrong with a layer or a head
    yield f"{seen.head(layer, head, kind=kind)}, of {seen.origin['model']}"
    yield from hidden
    matrix = [] if top else matrix_lines(seen, layer, head, kind)
    if matrix:
        yield "each row is a token that reads, each column one that is read"
        yield from matrix
    else:
        wide = "" if top else " (all of them, with --output x.csv)"
        yield f"each row is a token that reads, then the {top or TOP} that it reads most{wide}"
        yield from strongest_lines(seen, layer, head, kind, top or TOP)


def matrix_lines(seen: Trace, layer: int, head: int, kind: str) -> list[str]:
    """Write the whole matrix; nothing, where it is too wide to be read."""
    labels = seen.labels(layer, kind=kind)
    if len(labels.keys) > READABLE:
        return []
    weights = seen.weights(layer, head, kind=kind).tolist()
    lines = aligned(
        [
            ["", "", *(legible(name, LONGEST) for name in labels.keys)],
            *(
                [str(at), legible(token, LONGEST), *(f"{weight:.2f}" for weight in row)]
                for at, (token, row) in enumerate(zip(labels.queries, weights, strict=True))
            ),
        ]
    )
    return lines if len(lines[0]) <= shutil.get_terminal_size().columns else []


def strongest_lines(seen: Trace, layer: int, head: int, kind: str, top: int) -> list[str]:
    """Write, for each token that reads, where its attention goes: position, token and weight."""
    names = seen.labels(layer, kind=kind).queries
    rows = [[str(at), legible(name, LONGEST)] for at, name in enumerate(names)]
    strongest = top_keys(seen, layer, head, k=top, kind=kind)
    for query, key, name, weight in strongest[["query", "key", "key_token", "weight"]].to_numpy():
        rows[query] += [str(key), legible(name, LONGEST), f"{weight:.2f}"]
    return aligned(rows)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Put cells under each other, the names of the second column to the left."""
    longest = max(map(len, rows))
    widths = [max(columns(row[at]) for row in rows if at < len(row)) for at in range(longest)]
    lines = []
    for row in rows:
        room = [" " * (width - columns(cell)) for cell, width in zip(row, widths, strict=False)]
        cells = [space + cell for space, cell in zip(room, row, strict=True)]
        cells[1] = row[1] + room[1]
        lines.append("  ".join(cells).rstrip())
    return lines


def scoreboard_lines(scores: pd.DataFrame) -> Iterator[str]:
    """Write the better direction of each relation, as chosen on the half that chooses."""
    by_choice = scores.sort_values("chosen_share", ascending=False, kind="stable")
    shown = by_choice.drop_duplicates(["name", "kind"]).sort_values("share", ascending=False)
    yield "head: layer-head, chosen on one half of the sentences; the shares are of the other half"
    yield "offset: the best fixed one, chosen on the first half too"
    yield "*: ahead of it, and of the untrained twin, by more than chance (p < 0.05, Holm)"
    shares = {
        "offset_share": "offset",
        "untrained_share": "untrained",
        "shuffled_share": "shuffled",
    }
    there = {column: title for column, title in shares.items() if column in scores}
    rows = [["", "relation", "words", "head", "right", "interval", "", *there.values()]]
    for row in shown.to_dict("records"):
        side = "dependent reads head" if row["direction"] == "reads" else "head reads dependent"
        rows.append(
            [
                "*" if row["finding"] else "",
                f"{row['name']}: {side}",
                f"{row['count']}",
                f"{row['layer']}-{row['head']}",
                f"{row['share']:.1%}",
                f"{row['low']:.1%} to {row['high']:.1%}",
                f"{row['offset']:+}",
                *(f"{row[column]:.1%}" for column in there),
            ]
        )
    yield from aligned(rows)
    ahead = int((shown["share"] > shown["offset_share"]).sum())
    yield (
        f"the best head is right more often than the best fixed offset for {ahead} of {len(shown)} "
        f"relations, by more than chance for {int(shown['finding'].sum())}"
    )
