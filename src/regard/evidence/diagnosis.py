"""`doctor` and `examine`: is what you see attention? One line for each fault, with its mend."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from regard.record.given import ROUNDING
from regard.record.layers import Layer, WeighedLayer
from regard.record.streams import blocks
from regard.record.trace import Trace
from regard.record.words import Side
from regard.tracing.any_model import pretrained
from regard.tracing.inputs import is_text
from regard.tracing.run import trace
from regard.tracing.texts import Sentence, tokenize

SENTENCE = "The dog saw the cow because it seemed weak."
NOTICEABLE = 1e-6  # more than this is no rounding: a mask leaves exactly 0
UNDERFLOW = 0.01  # the share of weights that may be lost to half precision
HALVES = (torch.float16, torch.bfloat16)
SPARE_TOKENS = 1024  # embeddings may have so many rows for tokens that do not exist, or a tenth
PADDING = ("[PAD]", "<pad>", "<|pad|>", "<PAD>")  # as most tokenizers call it
TRACE_INSTEAD = (
    "use regard.trace(sentence, model, tokenizer), or call "
    'model.set_attn_implementation("eager") before output_attentions=True'
)


class Check(NamedTuple):
    """One thing that was looked at."""

    name: str
    passed: bool | None  # None where it could not be looked at
    finding: str
    mend: str = ""  # what to do, where it did not pass

    def __str__(self) -> str:
        verdict = {True: "ok", False: "FAIL", None: "skip"}[self.passed]
        mend = f": {self.mend}" if self.mend else ""
        return f"{verdict:<6}{self.name:<11}{self.finding}{mend}."


def _ok(name: str, finding: str) -> Check:
    return Check(name, passed=True, finding=finding)


def _fail(name: str, finding: str, mend: str = "") -> Check:
    return Check(name, passed=False, finding=finding, mend=mend)


def _skip(name: str, finding: str) -> Check:
    return Check(name, passed=None, finding=finding)


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """All that was looked at; printed, a line each.

    Examples
    --------
    >>> Diagnosis((Check("dropout", False, "it is on", "call model.eval()"),))
    FAIL  dropout    it is on: call model.eval().
    """

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Say whether no fault was found."""
        return not self.failures

    @property
    def failures(self) -> tuple[Check, ...]:
        """The faults that were found."""
        return tuple(check for check in self.checks if check.passed is False)

    def __iter__(self) -> Iterator[Check]:
        return iter(self.checks)

    def __len__(self) -> int:
        return len(self.checks)

    def __repr__(self) -> str:
        return "\n".join(map(str, self.checks))


def doctor(
    model: nn.Module,
    tokenizer: PreTrainedTokenizerBase | None = None,
    sentence: Sentence = SENTENCE,
    *,
    target: str | None = None,
) -> Diagnosis:
    """Run a model on a sentence, and say what would make its attention other than it seems.

    Where a fault leaves nothing to look at, as a foreign tokenizer does, what comes after it is
    left out. Weights are streamed, never all held.

    Parameters
    ----------
    model, tokenizer, sentence, target
        As for `regard.trace`.

    Returns
    -------
    Diagnosis
        One check for each fault; `.passed` if none was found.

    Raises
    ------
    TypeError
        If the sentence is of no type that is taken.
    ValueError
        If it is empty, or a text without a tokenizer. The faults themselves raise nothing.

    See Also
    --------
    examine : For weights that are there already.

    Examples
    --------
    >>> from regard.model.pairs import vocabulary
    >>> from regard.model.tokenization import build_tokenizer
    >>> from regard.model.transformer import build_transformer_model
    >>> model = build_transformer_model(300, 16, nhead=2, num_layers=1, dim_feedforward=32)
    >>> diagnosis = doctor(model, build_tokenizer(vocabulary(300)), "the dog saw it .")
    >>> for check in diagnosis.failures:
    ...     print(check)
    FAIL  dropout    it is on, at 0.1, so the model attends at random: call model.eval(), \
as regard.trace does for its one pass.
    """
    tensors = _tensors_of(sentence, tokenizer)
    ids = _ids_of(tensors)
    checks = [_check_dropout(model)]
    if tokenizer is not None and ids is not None:
        checks.append(fit := _check_tokenizer(ids, model, tokenizer))
        if fit.passed is False:
            return Diagnosis(tuple(checks))
        checks.append(words := _check_words(ids, tokenizer))
        if not words.passed and pretrained(model) is None:
            return Diagnosis(tuple(checks))  # trace refuses words that a word-level tokenizer lacks
    count = max((x.size(0) for x in tensors.values() if x.dim() > 1), default=1)
    checks.append(_check_batch(count))
    if count > 1:
        sentence = _first_of(sentence)
    try:
        seen = trace(sentence, model, tokenizer, target=target, values=False)
    except (ValueError, RuntimeError, IndexError) as error:
        said = " ".join(str(error).split()).removesuffix(".")
        return Diagnosis((*checks, _fail("weights", f"there are none. {said}")))
    padding = {
        "source": _padding_of(seen.source_tokens, tokenizer, tensors.get("attention_mask")),
        "target": _padding_of(seen.target_tokens, tokenizer, starts=1),
    }
    case = Case(
        seen,
        padding,
        left_to_right=_reads_left_to_right(model),
        dtype=next(model.parameters()).dtype,
        knows_padding=tokenizer is not None,
    )
    return Diagnosis((*checks, _check_origin(seen, model), *_check_layers(case)))


def examine(
    weights: Any,
    tokens: Sequence[str] | None = None,
    *,
    target_tokens: Sequence[str] | None = None,
    kind: str = "encoder",
    pad_token: str | None = None,
    model: nn.Module | None = None,
) -> Diagnosis:
    """Say what is wrong with attention weights that are there already.

    Parameters
    ----------
    weights
        As for `Trace.from_weights`; but faulty ones, and those of several sentences, are looked at
        too.
    tokens
        Those that are read, and that read too in self-attention.
    target_tokens
        Those that read in cross-attention.
    kind
        "encoder", "decoder" (no token may read what comes after it) or "cross".
    pad_token
        What padding is called, if not `[PAD]` or `<pad>`.
    model
        The model that gave them, to be asked about dropout and its implementation of attention.

    Returns
    -------
    Diagnosis
        One check for each fault; `.passed` if none was found.

    Examples
    --------
    >>> weights = [[0.5, 0.25, 0.25], [0.0, 0.5, 0.5], [0.0, 0.0, 1.0]]
    >>> diagnosis = examine(weights, ["the", "dog", "[PAD]"])
    >>> for check in diagnosis.failures:
    ...     print(check)
    FAIL  padding    2 rows read it, first in encoder layer 0, head 0, row 0, by up to 0.5: \
pass attention_mask to the model, as the tokenizer gives it.
    """
    dropout = [] if model is None else [_check_dropout(model)]
    several = _tensors_by_layer(weights)
    shapes = {tuple(x.shape) for x in several.values() if not 2 <= x.dim() <= 4}
    if not any(x.numel() for x in several.values()) or shapes:
        return Diagnosis((*dropout, _no_weights(weights, shapes, model)))
    batch = max(x.size(0) if x.dim() == 4 else 1 for x in several.values())
    layers: dict[int, Layer] = {
        number: WeighedLayer(kind, (x[0] if x.dim() == 4 else x[None] if x.dim() == 2 else x))
        for number, x in several.items()
    }
    pads = PADDING if pad_token is None else (pad_token,)
    names = {"source": list(tokens or []), "target": list(target_tokens or [])}
    padding = {side: _runs(of_side, pads) for side, of_side in names.items()}
    seen = Trace(
        Side.of_names(names["source"]),
        Side.of_names(names["target"]),
        [],
        {kind: layers},
        {kind: max(layers) + 1},
        how="weights",
    )
    found = _ok("weights", f"of {_counted(len(layers), 'layer')}")
    case = Case(seen, padding, {"decoder"}, torch.float32, knows_padding=tokens is not None)
    return Diagnosis((*dropout, found, _check_batch(batch), *_check_layers(case)))


# before the model runs


def _tensors_of(
    sentence: Sentence, tokenizer: PreTrainedTokenizerBase | None
) -> Mapping[str, Tensor]:
    if is_text(sentence):
        if tokenizer is None:
            raise ValueError("A text needs its tokenizer: doctor(model, tokenizer, sentence).")
        return tokenize(sentence, tokenizer).inputs
    if isinstance(sentence, Mapping):
        return sentence
    several = sentence if isinstance(sentence, tuple) else (sentence,)
    if not all(isinstance(x, Tensor) for x in several):
        raise TypeError(
            "A sentence is a string, a pair of strings, a list of words, or tensors, but got "
            f"{type(sentence).__name__}."
        )
    return {str(i): x for i, x in enumerate(several) if isinstance(x, Tensor)}


def _ids_of(tensors: Mapping[str, Tensor]) -> Tensor | None:
    ids = tensors.get("input_ids", tensors.get("0"))
    return None if ids is None or ids.is_floating_point() else ids


def _first_of(sentence: Any) -> Any:
    if isinstance(sentence, Tensor):
        return sentence[:1]
    if isinstance(sentence, tuple):
        return tuple(x[:1] for x in sentence)
    return {name: x[:1] for name, x in sentence.items()}


def _check_batch(count: int) -> Check:
    if count == 1:
        return _ok("sentences", "one")
    return _fail(
        "sentences",
        f"a batch of {count}, of which only the first was looked at",
        "pass one, such as `{name: x[:1] for name, x in inputs.items()}` or "
        "`[w[:1] for w in attentions]`",
    )


def _check_dropout(model: nn.Module) -> Check:
    rates = [rate for module in model.modules() if module.training for rate in _dropout_of(module)]
    if any(rates):
        return _fail(
            "dropout",
            f"it is on, at {max(rates):.3g}, so the model attends at random",
            "call model.eval(), as regard.trace does for its one pass",
        )
    return _ok("dropout", "it is off" if not model.training else "the model has none")


def _dropout_of(module: nn.Module) -> list[float]:
    """Give the rates that a module drops at, by whatever name it has for them."""
    is_dropout = "dropout" in type(module).__name__.lower()
    return [
        value
        for name, value in vars(module).items()
        if isinstance(value, float) and ("drop" in name or (is_dropout and name == "p"))
    ]


def _check_tokenizer(ids: Tensor, model: nn.Module, tokenizer: PreTrainedTokenizerBase) -> Check:
    """Hold the tokenizer's tokens against the rows of the model's embeddings."""
    meant = pretrained(model)
    embeddings = None if meant is None else meant.get_input_embeddings()
    rows = getattr(embeddings, "num_embeddings", None)
    if rows is None:
        return _skip("tokenizer", "the model does not say how many tokens it knows")
    known, highest = len(tokenizer), int(ids.max()) if ids.numel() else 0
    finding = f"it has {known} tokens, and the model knows {rows}"
    if highest >= rows:
        finding = f"it gives ids up to {highest}, but the model knows {rows} tokens"
    elif known <= rows <= max(known + SPARE_TOKENS, known / 0.9):
        return _ok("tokenizer", finding)
    name = getattr(getattr(meant, "config", None), "_name_or_path", "") or type(model).__name__
    return _fail(
        "tokenizer",
        finding,
        f"load the one that belongs to {name}, or call model.resize_token_embeddings("
        "len(tokenizer)) if tokens were added and trained",
    )


def _check_words(ids: Tensor, tokenizer: PreTrainedTokenizerBase) -> Check:
    unknown = tokenizer.unk_token_id
    if unknown in {tokenizer.bos_token_id, tokenizer.eos_token_id}:
        unknown = None  # GPT-2 calls three things by one name, and knows every word
    count = 0 if unknown is None else int((ids == unknown).sum())
    if count == 0:
        return _ok("words", f"all {ids.size(-1)} tokens are known")
    return _fail(
        "words",
        f"the tokenizer does not know {count} of {ids.numel()} tokens ({tokenizer.unk_token})",
        "write them otherwise, or load the tokenizer that belongs to the model",
    )


# how the weights were got


def _check_origin(seen: Trace, model: nn.Module) -> Check:
    layers = ", ".join(_counted(seen.counts[kind], f"{kind} layer") for kind in seen.kinds)
    finding = f"of {layers}, from {seen.how}"
    if pretrained(model) is not None:
        if seen.how.startswith("queries and keys"):
            finding += ", held against the model's own output in 3 rows a layer"
        implementation = _implementation(model)
        if implementation != "eager":
            finding += f" (output_attentions=True gives none under {implementation!r})"
    return _ok("weights", finding)


def _implementation(model: nn.Module) -> str:
    config = getattr(model, "config", None)
    return str(getattr(config, "_attn_implementation", None) or "an unknown implementation")


def _no_weights(weights: Any, shapes: set[tuple[int, ...]], model: nn.Module | None) -> Check:
    if shapes:
        return _fail(
            "weights",
            f"they are {', '.join(map(str, sorted(shapes)))}",
            "pass (heads, queries, keys), or one such for each layer",
        )
    shown = "None" if weights is None else "empty"
    if model is None:
        why = ", as output_attentions=True gives under sdpa and flash attention"
    else:
        why = f": model.config._attn_implementation is {_implementation(model)!r}"
        why += ", which computes none" if _implementation(model) != "eager" else ""
    return _fail("weights", f"they are {shown}{why}", TRACE_INSTEAD)


def _tensors_by_layer(weights: Any) -> dict[int, Tensor]:
    """Give one tensor for each layer that has weights, whatever is wrong with them."""
    if weights is None or len(weights) == 0:
        return {}
    if isinstance(weights, list | tuple) and any(w is None or np.ndim(w) > 2 for w in weights):
        return {i: _tensor(w) for i, w in enumerate(weights) if w is not None}
    whole = _tensor(weights)
    return dict(enumerate(whole if whole.dim() == 4 else [whole]))


def _tensor(weights: Any) -> Tensor:
    return weights.detach() if isinstance(weights, Tensor) else torch.as_tensor(np.array(weights))


# padding


def _padding_of(
    tokens: list[str],
    tokenizer: PreTrainedTokenizerBase | None,
    mask: Tensor | None = None,
    *,
    starts: int = 0,
) -> list[bool]:
    """Say which tokens are padding: by their name at either end, or because they are masked."""
    if tokenizer is None or tokenizer.pad_token is None:
        named = [False] * len(tokens)
    else:
        pad = str(tokenizer.pad_token)
        ends = pad in {tokenizer.eos_token, tokenizer.bos_token, tokenizer.sep_token}
        named = _runs(tokens, (pad,), kept=int(ends), starts=starts)
    if mask is None or mask.dim() != 2 or mask.size(1) != len(tokens):
        return named
    return [name or not may for name, may in zip(named, mask[0].tolist(), strict=True)]


def _runs(tokens: list[str], pads: Sequence[str], *, kept: int = 0, starts: int = 0) -> list[bool]:
    """Mark the runs of padding at both ends, but for `kept` tokens that end the text itself.

    The first `starts` tokens are none: some decoders start with the padding token.
    """
    ordinary = [at for at, token in enumerate(tokens) if at >= starts and token not in pads]
    if not ordinary:
        return [False] * len(tokens)
    first, last = ordinary[0] - kept, ordinary[-1] + kept
    return [starts <= at and not first <= at <= last for at in range(len(tokens))]


def _reads_left_to_right(model: nn.Module) -> set[str]:
    """Name the kinds of attention that may not read the future.

    A decoder alone that does is an encoder to `trace`; but it must not, if it is to generate.
    """
    meant = pretrained(model)
    if meant is None:
        return {"decoder"}
    config = meant.config
    both_ways = getattr(config, "use_bidirectional_attention", False) or (
        False in {getattr(config, name, None) for name in ("causal", "is_causal")}
    )
    is_whole = getattr(config, "is_encoder_decoder", False) or getattr(config, "sub_configs", {})
    if is_whole or both_ways or not (getattr(config, "is_decoder", False) or meant.can_generate()):
        return {"decoder"}
    return {"decoder", "encoder"}


# the weights themselves


@dataclass(frozen=True)
class Case:
    """Layers, and what is known about their tokens and their model."""

    seen: Trace
    padding: dict[str, list[bool]]  # of the source and the target
    left_to_right: set[str]  # kinds
    dtype: torch.dtype  # what the model computes in
    knows_padding: bool

    def sides(self, kind: str) -> tuple[str, str]:
        """Name the sides that read and that are read."""
        if kind == "encoder" or (kind == "decoder" and not self.seen.target_tokens):
            return "source", "source"
        return "target", "target" if kind == "decoder" else "source"

    def num_tokens(self, kind: str) -> tuple[int, int]:
        """Count the tokens that read and that are read; 0 where they have no names."""
        rows, columns = (len(self.padding[side]) for side in self.sides(kind))
        return rows, columns

    def is_padding(self, kind: str, layer: Layer) -> tuple[Tensor, Tensor]:
        """Mark the rows and the columns of a layer that are padding: (Q,), (K,)."""
        marks = (torch.tensor(self.padding[side], dtype=torch.bool) for side in self.sides(kind))
        rows, columns = (
            mark if len(mark) == count else torch.zeros(count, dtype=torch.bool)
            for mark, count in zip(marks, layer.shape[1:], strict=True)
        )
        return rows, columns


@dataclass
class Tally:
    """How often a fault was found, where first, and how bad it is."""

    count: int = 0
    where: str = ""
    worst: float = 0.0

    def add(self, found: Tensor, sizes: Tensor | None, place: str, first_row: int) -> None:
        """Count what was found in some rows, (h, Q', ...), each as bad as its size."""
        if not found.any():
            return
        if not self.count:
            head, row = found.nonzero()[0, :2].tolist()
            self.where = f"first in {place}, head {head}, row {first_row + row}"
        self.count += int(found.sum())
        if sizes is not None:
            self.worst = max(self.worst, float(sizes[found].max()))


@dataclass
class Tallies:
    """All faults that weights themselves can have."""

    nan: Tally = field(default_factory=Tally)
    infinite: Tally = field(default_factory=Tally)
    negative: Tally = field(default_factory=Tally)
    sums: Tally = field(default_factory=Tally)
    dead: Tally = field(default_factory=Tally)
    padding: Tally = field(default_factory=Tally)
    future: Tally = field(default_factory=Tally)
    lost: Tally = field(default_factory=Tally)
    num_positive: int = 0
    num_padding: int = 0


def _check_layers(case: Case) -> list[Check]:
    tallies = Tallies()
    for kind, of_kind in case.seen.layers.items():
        for number, layer in of_kind.items():
            _look(layer, f"{kind} layer {number}", case, tallies)
    names = _check_names(case)
    return [
        _check_values(tallies),
        _check_sums(tallies.sums),
        _check_dead(tallies.dead),
        names,
        _check_padding(tallies, is_known=case.knows_padding and names.passed is True),
        _check_future(case, tallies.future),
        _check_precision(case, tallies),
    ]


def _look(layer: Layer, place: str, case: Case, tallies: Tallies) -> None:
    """Look at one layer, some rows at a time."""
    pad_rows, pad_columns = case.is_padding(layer.kind, layer)
    tallies.num_padding += int(pad_columns.sum())
    for rows, weights in blocks(layer):
        start = rows.start
        for name, broken in (
            ("nan", weights.isnan()),
            ("infinite", weights.isinf()),
            ("negative", (weights < 0) & ~weights.isinf()),
        ):
            getattr(tallies, name).add(broken, None, place, start)
        sound = (weights.isfinite() & (weights >= 0)).all(dim=-1)  # (h, Q')
        sound &= ~pad_rows[rows].to(weights.device)  # what padding reads is nobody's business
        total = weights.sum(dim=-1)
        dead = sound & (total == 0)
        tallies.dead.add(dead, None, place, start)
        off = _off(total, layer)
        tallies.sums.add(sound & ~dead & (off > _rounding(layer)), off, place, start)
        on_padding = weights[..., pad_columns.to(weights.device)].sum(dim=-1)
        tallies.padding.add(sound & (on_padding > NOTICEABLE), on_padding, place, start)
        if layer.kind in case.left_to_right and layer.shape[1] == layer.shape[2]:
            on_future = weights.triu(start + 1).sum(dim=-1)
            tallies.future.add(sound & (on_future > NOTICEABLE), on_future, place, start)
        if case.dtype in HALVES and not isinstance(layer, WeighedLayer):
            tallies.num_positive += int((weights > 0).sum())
            tallies.lost.add((weights > 0) & (weights.to(case.dtype) == 0), None, place, start)


def _off(total: Tensor, layer: Layer) -> Tensor:
    """Say how far rows are from summing to 1; to less, where there is a sink, is right."""
    off = total - 1
    return off if getattr(layer, "sinks", None) is not None else off.abs()


def _rounding(layer: Layer) -> float:
    is_coarse = isinstance(layer, WeighedLayer) and layer.weights.dtype == torch.bfloat16
    return 10 * ROUNDING if is_coarse else ROUNDING


def _check_values(tallies: Tallies) -> Check:
    mends = {
        "nan": "a row that may read nothing gives NaN (correct the mask), and so does an overflow "
        "(model.float())",
        "infinite": "look for an overflow (model.float()), and pass weights, not masked scores",
        "negative": "pass weights, after the softmax, not scores",
    }
    found = {name: tally for name in mends if (tally := getattr(tallies, name)).count}
    if not found:
        return _ok("values", "all are finite and at least 0")
    finding = ", ".join(
        f"{tally.count} {'NaN' if name == 'nan' else name}" for name, tally in found.items()
    )
    first = next(iter(found))
    return _fail("values", f"{finding}, {found[first].where}", mends[first])


def _check_sums(sums: Tally) -> Check:
    if not sums.count:
        return _ok("sums", "every row that reads sums to 1")
    return _fail(
        "sums",
        f"{_counted(sums.count, 'row')} off by up to {sums.worst:.2g} from 1, {sums.where}",
        "in train mode dropout is in them (model.eval()); scores must pass the softmax over keys, "
        "the last axis; and no token may be cut off",
    )


def _check_dead(dead: Tally) -> Check:
    if not dead.count:
        return _ok("dead rows", "every token reads something")
    return _fail(
        "dead rows",
        f"{_counted(dead.count, 'row')} read nothing, {dead.where}",
        "look whether the mask is the wrong way round: True may attend in sdpa and in regard, but "
        "may not in nn.MultiheadAttention",
    )


def _check_names(case: Case) -> Check:
    """Hold the numbers of rows and columns against the numbers of tokens."""
    if not any(case.padding.values()):
        return _skip("names", "no tokens were given")
    for kind, of_kind in case.seen.layers.items():
        named = case.num_tokens(kind)
        for number, layer in of_kind.items():
            for count, size, what in zip(named, layer.shape[1:], ("rows", "columns"), strict=True):
                if count not in {0, size}:
                    return _fail(
                        "names",
                        f"{kind} layer {number} has {size} {what}, but there are {count} tokens",
                        "name every token that the model saw, special ones too: "
                        "tokenizer.convert_ids_to_tokens(inputs.input_ids[0])",
                    )
    return _ok("names", "there is one token for each row and column")


def _check_padding(tallies: Tallies, *, is_known: bool) -> Check:
    if not is_known:
        return _skip("padding", "without names for the tokens, it is not known where it is")
    if not tallies.padding.count:
        return _ok("padding", "nothing reads it" if tallies.num_padding else "there is none")
    return _fail(
        "padding",
        f"{_counted(tallies.padding.count, 'row')} read it, {tallies.padding.where}, by up to "
        f"{tallies.padding.worst:.2g}",
        "pass attention_mask to the model, as the tokenizer gives it",
    )


def _check_future(case: Case, future: Tally) -> Check:
    if not case.left_to_right & set(case.seen.kinds):
        return _ok("future", "tokens may read what comes after them, as in every encoder")
    if not future.count:
        return _ok("future", "no token of the decoder reads what comes after it")
    return _fail(
        "future",
        f"{_counted(future.count, 'row')} of the decoder read what comes after them, "
        f"{future.where}, by up to {future.worst:.2g}",
        "give the decoder a causal mask, and look whether rows and columns were swapped",
    )


def _check_precision(case: Case, tallies: Tallies) -> Check:
    layers = [layer for of_kind in case.seen.layers.values() for layer in of_kind.values()]
    coarse = {x.weights.dtype for x in layers if isinstance(x, WeighedLayer)} & set(HALVES)
    if coarse:
        name = str(coarse.pop()).removeprefix("torch.")
        return _skip("precision", f"{name} weights; what they lost cannot be seen in them")
    name = str(case.dtype).removeprefix("torch.")
    if not tallies.num_positive:
        return _ok("precision", name)
    share = tallies.lost.count / tallies.num_positive
    finding = f"in {name}, {share:.1%} of the weights become 0"
    if share <= UNDERFLOW:
        return _ok("precision", finding)
    return _fail(
        "precision",
        f"{finding}, {tallies.lost.where}",
        "call model.float(); regard.trace computes weights in float32, but of such queries",
    )


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
