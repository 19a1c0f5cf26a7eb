"""Is attention an explanation? What several methods say of one prediction, side by side.

`explain` asks them all; how far they agree, and what the prediction loses without the words that
each puts first, is for `Explanation.agreement` and `Explanation.removal` to say.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import pandas as pd
from torch import nn
from transformers import PreTrainedTokenizerBase

from regard.causes.orders import kendall
from regard.causes.prediction import Left, Prediction, predict
from regard.causes.slopes import (
    Floats,
    Integrated,
    gradient_x_attention,
    gradient_x_input,
    integrated_gradients,
)
from regard.measures.rollout import rollout, value_weighted
from regard.record.door import a_model, whole_number, whole_numbers
from regard.record.trace import Trace
from regard.tracing.any_model import AnyModel
from regard.tracing.run import trace
from regard.tracing.texts import Sentence, side_of

SATURATED = 0.99  # a probability, beyond which its slopes are a hundredth of those of log-odds
SINK = 0.9  # the share of what is read that no word gets, from which on it is said


@dataclass(frozen=True, repr=False)
class Explanation:
    """What each method says that each word does for one prediction.

    `table` has one row a word: `word`, and a column for each method; `explained` says of what, such
    as "log-odds of dog", and stands over the table. `label` is the number of the class or token
    that was predicted, `name` what it is called, `probability` what it was given, and `value` what
    is explained. `gap` is what integrated gradients leave unshared, None without them. `notes` say
    what must be known to read the table.
    """

    table: pd.DataFrame
    label: int
    name: str
    probability: float
    prediction: Prediction
    explained: str
    value: float
    gap: float | None
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        """Show what is explained, the table and the notes."""
        head = f"{self.explained}: {self.value:.3f}, at a probability of {self.probability:.3f}"
        table = self.table.rename_axis(columns=None).to_string(float_format="{:.3f}".format)
        return "\n".join([head, table, *self.notes])

    def agreement(self) -> pd.DataFrame:
        """Correlate the order in which the methods put the words, by their size.

        Returns
        -------
        pandas.DataFrame
            Kendall's tau-b of each two methods: 1 for one order, 0 for none in common, -1 for the
            opposite; NaN where a method gives all words the same. Over the table stands of how many
            words, and `regard.causes.orders.agreement` gives the interval of two of its columns.

        Notes
        -----
        Jain and Wallace (2019), *Attention is not explanation*, section 4.1. Kendall (1945), *The
        treatment of ties in ranking problems*, for tau-b. Words that speak against a prediction
        count as much as those that speak for it, since attention has no sign.
        """
        sizes = self.table.drop(columns="word").dropna().abs()
        rows = [[kendall(sizes[a], sizes[b]) for b in sizes] for a in sizes]
        over = pd.Index(sizes.columns, name=f"tau over {len(sizes)} words")
        return pd.DataFrame(rows, index=sizes.columns.rename(None), columns=over)

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
            the draws; `explained_drop`, how much less what is explained is, and `as_large`, the
            share of the draws in which that is at least as much.

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
            by_chance = np.array([self._drop(words) for words in drawn])  # (draws, 2)
            for method in self.table.columns.drop("word"):
                sizes = self.table[method].loc[prediction.removable]  # not what it is about
                first = sizes.nlargest(count).index.tolist()
                drop = self._drop(first)
                words = ", ".join(self.table["word"][sorted(first)])
                by_luck = by_chance.mean(axis=0)[0]
                as_large = (by_chance[:, 1] >= drop.explained).mean()
                left = self.probability - drop.probability
                rows.append(
                    (method, count, words, left, drop.probability, by_luck, *drop[1:], as_large)
                )
        columns = ["method", "removed", "words", "probability", "drop", "random_drop"]
        return pd.DataFrame(rows, columns=[*columns, "explained_drop", "as_large"])

    def _drop(self, words: Collection[int]) -> Left:
        left = self.prediction.without(words)
        return Left(self.probability - left.probability, self.value - left.explained)


def explain(
    sentence: Sentence,
    model: nn.Module,
    tokenizer: PreTrainedTokenizerBase | None = None,
    *,
    position: int | None = None,
    label: int | None = None,
    against: int | None = None,
    of: str = "log-odds",
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
    against
        The number of another one, for a contrast: why this one and not that? Then the choice is
        between the two, all others are left aside.
    of
        "log-odds", log(p / (1 - p)) of the label's probability p, between two labels the difference
        of their logits; or "probability". Where the model is sure, all slopes of a probability are
        all but 0, whatever a word does, while those of log-odds are what they are. (A single logit
        is no choice: what is added to all of them changes no probability.)
    layer
        Whose attention is taken; the last, if not given.

    Returns
    -------
    Explanation
        Its `table` has one row a word, and these columns, each a sum over the word's tokens; over
        it stands what is explained:

        - "attention": from the token of the prediction to the word, mean over the layer's heads;
        - "rollout": the same through all layers (`regard.measures.rollout.rollout`);
        - "value-weighted": weights times the length of the values, mean over the heads;
        - "gradient x attention": weights times the slope of what is explained in them, summed
          over the heads;
        - "gradient x input": of the word's embeddings, and "integrated gradients", from those of
          padding (special tokens kept): both by Captum, left out where it is not installed.
          Integrated gradients share out what is explained less what it is for words with padding's
          embeddings, in as many steps as it takes (50 to 800) to a hundredth, or to 0.001;
        - "leave one out": how much less what is explained is without the word; NaN for the word
          that the prediction is about, or after which the next is said: without it, another
          question would be asked.

        What needs values, or layers of one size, is left out where there are none. `notes` say
        where integrated gradients leave more, where attention or rollout go nearly all to special
        tokens or a causal model's first, and what cannot be left out.

    Raises
    ------
    TypeError
        If the model is none, or a number is no whole number.
    ValueError
        If the model reads two sides or gives no logits; if it is not clear where the prediction is
        made, or what is explained; if there are not two words to leave out; or as `regard.trace`.

    Notes
    -----
    Jain and Wallace (2019), *Attention is not explanation*; Wiegreffe and Pinter (2019), *Attention
    is not not explanation*. Rollout: Abnar and Zuidema (2020); value-weighted: Kobayashi et al.
    (2020), without the output projection; gradient x attention: Serrano and Smith (2019), *Is
    attention interpretable?*, section 3; integrated gradients: Sundararajan et al. (2017), equation
    1, and completeness, section 3. All slopes are of what is explained.

    Examples
    --------
    >>> from regard.model.glossing import GlossingEncoder
    >>> from regard.model.lexicon import vocabulary
    >>> from regard.model.tokenization import build_tokenizer
    >>> model = GlossingEncoder(300, d_model=8, heads=(2,))
    >>> said = explain("the dog saw it .", model, build_tokenizer(vocabulary(300)), position=3)
    >>> said.table["word"].tolist(), bool(said.table["leave one out"].isna()[3])
    (['the', 'dog', 'saw', 'it', '.'], True)
    >>> said.table.columns.name == said.explained == f"log-odds of {said.name}"
    True
    """
    seen = trace(sentence, a_model(model), tokenizer)
    kind = seen.kinds[0]
    prediction = predict(
        sentence,
        model,
        tokenizer,
        position=position,
        label=label,
        kind=kind,
        of=of,
        against=against,
    )
    if len(prediction.removable) < 2:
        raise ValueError(
            f"There are {len(prediction.removable)} words to leave out: pass a longer sentence."
        )
    layer = seen.num_layers - 1 if layer is None else layer
    seen.layer(layer, kind)  # says what is wrong with a layer
    whole = prediction.without(())
    found = dict(_of_tokens(prediction, seen, layer))
    integrated = None
    if find_spec("captum") and AnyModel(prediction.model).embeddings is not None:
        integrated = integrated_gradients(prediction)
        found["gradient x input"] = gradient_x_input(prediction)
        found["integrated gradients"] = integrated.of_tokens
    name, explained = _names(model, tokenizer, prediction)
    return Explanation(
        _table(prediction, found, whole, explained),
        prediction.label,
        name,
        whole.probability,
        prediction,
        explained,
        whole.explained,
        None if integrated is None else integrated.gap,
        tuple(_notes(prediction, whole, found, integrated)),
    )


def _table(
    prediction: Prediction, found: Mapping[str, Floats], whole: Left, explained: str
) -> pd.DataFrame:
    """Give each word what its tokens are given, and what is lost without it."""
    table = pd.DataFrame({"word": prediction.names})
    for method, of_tokens in found.items():
        table[method] = [of_tokens[group].sum() for group in prediction.words]
    without = {word: prediction.without((word,)).explained for word in prediction.removable}
    table["leave one out"] = whole.explained - pd.Series(without, dtype=float)
    table.columns.name = explained
    return table


def _names(
    model: nn.Module, tokenizer: PreTrainedTokenizerBase | None, prediction: Prediction
) -> tuple[str, str]:
    """Name what was predicted, and say what of it is explained."""
    name = _name(model, tokenizer, prediction, prediction.label)
    explained = f"{prediction.of} of {name}"
    if prediction.against is not None:
        explained += f" against {_name(model, tokenizer, prediction, prediction.against)}"
    return name, explained


def _of_tokens(prediction: Prediction, seen: Trace, layer: int) -> Iterator[tuple[str, Floats]]:
    """Give what each method that needs no embeddings says of each token: (T,)."""
    kind, row = seen.kinds[0], prediction.reader
    yield "attention", seen.weights(layer, kind=kind)[:, row].mean(0).astype(float)
    shapes = {one.shape[1:] for one in seen.layers[kind].values()}
    if len(shapes) == 1:
        yield "rollout", rollout(seen, kind)[row].astype(float)
    if getattr(seen.layers[kind][layer], "value", None) is not None:
        weighted = value_weighted(seen, layer, kind=kind)[:, row]  # (h, K)
        yield "value-weighted", weighted.mean(0).astype(float)
        yield "gradient x attention", gradient_x_attention(prediction, seen, layer)


def _notes(
    prediction: Prediction, whole: Left, found: Mapping[str, Floats], integrated: Integrated | None
) -> Iterator[str]:
    """Say what must be known to read the table."""
    chance = whole.explained
    if prediction.of == "probability" and not 1 - SATURATED < chance < SATURATED:
        yield (
            f"The probability is {chance:.4f}: its slopes are {chance * (1 - chance):.1g} of those "
            'of log-odds, whatever a word does. Explain of="log-odds".'
        )
    for method in ("attention", "rollout"):
        if method in found and (share := _sunk(prediction, found[method])) >= SINK:
            yield (
                f"{method}: {share:.0%} goes to {_sink_of(prediction)}, and next to nothing to the "
                "words: what it says of them is small differences."
            )
    if integrated is not None and not integrated.is_complete:
        yield (
            f"integrated gradients: {integrated.gap:+.3f} of what is explained is not shared out, "
            f"after {integrated.steps} steps: what they say of a word may be as far off."
        )
    kept = [
        name
        for name, group in zip(prediction.names, prediction.words, strict=True)
        if prediction.at in group
    ]
    if kept and prediction.is_causal:
        yield (
            f"leave one out: {kept[0]} stays, since the next word is said after it: without it, "
            "another word would be asked for."
        )


def _sunk(prediction: Prediction, of_tokens: Floats) -> float:
    """Say how much of what is read goes to no word, or to a causal model's first."""
    is_sink = np.array(prediction.side.special)
    is_sink[0] |= prediction.is_causal
    return float(of_tokens[is_sink].sum() / of_tokens.sum())


def _sink_of(prediction: Prediction) -> str:
    return "special tokens and the first" if prediction.is_causal else "special tokens"


def _name(
    model: nn.Module,
    tokenizer: PreTrainedTokenizerBase | None,
    prediction: Prediction,
    label: int,
) -> str:
    """Name a class or token."""
    names = getattr(getattr(model, "config", None), "id2label", None) or {}
    is_token = prediction.at is not None and not type(model).__name__.endswith("Classification")
    if is_token and tokenizer is not None:
        ids = prediction.ids[0].tolist()
        at = len(ids) if prediction.is_next else prediction.at
        return side_of([*ids[:at], label], tokenizer).tokens[-1]
    return str(names.get(label, label))
