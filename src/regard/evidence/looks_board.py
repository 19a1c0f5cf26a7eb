"""The scoreboard of looks: what the best head looks at, beside what looks there as well."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from regard.evidence.board import check_chances
from regard.evidence.intervals import holm, lead_test, share_interval
from regard.evidence.looks import MEASURES, Floats, Glance, Looks, collected
from regard.evidence.splits import choosing_half
from regard.record.trace import Trace

Rows = NDArray[np.intp]


def score_places(
    traces: Iterable[Trace],
    gold: Iterable[Sequence[Glance]],
    *,
    kind: str | None = None,
    untrained: Iterable[Trace] | None = None,
    level: float = 0.95,
    least: int = 20,
    seed: int = 0,
) -> pd.DataFrame:
    """Choose the head that looks best on one half of the pictures, and count on the other half.

    Parameters
    ----------
    traces, gold, kind
        As for `collect_looks`: for each picture or sound a trace, and looks (name, query, region).
        Only keys that have places compete. Both are taken one by one, and none is kept.
    untrained
        The traces of a model of the same shape with random weights, of the same pictures.
    level
        Of the intervals; and 1 - level is how often there may be any finding where there is nothing
        to find.
    least
        Names of which either half has fewer looks are left out.
    seed
        Of the halves, and of what is drawn.

    Returns
    -------
    pandas.DataFrame
        A name and measure a row, the surest first. The measure is "pointing", does the strongest
        patch lie in the region, or "mass", how much of the attention does:

        - `name`, `kind`, `measure`; `layer` and `head` of the head that is best on the half that
          chooses, and `chosen_share`, its share there;
        - on the half that counts, `share`, `low` and `high`, its interval, `placed`, how much of
          its attention goes to the keys that compete, `count` of looks and `traces` that have any;
        - `even_share`: of reading all patches alike, which is the share of the area;
        - `centre_share`: of a Gaussian at the picture's centre, a quarter of its sides wide;
        - `fixed_share`: of the one point, of 16 x 16, that is best on the half that chooses;
        - `shuffled_share`: of the head, held against the region of the trace before, on this
          picture: pass pictures in an order that says nothing, and one trace of each;
        - `untrained_share`: of the untrained model's own best head;
        - `p_value`: how often chance alone would let the head be as far ahead of all of these,
          adjusted for the number of rows;
        - `finding`: is the p-value below 1 - level?

    Raises
    ------
    TypeError, ValueError
        As `collect_looks`; and if no name comes often enough.

    Notes
    -----
    The pointing game is that of Zhang et al. (2016), *Top-down Neural Attention by Excitation
    Backprop*. The interval resamples traces (`regard.evidence.intervals.share_interval`); the
    p-values are Holm's, of `regard.evidence.intervals.lead_test`.

    Examples
    --------
    >>> from regard.record.places import Box
    >>> from regard.tracing.own_places import grid, place
    >>> picture, sides = np.zeros((8, 16)), np.random.default_rng(0).integers(0, 2, 90)
    >>> patches = grid(1, 2, picture)
    >>> traces = (
    ...     place(Trace.from_weights([np.eye(2)[side] * 0.8 + 0.1] * 2), patches, images=picture)
    ...     for side in sides
    ... )
    >>> gold = [[("face", 0, patches[side])] for side in sides]
    >>> table = score_places(traces, gold)
    >>> table[["measure", "share", "even_share", "finding"]].round(3)
        measure  share  even_share  finding
    0  pointing    1.0         0.5     True
    1      mass    0.9         0.5     True
    """
    check_chances(level, least, seed)
    models = {"traces": traces} | ({} if untrained is None else {"untrained": untrained})
    looks, *twins = collected(models, gold, kind)
    chooses = choosing_half(looks.num_traces, seed)
    rows = []
    for name, of_name in looks.table.groupby("name", sort=False):
        is_first = chooses[of_name["trace"].to_numpy()]
        at = of_name.index.to_numpy()
        halves = at[is_first], at[~is_first]
        if min(map(len, halves)) >= least:
            for measure in range(len(MEASURES)):
                row = _row(looks, twins, halves, measure, level=level, seed=seed)
                rows.append(row._replace(cells={"name": name} | row.cells))
    if not rows:
        raise ValueError(
            f"No name comes {least} times in both halves of the {looks.num_traces} traces: take "
            "more pictures, or a smaller `least`."
        )
    table = pd.DataFrame([row.cells for row in rows])
    table["p_value"] = holm([lead_test(row.ahead, row.counts).max() for row in rows])
    table["finding"] = table["p_value"] < 1 - level
    return table.sort_values(
        ["finding", "share"], ascending=False, kind="stable", ignore_index=True
    )


class _Row(NamedTuple):
    """A row of the table, and in each trace how far the head is ahead of each baseline."""

    cells: dict[str, object]
    ahead: NDArray[np.float64]  # (traces, baselines)
    counts: NDArray[np.float64]  # (traces,)


def _row(
    looks: Looks,
    twins: Sequence[Looks],
    halves: tuple[Rows, Rows],
    measure: int,
    *,
    level: float,
    seed: int,
) -> _Row:
    best, chosen_share, own = _best(looks.own[..., measure], halves)
    counted = halves[1]
    traces = looks.table["trace"].to_numpy()[counted]
    sums, counts = (np.bincount(traces, one) for one in (own, np.ones(len(own))))
    low, high = share_interval(sums.clip(max=counts), counts, level=level, seed=seed)
    baselines = {
        "even_share": looks.even[counted, measure],
        "centre_share": looks.centre[counted, measure],
        "fixed_share": _best(looks.fixed[..., measure], halves)[2],
        "shuffled_share": looks.other[counted, best, measure],  # NaN, where there is no other
    }
    for twin in twins:
        baselines["untrained_share"] = _best(twin.own[..., measure], halves)[2]
    layer, head = looks.heads[best]
    cells = {
        "kind": looks.kind,
        "measure": MEASURES[measure],
        "layer": layer,
        "head": head,
        "chosen_share": chosen_share,
        "share": own.mean(),
        "low": low,
        "high": high,
        "placed": looks.placed[counted, best].mean(),
        "count": len(own),
        "traces": int((counts > 0).sum()),
        **{name: np.nanmean(found) for name, found in baselines.items()},
    }
    differences = [np.nan_to_num(own - found) for found in baselines.values()]
    width = looks.num_traces
    ahead = [np.bincount(traces, difference, minlength=width) for difference in differences]
    asked = np.bincount(traces, minlength=width).astype(np.float64)
    return _Row(cells, np.stack(ahead, axis=1), asked)


def _best(found: Floats, halves: tuple[Rows, Rows]) -> tuple[int, float, NDArray[np.float64]]:
    """Choose of (looks, candidates); give the share where it was chosen, and the other half's."""
    shares = found[halves[0]].mean(axis=0, dtype=np.float64)
    best = int(shares.argmax())
    return best, float(shares[best]), found[halves[1], best].astype(np.float64)
