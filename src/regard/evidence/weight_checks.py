"""Faults that weights themselves can have, counted while they are streamed."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from regard.evidence.checks import Check, counted, fail, ok, skip
from regard.record.given import ROUNDING
from regard.record.kinds import plain
from regard.record.layers import Layer, WeighedLayer
from regard.record.regrouping import sides_of
from regard.record.streams import blocks
from regard.record.trace import Trace

NOTICEABLE = 1e-6  # more than this is no rounding: a mask leaves exactly 0
UNDERFLOW = 0.01  # the share of weights that may be lost to half precision
NO_ROW = "no row is of finite numbers, none of them negative"
HALVES = (torch.float16, torch.bfloat16)


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
        named = {id(self.seen.target): "target", id(self.seen.source): "source"}
        rows, columns = (named.get(id(side), "other") for side in sides_of(self.seen, kind))
        return rows, columns

    def num_tokens(self, kind: str) -> tuple[int, int]:
        """Count the tokens that read and that are read; 0 where they have no names."""
        rows, columns = (len(self.padding.get(side, [])) for side in self.sides(kind))
        return rows, columns

    def is_padding(self, kind: str, layer: Layer) -> tuple[Tensor, Tensor]:
        """Mark the rows and the columns of a layer that are padding: (Q,), (K,)."""
        marks = (
            torch.tensor(self.padding.get(side, []), dtype=torch.bool) for side in self.sides(kind)
        )
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
    num_rows: int = 0  # that can be looked at: of finite numbers, none negative
    num_positive: int = 0
    num_padding: int = 0


def check_layers(case: Case) -> list[Check]:
    """Look for every fault in every layer."""
    tallies = Tallies()
    for kind, of_kind in case.seen.layers.items():
        for number, layer in of_kind.items():
            _look(layer, f"{kind} layer {number}", case, tallies)
    names = _check_names(case)
    return [
        _check_values(tallies),
        _check_sums(tallies),
        _check_dead(tallies),
        names,
        _check_padding(tallies, is_known=case.knows_padding and names.passed is True),
        _check_future(case, tallies),
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
        tallies.num_rows += int(sound.sum())
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
        return ok("values", "all are finite and at least 0")
    finding = ", ".join(
        f"{tally.count} {'NaN' if name == 'nan' else name}" for name, tally in found.items()
    )
    first = next(iter(found))
    return fail("values", f"{finding}, {found[first].where}", mends[first])


def _check_sums(tallies: Tallies) -> Check:
    sums = tallies.sums
    if not tallies.num_rows:
        return skip("sums", NO_ROW)
    if not sums.count:
        return ok("sums", "every row that reads sums to 1")
    return fail(
        "sums",
        f"{counted(sums.count, 'row')} off by up to {sums.worst:.2g} from 1, {sums.where}",
        "in train mode dropout is in them (model.eval()); scores must pass the softmax over keys, "
        "the last axis; and no token may be cut off",
    )


def _check_dead(tallies: Tallies) -> Check:
    dead = tallies.dead
    if not tallies.num_rows:
        return skip("dead rows", NO_ROW)
    if not dead.count:
        return ok("dead rows", "every token reads something")
    return fail(
        "dead rows",
        f"{counted(dead.count, 'row')} read nothing, {dead.where}",
        "look whether the mask is the wrong way round: True may attend in sdpa and in regard, but "
        "may not in nn.MultiheadAttention",
    )


def _check_names(case: Case) -> Check:
    """Hold the numbers of rows and columns against the numbers of tokens."""
    if not any(case.padding.values()):
        return skip("names", "no tokens were given")
    for kind, of_kind in case.seen.layers.items():
        named = case.num_tokens(kind)
        for number, layer in of_kind.items():
            for count, size, what in zip(named, layer.shape[1:], ("rows", "columns"), strict=True):
                if count not in {0, size}:
                    return fail(
                        "names",
                        f"{kind} layer {number} has {size} {what}, but there are {count} tokens",
                        "name every token that the model saw, special ones too: "
                        "regard.trace(sentence, model, tokenizer).tokens",
                    )
    return ok("names", "there is one token for each row and column")


def _check_padding(tallies: Tallies, *, is_known: bool) -> Check:
    if not is_known:
        return skip("padding", "without names for the tokens, it is not known where it is")
    if tallies.num_padding and not tallies.num_rows:
        return skip("padding", NO_ROW)
    if not tallies.padding.count:
        return ok("padding", "nothing reads it" if tallies.num_padding else "there is none")
    return fail(
        "padding",
        f"{counted(tallies.padding.count, 'row')} read it, {tallies.padding.where}, by up to "
        f"{tallies.padding.worst:.2g}",
        "pass attention_mask to the model, as the tokenizer gives it",
    )


def _check_future(case: Case, tallies: Tallies) -> Check:
    future = tallies.future
    if not case.left_to_right & set(map(plain, case.seen.kinds)):
        return ok("future", "tokens may read what comes after them, as in every encoder")
    if not tallies.num_rows:
        return skip("future", NO_ROW)
    if not future.count:
        return ok("future", "no token of the decoder reads what comes after it")
    return fail(
        "future",
        f"{counted(future.count, 'row')} of the decoder read what comes after them, "
        f"{future.where}, by up to {future.worst:.2g}",
        "give the decoder a causal mask, and look whether rows and columns were swapped",
    )


def _check_precision(case: Case, tallies: Tallies) -> Check:
    layers = [layer for of_kind in case.seen.layers.values() for layer in of_kind.values()]
    coarse = {x.weights.dtype for x in layers if isinstance(x, WeighedLayer)} & set(HALVES)
    if coarse:
        name = str(coarse.pop()).removeprefix("torch.")
        return skip("precision", f"{name} weights; what they lost cannot be seen in them")
    name = str(case.dtype).removeprefix("torch.")
    if not tallies.num_positive:
        return ok("precision", name)
    share = tallies.lost.count / tallies.num_positive
    finding = f"in {name}, {share:.1%} of the weights become 0"
    if share <= UNDERFLOW:
        return ok("precision", finding)
    return fail(
        "precision",
        f"{finding}, {tallies.lost.where}",
        "call model.float(); regard.trace computes weights in float32, but of such queries",
    )
