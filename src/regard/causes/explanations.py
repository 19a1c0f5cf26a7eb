"""Is attention an explanation? What several methods say of one prediction, side by side.

`explain` asks them all; how far they agree, and what the prediction loses without the words that
each puts first, is for `Explanation.agreement` and `Explanation.removal` to say.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from regard.causes.prediction import Prediction, predict
from regard.measures.rollout import rollout, value_weighted
from regard.record.door import a_model, numbers, whole_number, whole_numbers
from regard.record.trace import Trace
from regard.tracing.any_model import AnyModel
from regard.tracing.calls import Call
from regard.tracing.modules import evaluating
from regard.tracing.run import trace
from regard.tracing.texts import Sentence, side_of

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Explanation:
    """What each method says that each word does for one prediction.

    `table` has one row a word: `word`, and a column for each method. `label` is the number of the
    class or token that was predicted, `name` what it is called, `probability` what it was given.
    """

    table: pd.DataFrame
    label: int
    name: str
    probability: float
    prediction: Prediction

    def agreement(self) -> pd.DataFrame:
        """Correlate the order in which the methods put the words, by their size.

        Returns
        -------
        pandas.DataFrame
            Kendall's tau-b of each two methods: 1 for one order, 0 for none in common, -1 for the
            opposite; NaN where a method gives all words the same.

        Notes
        -----
        Jain and Wallace (2019), *Attention is not explanation*, section 4.1. Kendall (1945), *The
        treatment of ties in ranking problems*, for tau-b. Words that speak against a prediction
        count as much as those that speak for it, since attention has no sign.
        """
        sizes = self.table.drop(columns="word").dropna().abs()
        rows = [[kendall(sizes[a], sizes[b]) for b in sizes] for a in sizes]
        return pd.DataFrame(rows, index=sizes.columns, columns=sizes.columns)

    def removal(
        self, counts: Collection[int] = (1, 2, 3), *, draws: int = 50, seed: int = 0
    ) -> pd.DataFrame:
        """Leave out the words that each method puts first, and as many at random.

        Parameters
        ----------
        counts
            How many words to leave out.
        draws
            How often as many words are drawn at random.
        seed
            Of the draws.

        Returns
        -------
        pandas.DataFrame
            One row a method and count: `method`, `removed`, `words`; `probability` of the
            prediction without them, and `drop`, how much less that is; `random_drop`, the mean of
            the draws, and `as_large`, the share of the draws in which the drop is at least as
            large.

        Raises
        ------
        TypeError
            If a count is no whole number.
        ValueError
            If a count is not from 1 to one less than the words that can be left out.

        Notes
        -----
        The drop is the comprehensiveness of DeYoung et al. (2020), *ERASER*, equation 1.
        """
        prediction, draws = self.prediction, whole_number("draws", draws)
        counts = whole_numbers("counts", counts)
        most = len(prediction.removable) - 1
        if not all(1 <= count <= most for count in counts):
            raise ValueError(f"From 1 to {most} words can be left out, but got {tuple(counts)}.")
        random = np.random.default_rng(seed)
        rows = []
        for count in counts:
            drawn = [
                random.permutation(prediction.removable)[:count].tolist() for _ in range(draws)
            ]
            by_chance = np.array([self._drop(words) for words in drawn])
            for method in self.table.columns.drop("word"):
                sizes = self.table[method].loc[prediction.removable]  # not what it is about
                first = sizes.nlargest(count).index.tolist()
                drop = self._drop(first)
                words = ", ".join(self.table["word"][sorted(first)])
                as_large = (by_chance >= drop).mean()
                probability = self.probability - drop
                rows.append((method, count, words, probability, drop, by_chance.mean(), as_large))
        columns = ["method", "removed", "words", "probability", "drop", "random_drop", "as_large"]
        return pd.DataFrame(rows, columns=columns)

    def _drop(self, words: Collection[int]) -> float:
        return self.probability - self.prediction.without(words)


def explain(
    sentence: Sentence,
    model: nn.Module,
    tokenizer: PreTrainedTokenizerBase | None = None,
    *,
    position: int | None = None,
    label: int | None = None,
    layer: int | None = None,
) -> Explanation:
    """Ask several methods what each word does for one prediction.

    Parameters
    ----------
    sentence, model, tokenizer
        As for `regard.trace`. A transformers model that classifies the sentence, says the next word
        or fills a mask; or any module that is called with ids (1, T) and returns logits.
    position
        The token at which the prediction is made, from 0: where the model says something of each
        token, by default the last one of a decoder and else the mask. Where it says something of
        the whole sentence, the token that it is read from: by default the last one of a decoder,
        else the first.
    label
        The number of the class or token to explain; what the model finds likeliest, if not given.
    layer
        Whose attention is taken; the last, if not given.

    Returns
    -------
    Explanation
        Its `table` has one row a word, and these columns, each a sum over the word's tokens:

        - "attention": from the token of the prediction to the word, mean over the layer's heads;
        - "rollout": the same through all layers (`regard.measures.rollout.rollout`);
        - "value-weighted": weights times the length of the values, mean over the heads;
        - "gradient x attention": weights times the slope of the probability in them, summed over
          the heads;
        - "gradient x input": of the word's embeddings, and "integrated gradients", from a sentence
          of padding (special tokens kept) to this one: both by Captum, left out where it is not
          installed;
        - "leave one out": how much less likely the prediction is without the word; NaN for the
          word that the prediction is about.

        What needs values, or layers of one size, is left out where there are none.

    Raises
    ------
    TypeError
        If the model is none, or a number is no whole number.
    ValueError
        If the model reads two sides or gives no logits; if it is not clear where the prediction is
        made; if there are not two words to leave out; or as `regard.trace`.

    Notes
    -----
    Jain and Wallace (2019), *Attention is not explanation*; Wiegreffe and Pinter (2019), *Attention
    is not not explanation*. Rollout: Abnar and Zuidema (2020); value-weighted: Kobayashi et al.
    (2020), without the output projection; gradient x attention: Serrano and Smith (2019), *Is
    attention interpretable?*, section 3; integrated gradients: Sundararajan et al. (2017), equation
    1. All slopes are of the probability.

    Examples
    --------
    >>> from regard.model.glossing import GlossingEncoder
    >>> from regard.model.lexicon import vocabulary
    >>> from regard.model.tokenization import build_tokenizer
    >>> model = GlossingEncoder(300, d_model=8, heads=(2,))
    >>> said = explain("the dog saw it .", model, build_tokenizer(vocabulary(300)), position=3)
    >>> said.table["word"].tolist(), bool(said.table["leave one out"].isna()[3])
    (['the', 'dog', 'saw', 'it', '.'], True)
    """
    seen = trace(sentence, a_model(model), tokenizer)
    kind = seen.kinds[0]
    prediction = predict(sentence, model, tokenizer, position=position, label=label, kind=kind)
    if len(prediction.removable) < 2:
        raise ValueError(
            f"There are {len(prediction.removable)} words to leave out: pass a longer sentence."
        )
    layer = seen.num_layers - 1 if layer is None else layer
    seen.layer(layer, kind)  # says what is wrong with a layer
    probability = prediction.without(())
    table = pd.DataFrame({"word": prediction.names})
    for method, of_tokens in _of_tokens(prediction, seen, layer):
        table[method] = [of_tokens[group].sum() for group in prediction.words]
    without = {word: prediction.without((word,)) for word in prediction.removable}
    table["leave one out"] = probability - pd.Series(without, dtype=float)
    name = _name(model, tokenizer, prediction)
    return Explanation(table, prediction.label, name, probability, prediction)


def _of_tokens(prediction: Prediction, seen: Trace, layer: int) -> Iterator[tuple[str, Floats]]:
    """Give what each method says of each token: (T,)."""
    kind, row = seen.kinds[0], prediction.reader
    yield "attention", seen.weights(layer, kind=kind)[:, row].mean(0).astype(float)
    shapes = {one.shape[1:] for one in seen.layers[kind].values()}
    if len(shapes) == 1:
        yield "rollout", rollout(seen, kind)[row].astype(float)
    if getattr(seen.layers[kind][layer], "value", None) is not None:
        weighted = value_weighted(seen, layer, kind=kind)[:, row]  # (h, K)
        yield "value-weighted", weighted.mean(0).astype(float)
        yield "gradient x attention", gradient_x_attention(prediction, seen, layer)
    if find_spec("captum") and AnyModel(prediction.model).embeddings is not None:
        yield "gradient x input", gradient_x_input(prediction)
        yield "integrated gradients", integrated_gradients(prediction)


def gradient_x_attention(prediction: Prediction, seen: Trace, layer: int) -> Floats:
    """Multiply the weights of the reading token with the probability's slope in them: (T,).

    What a head writes is the sum of its weights times its values, so that the slope in a weight is
    that in what is written, times the value.
    """
    kind, row = seen.kinds[0], prediction.reader
    written: list[Tensor] = []

    def watch(call: Call) -> Tensor | None:
        if not call.address.is_at(kind, layer):
            return None
        written.append(call.output())
        return written[-1]

    def slope() -> Tensor:
        with AnyModel(prediction.model).editing(watch):
            chance = prediction.probabilities(prediction.ids, *prediction.others)
        return torch.autograd.grad(chance.sum(), written[0])[0][0, row]  # (h, d_v)

    gradient = _with_gradients(prediction.model, slope).float()
    attended = seen.layers[kind][layer]
    value: Tensor = attended.value  # type: ignore[attr-defined]  # it has one
    groups = torch.arange(len(gradient), device=value.device) * len(value) // len(gradient)
    in_weights = torch.einsum("hd,hkd->hk", gradient, value.float()[groups])
    weights = attended.weigh(rows=slice(row, row + 1))[:, 0]  # (h, K)
    return _array((weights * in_weights).sum(0))


def gradient_x_input(prediction: Prediction) -> Floats:
    """Multiply each token's embedding with the probability's slope in it, and sum: (T,)."""
    from captum.attr import LayerGradientXActivation  # noqa: PLC0415  an optional package

    method = LayerGradientXActivation(
        prediction.probabilities, AnyModel(prediction.model).embeddings
    )
    found = _with_gradients(
        prediction.model,
        lambda: method.attribute(prediction.ids, additional_forward_args=prediction.others),
    )
    return _array(found[0].sum(-1))


def integrated_gradients(prediction: Prediction, *, steps: int = 50) -> Floats:
    """Add up slopes on the way from a sentence of padding to this one: (T,).

    The sum over all tokens is the probability less that of the sentence of padding.
    """
    from captum.attr import LayerIntegratedGradients  # noqa: PLC0415  an optional package

    method = LayerIntegratedGradients(
        prediction.probabilities, AnyModel(prediction.model).embeddings
    )
    found = _with_gradients(
        prediction.model,
        lambda: method.attribute(
            prediction.ids,
            baselines=padding_like(prediction),
            additional_forward_args=prediction.others,
            n_steps=steps,
            internal_batch_size=1,  # memory as for one sentence
        ),
    )
    return _array(found[0].sum(-1))


def padding_like(prediction: Prediction) -> Tensor:
    """Give a sentence of padding as long as this one, its special tokens kept.

    Where the model knows no padding, of the first token of its vocabulary.
    """
    config = getattr(prediction.model, "config", None)
    padding = getattr(config, "pad_token_id", None) or 0
    special = torch.tensor([prediction.side.special], device=prediction.ids.device)
    return torch.where(special, prediction.ids, padding)


def _with_gradients(model: nn.Module, compute: Callable[[], Tensor]) -> Tensor:
    """Compute in eval mode; the gradients of the model's parameters are left as they were."""
    with evaluating(model), torch.enable_grad():
        return compute().detach()


def _name(
    model: nn.Module, tokenizer: PreTrainedTokenizerBase | None, prediction: Prediction
) -> str:
    """Name the class or token that was predicted."""
    names = getattr(getattr(model, "config", None), "id2label", None) or {}
    is_token = prediction.at is not None and not type(model).__name__.endswith("Classification")
    if is_token and tokenizer is not None:
        ids = prediction.ids[0].tolist()
        at = len(ids) if prediction.is_next else prediction.at
        return side_of([*ids[:at], prediction.label], tokenizer).tokens[-1]
    return str(names.get(prediction.label, prediction.label))


def _array(x: Tensor) -> Floats:
    return x.detach().cpu().double().numpy()


def kendall(x: Sequence[float] | pd.Series, y: Sequence[float] | pd.Series) -> float:
    """Correlate two orders by Kendall's tau-b; NaN where one of them tells nothing apart.

    Raises
    ------
    TypeError
        If they are not numbers.
    ValueError
        If they are not as many.

    Examples
    --------
    >>> kendall([1, 2, 3], [10, 20, 30]), kendall([1, 2, 3], [3, 2, 1])
    (1.0, -1.0)
    """
    name, advice = "An order is a list of numbers", "pass two of one length"
    orders = [numbers(name, order, advice) for order in (x, y)]
    if orders[0].ndim != 1 or orders[0].shape != orders[1].shape:
        raise ValueError(
            "Two orders are of the same things, a number for each, but got shapes "
            f"{orders[0].shape} and {orders[1].shape}."
        )
    first, second = np.triu_indices(len(orders[0]), k=1)
    by_x, by_y = (np.sign(order[first] - order[second]) for order in orders)
    pairs = np.sqrt((by_x**2).sum() * (by_y**2).sum())
    return float((by_x * by_y).sum() / pairs) if pairs else float("nan")
