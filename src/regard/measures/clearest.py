"""The head to look at first: what its queries read is not where they stand, and differs."""

import torch
from torch import Tensor

from regard.record.kinds import Head
from regard.record.layers import Layer
from regard.record.streams import blocks, of_head
from regard.record.trace import Trace, a_trace

NEAR = 1  # tokens; a key as close as this is the query itself or its neighbour


def clearest_head(trace: Trace, kind: str | None = None) -> Head:
    """Find the head of a kind in which queries most clearly read single keys that tell something.

    Of each query counts the most that one key gets beyond what that key gets on average; the query
    itself, its neighbours, the first key and special tokens are left out, which many heads read
    whatever the text is. So neither a diagonal nor a column that all read is clear.

    Parameters
    ----------
    trace
        From `regard.trace`; its weights are streamed twice.
    kind
        One of the trace's kinds; the first, if not given.

    Raises
    ------
    ValueError
        If the trace has no such kind.

    Notes
    -----
    What Clark et al. (2019), *What does BERT look at?*, section 3, find most heads to read is what
    is left out here.

    Examples
    --------
    >>> tokens = ["the", "dog", "that", "barked", "at", "me", "slept"]
    >>> one, two = torch.eye(7), torch.eye(7).flip(0)
    >>> clearest_head(Trace.from_weights(torch.stack([one, two])[None], tokens)).head
    1
    """
    kind = a_trace(trace).kind_or_first(kind)
    special = torch.tensor(trace.special(kind)[1])
    scores = {
        Head(kind, number, head): clearness(of_head(layer, head), special)
        for number, layer in trace.layers[kind].items()
        for head in range(layer.shape[0])
    }
    return max(scores, key=lambda head: scores[head])


def clearness(layer: Layer, special: Tensor) -> float:
    """Average over the queries of one head what single keys get beyond their mean."""
    _, num_queries, num_keys = layer.shape
    usual = torch.zeros(num_keys)
    with torch.no_grad():
        for _, weights in blocks(layer):
            usual += weights[0].sum(dim=0).cpu() / max(1, num_queries)
        total = 0.0
        for rows, weights in blocks(layer):
            beyond = weights[0].cpu() - usual  # (Q', K)
            beyond[:, left_out(layer, special)] = 0
            if layer.kind != "cross" and num_queries == num_keys:
                beyond[near(rows, num_keys)] = 0
            total += beyond.amax(dim=-1).nan_to_num(nan=0.0).sum().item() if num_keys else 0.0
    return total / max(1, num_queries)


def left_out(layer: Layer, special: Tensor) -> Tensor:
    """Mark the first key, and those that are special tokens: bool (K,)."""
    num_keys = layer.shape[2]
    first = torch.arange(num_keys) == 0
    return first | special if len(special) == num_keys else first


def near(rows: slice, num_keys: int) -> Tensor:
    """Mark the queries themselves and their neighbours: bool (Q', K)."""
    query_at = torch.arange(rows.start, rows.stop)
    return (query_at[:, None] - torch.arange(num_keys)).abs() <= NEAR
