"""A word-level tokenizer with the Hugging Face interface."""

from collections.abc import Sequence

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from regard.model.door import check_types
from regard.model.lexicon import SPECIAL_TOKENS


def build_tokenizer(words: Sequence[str]) -> PreTrainedTokenizerFast:
    """Build a tokenizer that knows whole words and ends each sentence with `</s>`.

    It lower-cases and splits at white space and punctuation, so that *The dog saw it.* is five
    tokens. A word that it does not know becomes `<unk>`.

    Parameters
    ----------
    words
        The vocabulary, special tokens first; a word's place is its id. What a
        `Vocabulary` knows of its two sides is kept, and saved, as `init_kwargs["sides"]`.

    Returns
    -------
    transformers.PreTrainedTokenizerFast
        Called as `tokenizer(text)` like every Hugging Face tokenizer.

    Raises
    ------
    ValueError
        If the list does not start with the special tokens, or names a word twice.

    Examples
    --------
    >>> tokenizer = build_tokenizer(["<pad>", "<s>", "</s>", "<unk>", "the", "dog", "."])
    >>> tokenizer("The dog.").input_ids
    [4, 5, 6, 2]
    """
    check_types(build_tokenizer, locals())
    if tuple(words[: len(SPECIAL_TOKENS)]) != SPECIAL_TOKENS:
        raise ValueError(
            f"The vocabulary must start with {SPECIAL_TOKENS}, but starts with "
            f"{tuple(words[: len(SPECIAL_TOKENS)])}: pass the list that `vocabulary` gives."
        )
    ids = {word: i for i, word in enumerate(words)}
    if len(ids) < len(words):
        twice = sorted({word for word in words if words.count(word) > 1})
        raise ValueError(f"The vocabulary names these words twice: {twice}.")
    pad, start, end, unknown = SPECIAL_TOKENS
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token=unknown))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {end}", special_tokens=[(end, ids[end])]
    )
    sides = {side: list(getattr(words, side, words)) for side in ("source", "target")}
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=pad,
        bos_token=start,
        eos_token=end,
        unk_token=unknown,
        clean_up_tokenization_spaces=False,
        sides=sides,
    )
