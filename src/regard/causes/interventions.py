"""Change what a model may read, and see what it can no longer do."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from regard.causes.averages import Averages, Means
from regard.causes.recomputed import Recomputed
from regard.causes.within import within
from regard.record.door import described, text
from regard.record.kinds import KINDS, Head, in_part, part_of, plain
from regard.tracing.any_model import AnyModel
from regard.tracing.calls import Address, Call
from regard.tracing.modules import evaluating
from regard.tracing.parts import lists_of

Heads = Mapping[tuple[str, int], list[int]]  # the heads of each kind and layer
AVERAGED = ("mean", "position mean")  # the modes that need a reference
MODES = ("zero", *AVERAGED, "uniform")


def edge_mask(edges: Sequence[tuple[int, int]], length: int) -> Tensor:
    """Mark one edge (query, key) in each of B sentences, to `block` it.

    Parameters
    ----------
    edges
        The positions of a query and a key, one pair a sentence, counted from 0.
    length
        To how many tokens the sentences are padded.

    Returns
    -------
    Tensor
        Bool (B, length, length), True at the edge of each sentence.

    Raises
    ------
    ValueError
        If an edge lies outside the sentence.

    Examples
    --------
    >>> edge_mask([(1, 0)], length=2).int()
    tensor([[[0, 0],
             [1, 0]]], dtype=torch.int32)
    """
    outside = [edge for edge in edges if not all(0 <= position < length for position in edge)]
    if outside:
        raise ValueError(
            f"{len(outside)} of {len(edges)} edges lie outside of sentences of {length} tokens, "
            f"first {outside[0]}: positions are 0 to {length - 1}. Give each edge as (query, key), "
            "and the length of the padded batch."
        )
    query, key = torch.tensor(edges, dtype=torch.long).reshape(-1, 2).T  # (B,) each
    marked = torch.zeros(len(edges), length, length, dtype=torch.bool)
    marked[torch.arange(len(edges)), query, key] = True
    return marked


@within
def block(
    model: nn.Module,
    forbidden: Tensor,
    *,
    kind: str = "encoder",
    heads: Sequence[Head | tuple[str, int, int]] | None = None,
) -> Iterator[None]:
    """Let no head of one kind of attention read along the forbidden edges, while within.

    The softmax shares the reader's attention among the edges that are left, so it still reads as
    much as before, but elsewhere. A reader with no edge left writes zeros.

    Parameters
    ----------
    model
        Any that `trace` opens, but for transformers models that are traced through eager weights.
    forbidden
        Bool (B, Q, K), for the batch that the model is given: True where query may not read key.
    kind
        "encoder", "decoder" or "cross".
    heads
        Only these, each (kind, layer, head) as in a trace, whatever `kind` is.

    Raises
    ------
    ValueError
        If the model has no such attention, or the edges do not fit the batch.
    TypeError
        If `forbidden` is not bool with three dimensions.
    RuntimeError
        At the end, if a transformers model has not attended within, so that nothing was blocked; in
        backward, if it is called outside and has to compute blocked layers again.

    Notes
    -----
    The attention knockout of Geva et al. (2023), *Dissecting recall of factual associations in
    auto-regressive language models*: a forbidden edge's score is -inf before the softmax.

    Only this thread's forward passes are blocked.

    Examples
    --------
    >>> from regard.model.transformer import build_transformer_model
    >>> model = build_transformer_model(9, 8, nhead=2, num_layers=1, dim_feedforward=8).eval()
    >>> src = torch.tensor([[4, 5, 6]])
    >>> seeing = model.generate(src, max_length=3)
    >>> with block(model, torch.eye(3, dtype=torch.bool)[None]):
    ...     without_itself = model.generate(src, max_length=3)
    >>> torch.equal(model.generate(src, max_length=3), seeing)
    True
    """
    if not isinstance(forbidden, Tensor):
        raise TypeError(
            f"The forbidden edges are a bool tensor (sentences, queries, keys), but got "
            f"{described(forbidden)}: regard.causes.interventions.edge_mask makes one."
        )
    if forbidden.dtype != torch.bool or forbidden.dim() != 3:
        raise TypeError(
            "The forbidden edges are bool (sentences, queries, keys), but got "
            f"{forbidden.dtype} {tuple(forbidden.shape)}."
        )
    text("A kind of attention", kind)
    chosen = None if heads is None else _by_layer(heads)
    found = AnyModel(model)
    for wanted in [kind] if heads is None else [head[0] for head in heads]:
        _check_kind(found, wanted, "to block")
    done: set[tuple[str, int]] = set()
    again = Recomputed(found.whole, "block")

    def allow(address: Address, num_heads: int) -> Tensor | None:
        edges = forbidden[:, None]  # (B, 1, Q, K)
        if chosen is None:
            if not address.is_of(kind):
                return None
            done.add((kind, 0))
        else:
            at = _places_at(address, chosen)
            if not at:
                return None
            edges = edges & _marked(_heads_at(at, chosen, num_heads), num_heads, forbidden.device)
            done.update(at)
        again.note()
        return ~edges

    with found.narrowing(allow) as numbers, again.refused_outside(numbers):
        yield
    _check_done(found, {(kind, 0)} if chosen is None else set(chosen), done, numbers.seen)


@within
def ablate(
    model: nn.Module,
    heads: Sequence[Head | tuple[str, int, int]],
    mode: str = "zero",
    *,
    reference: Callable[[], Any] | None = None,
) -> Iterator[None]:
    """Take away what some heads write, while within.

    Parameters
    ----------
    model
        Any that `trace` opens, but for transformers models that are traced through eager weights.
        Modules of the protocol return a named tuple of `output` (B, T, d_model) and `weights`.
    heads
        Each (kind, layer, head), as a trace counts them: kind "encoder", "decoder" or "cross".
    mode
        What the head's slice (B, T, d_v), which the layer's output projection is given, becomes:
        "zero"; "mean", everywhere the mean of what the head writes at all positions of all
        sentences of a reference; "position mean", at each position the mean of what it writes
        there, for sentences of one template, all of one length; "uniform", what the head would
        write if each query read all keys that it may read alike (no position bias, no sink; zeros
        where it may read none).
    reference
        For the means: runs the model on reference sentences, any number of times, such as
        `lambda: model(**batch)`. Padding is left out: what the model's masks let no token read.
        Give `attention_mask`, and to a decoder `decoder_attention_mask`, without which
        transformers' decoders read their padding. Here the model is in eval mode and without
        gradients.

    Raises
    ------
    ValueError
        If there is no such kind, layer, head or mode, or the heads of the model cannot be edited;
        before anything runs where that is known, else where the layer attends, or at the end.
    RuntimeError
        At the end, if some of the heads never attended, so that nothing was taken from them; in
        backward, if it is called outside and has to compute their layers again.

    Notes
    -----
    "zero" is the mask of Michel et al. (2019), *Are sixteen heads really better than one?*, section
    2.3; "mean" the knockout of Wang et al. (2023), *Interpretability in the wild*, section 2.1,
    which keeps what a head always says and takes away what it says about this sentence; they take
    it at each position of a template, here "position mean". The mean over the sentence's own
    positions would tell a decoder of its future, and changes nothing where
    it is given one token at a time.

    Only this thread's forward passes are changed. A trace within shows where the heads look, which
    in later layers may have changed, not that nothing comes of it.

    Examples
    --------
    >>> from regard.model.transformer import build_transformer_model
    >>> model = build_transformer_model(9, 8, nhead=2, num_layers=1, dim_feedforward=8).eval()
    >>> src, tgt = torch.tensor([[4, 5, 6]]), torch.tensor([[1, 7]])
    >>> before = model(src, tgt)
    >>> with ablate(model, [("encoder", 0, 1), ("cross", 0, 0)]):
    ...     without = model(src, tgt)
    >>> torch.equal(without, before), torch.equal(model(src, tgt), before)
    (False, True)
    """
    _check_mode(mode, reference)
    chosen = _by_layer(heads)
    found = AnyModel(model)
    for kind, _ in chosen:
        _check_kind(found, kind, "to ablate")
    means = {} if reference is None else _means(found, chosen, mode, reference)
    done: set[tuple[str, int]] = set()
    again = Recomputed(found.whole, "ablate")

    def edit(call: Call) -> Tensor | None:
        at = _places_at(call.address, chosen)
        if not at:
            return None
        heads = _heads_at(at, chosen, call.num_heads)
        done.update(at)
        again.note()
        return _without(call, heads, mode, means.get(at[0]))

    with found.editing(edit) as numbers, again.refused_outside(numbers):
        yield
    _check_done(found, set(chosen), done, numbers.seen)


def _places_at(address: Address, chosen: Heads) -> list[tuple[str, int]]:
    """Find a layer among those that were chosen: by its kind, or by that and its part."""
    return [place for place in chosen if address.is_at(*place)]


def _heads_at(places: list[tuple[str, int]], chosen: Heads, num_heads: int) -> list[int]:
    """Give the heads that were chosen of a layer, or raise if one is not there."""
    for place in places:
        _check_heads(chosen[place], place, num_heads)
    return [head for place in places for head in chosen[place]]


def _without(call: Call, heads: list[int], mode: str, mean: Tensor | None) -> Tensor:
    """Give what all heads write when some do not write what they did: (B, T, h, d_v)."""
    output = call.output().clone()
    if mode == "zero":
        output[:, :, heads] = 0
    elif mean is not None:
        _check_length(mean, output)
        output[:, :, heads] = mean[..., heads, :].to(output)
    else:
        output[:, :, heads] = call.evenly()[:, :, heads].to(output.dtype)
    return output


def _means(model: AnyModel, chosen: Heads, mode: str, reference: Callable[[], Any]) -> Means:
    """Average what heads write over the words of the reference."""
    of_cross = any(plain(kind) == "cross" for kind, _ in chosen)
    averages = Averages(of_cross=of_cross, by_position=mode == "position mean")

    def note(call: Call) -> None:
        averages.note(call, _places_at(call.address, chosen))

    with evaluating(model.whole), model.editing(note) as numbers:
        reference()
    _check_done(model, set(chosen), averages.places, numbers.seen, "in the reference")
    return averages.means()


def _check_length(mean: Tensor, output: Tensor) -> None:
    """Raise where there is a mean for each position, but of other positions."""
    if mean.dim() == 3 and len(mean) != output.size(1):
        raise ValueError(
            f'The mode "position mean" has means of {len(mean)} positions, as long as the '
            f"sentences of the reference are, but the model reads {output.size(1)} tokens: give it "
            "sentences of the same template, as long, and call it directly, since `generate` reads "
            "a token at a time."
        )


def _marked(heads: list[int], num_heads: int, device: torch.device) -> Tensor:
    """Mark some heads: bool (h, 1, 1)."""
    marked = torch.zeros(num_heads, 1, 1, dtype=torch.bool, device=device)
    marked[heads] = True
    return marked


def _by_layer(heads: Any) -> Heads:
    """Sort heads by kind and layer, or say what is wrong with one."""
    if not isinstance(heads, Sequence) or isinstance(heads, str):
        raise TypeError(
            f'Heads are a list, such as [("encoder", 0, 1)], but got {described(heads)}.'
        )
    if not heads:
        raise ValueError('No head is named: give at least one, such as ("encoder", 0, 1).')
    chosen: dict[tuple[str, int], list[int]] = {}
    for head in heads:
        if not _is_head(head):
            raise ValueError(
                f"A head is (kind, layer, head), its kind one of {list(KINDS)}, layer and head "
                f'counted from 0, such as ("encoder", 0, 1), but got {head!r}.'
            )
        kind, layer, number = head
        chosen.setdefault((kind, int(layer)), []).append(int(number))
    return chosen


def _is_head(head: Any) -> bool:
    """Say whether this is a kind and two whole numbers from 0 on, numpy's too."""
    if not isinstance(head, tuple | list) or len(head) != 3 or not isinstance(head[0], str):
        return False
    if plain(head[0]) not in KINDS:
        return False
    return all(hasattr(n, "__index__") and n is not True and n >= 0 for n in head[1:])


def _check_mode(mode: str, reference: Callable[[], Any] | None) -> None:
    if mode not in MODES:
        raise ValueError(f"There is no mode {mode!r}: choose from {MODES}.")
    if (mode in AVERAGED) != (reference is not None):
        raise ValueError(
            'The modes "mean" and "position mean", and no other, need a reference: a function that '
            "runs the model on the sentences to average over, such as `lambda: model(**batch)`; "
            f"got mode={mode!r} "
            f"{'without one' if reference is None else 'with one'}."
        )


def _check_kind(model: AnyModel, kind: str, purpose: str) -> None:
    kinds = model.kinds
    if plain(kind) not in (KINDS if kinds is None else kinds):
        raise ValueError(
            f"{model.name} has no attention of kind {kind!r} {purpose}: choose from "
            f"{[k for k in KINDS if kinds is None or k in kinds]}."
        )


def _check_heads(heads: list[int], place: tuple[str, int], num_heads: int) -> None:
    if max(heads) >= num_heads:
        raise ValueError(
            f"There is no head {max(heads)} in {place[0]} layer {place[1]}: it has {num_heads}, "
            f"numbered 0 to {num_heads - 1}."
        )


def _check_done(
    model: AnyModel,
    wanted: set[tuple[str, int]],
    done: set[tuple[str, int]],
    seen: Mapping[str, Sequence[str]],
    where: str = "within",
) -> None:
    """Raise where a layer that should have been changed never attended."""
    for kind in sorted({kind for kind, _ in done}):
        _check_one_part(model, kind, seen)
    missing = sorted(wanted - done)
    if not missing:
        return
    places = ", ".join(f"{kind} layer {number}" for kind, number in missing)
    if not seen:
        raise RuntimeError(
            f"{places} never attended {where}, so nothing was changed: run the model there, in the "
            f"same thread.{model.hint}"
        )
    counts = {kind: len(paths) for kind, paths in seen.items()}
    raise ValueError(
        f"{places} never attended {where}, so nothing was changed there: {model.name} "
        f"attended in, by kind, {counts} layers, numbered from 0."
    )


def _check_one_part(model: AnyModel, kind: str, seen: Mapping[str, Sequence[str]]) -> None:
    """Raise where layers of several parts were numbered as one stack: nobody meant that."""
    if part_of(kind) or len(stacks := lists_of(seen.get(kind, ()))) < 2:
        return
    names = sorted(".".join(stack) for stack in stacks)
    raise ValueError(
        f"{model.name} has attention of kind {kind!r} in several parts, {names}: name the part, as "
        f"a trace does, {in_part('part', kind)!r}; its .kinds say which there are."
    )
