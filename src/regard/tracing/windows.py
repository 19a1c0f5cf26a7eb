"""One call of attention as a layer: of one sentence, or of all windows of one picture."""

from collections.abc import Iterator, Sequence
from math import prod

from torch import Tensor

from regard.record.layers import Layer, ScoredLayer, WeighedLayer
from regard.record.windows import WindowedLayer
from regard.tracing.addresses import parted
from regard.tracing.agreement import gives
from regard.tracing.functions import Attention
from regard.tracing.leading import Leading

Stack = tuple[Tensor, Tensor, Tensor]  # queries, keys and values of one window: (h, T, d) each
Windows = Sequence[ScoredLayer | WeighedLayer]


def layer_of(attention: Attention, kind: str) -> Layer:
    """Give a call as a layer: queries and keys, where the softmax of them is what met the values.

    Raises
    ------
    ValueError
        If it attends in several sentences, or in windows that cannot be told from heads; or from
        or to tokens that it picked.
    """
    check_rows(attention)
    _check_sentences(attention, 1)
    leading = leading_of(attention)
    parts = (attention.query, attention.key, attention.value)
    query, key, value = (leading.apart(x.detach()) for x in parts)  # (W, h, T, d)
    _check_sentences(attention, len(query))
    stacks = list(zip(query, key, value, strict=True))
    windows: Windows
    if attention.weights is None:
        windows = _scored(attention, leading, kind, stacks)
    else:
        windows = _weighed(leading.apart(attention.weights.detach()), kind, stacks)
    return windows[0] if len(windows) == 1 else WindowedLayer(windows)


def _scored(
    attention: Attention, leading: Leading, kind: str, stacks: list[Stack]
) -> list[ScoredLayer]:
    """Take each window's queries and keys, and what the mask says of it."""
    allowed = bias = None
    if attention.mask is not None:
        allowed, bias = parted(leading.of_mask(attention.mask.detach()))
    scale = stacks[0][0].size(-1) ** -0.5 if attention.scale is None else attention.scale
    return [
        ScoredLayer(
            kind,
            *stack,
            scale,
            allowed=allowed_here,
            bias=bias_here,
            is_causal=attention.is_causal,
        )
        for stack, allowed_here, bias_here in zip(
            stacks, _each(allowed, len(stacks)), _each(bias, len(stacks)), strict=True
        )
    ]


def _each(x: Tensor | None, count: int) -> list[Tensor | None]:
    """Give each window its part; what all share is there once."""
    if x is None or len(x) == 1:
        return [None if x is None else x[0]] * count
    return list(x)


def _weighed(weights: Tensor, kind: str, stacks: list[Stack]) -> Windows:
    """Take queries and keys where in one way they give all weights, (W, h, T, S); else these."""
    for guess in _guesses(kind, stacks):
        if all(map(gives, guess, weights)):
            return guess
    return [WeighedLayer(kind, of_window) for of_window in weights]


def _guesses(kind: str, stacks: list[Stack]) -> Iterator[list[ScoredLayer]]:
    """Guess how scores came from queries and keys: by a scale, or by none, as they were scaled."""
    size = stacks[0][0].size(-1)
    for is_causal in (True, False):
        for scale in (size**-0.5, 1.0):
            yield [ScoredLayer(kind, *stack, scale, is_causal=is_causal) for stack in stacks]


def check_rows(attention: Attention) -> None:
    """Raise where rows or columns of the weights are tokens that were picked by rank."""
    if attention.is_picked:
        raise ValueError(
            f"{attention.name or 'The model'} attends from or to tokens that it picks by rank "
            f"(queries {tuple(attention.query.shape)}, keys {tuple(attention.key.shape)}), so that "
            "rows and columns of its weights are no tokens in order: let it keep all, or read its "
            "class yourself (docs/own-models.md)."
        )


def _check_sentences(attention: Attention, count: int) -> None:
    """Raise where what attends apart may be sentences, and not the windows of one picture."""
    if attention.batch > 1 or (count > 1 and count in attention.sentences):
        raise ValueError(
            f"{attention.name or 'The model'} attends as {tuple(attention.query.shape)}: in "
            "several sentences at once, so that a head has no one matrix of weights. Pass one "
            "sentence, or one picture."
        )


def leading_of(attention: Attention) -> Leading:
    """Say which sides before (T, d) are heads: as is known, or else as is custom.

    Custom is (B, h), (B h) or (h), where the model was given B sentences.

    Raises
    ------
    ValueError
        If there are other sides, of which it is not known what they are.
    """
    lead, batch, known = tuple(attention.query.shape[:-2]), attention.batch, attention.leading
    if known is not None and (len(lead) == len(known.sizes) or prod(lead) == prod(known.sizes)):
        return known
    windows = _windows_given(attention)
    if len(lead) == 2 and lead[0] in {batch, windows}:
        return Leading(lead, (False, True))
    if len(lead) < 2 and windows <= batch and prod(lead) % batch == 0:
        return Leading((batch, prod(lead) // batch), (False, True))
    if len(lead) > 2 and batch == 1 and max(lead) == prod(lead):
        return Leading(lead, (True,) * len(lead))
    raise ValueError(
        f"{attention.name or 'The model'} attends as {tuple(attention.query.shape)}: in several "
        "windows or sentences at once, from which its heads cannot be told apart. Give heads a "
        "side of their own, such as by x.view(B, T, h, d).transpose(1, 2), where x is what a "
        "projection wrote; or read its class yourself (docs/own-models.md)."
    )


def _windows_given(attention: Attention) -> int:
    """Count the windows that the module was given: (W, T, d), (T, W, d) or (W, d, rows, columns).

    One that is given its queries, heads and all, tells nothing.
    """
    shape = attention.given[0] if attention.given else ()
    tokens = attention.query.size(-2)
    if len(shape) == 4:
        return shape[0]
    if len(shape) == 3 and shape != attention.query.shape and tokens in shape[:2]:
        return shape[0] * shape[1] // tokens
    return 1
