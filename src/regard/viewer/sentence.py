"""One head of a sentence, in one call: trace it, then draw what the head reads."""

from matplotlib.axes import Axes
from torch import nn
from transformers import PreTrainedTokenizerBase

from regard.pictures.head import plot_attention
from regard.record.door import whole_number
from regard.tracing.run import trace


def visualize_attention_weights(
    sentence: str,
    model: nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    layer: int,
    head: int,
    *,
    kind: str | None = None,
    target: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Show what one attention head reads in a sentence, as a heatmap.

    Parameters
    ----------
    sentence
        The source text.
    model, tokenizer
        What `regard.tracing.run.trace` takes.
    layer, head
        Counted from 0.
    kind
        "encoder" or "decoder" for their self-attention, "cross" for what the decoder reads in the
        source; the model's first, if not given.
    target
        The translation that the decoder is given to read; without it, what the model writes itself.
    ax
        Where to draw; a new figure, if not given.

    Returns
    -------
    matplotlib.axes.Axes
        A row for each token that reads, a column for each token that is read.

    Raises
    ------
    TypeError
        If the sentence is no text, the model none, or a number no whole number.
    ValueError
        If the sentence is empty, too long or has unknown words, or there is no such kind, layer or
        head.

    Examples
    --------
    >>> from regard.model.lexicon import vocabulary
    >>> from regard.model.tokenization import build_tokenizer
    >>> from regard.model.transformer import build_transformer_model
    >>> model = build_transformer_model(300, 16, nhead=2, num_layers=1, dim_feedforward=32)
    >>> tokenizer = build_tokenizer(vocabulary(300))
    >>> ax = visualize_attention_weights("the dog saw it .", model, tokenizer, layer=0, head=1)
    >>> [label.get_text() for label in ax.get_xticklabels()]
    ['the', 'dog', 'saw', 'it', '.', '</s>']
    """
    layers = [whole_number("A layer, counted from 0,", layer)]  # the others are not kept
    seen = trace(sentence, model, tokenizer, target=target, layers=layers, values=False)
    return plot_attention(seen, layer, head, kind=kind, ax=ax)
