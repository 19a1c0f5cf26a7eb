"""From what a user gives to what a model takes: text, words or tensors -> tensors and token names.

Every function takes a tokenizer with the Hugging Face interface.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor
from transformers import BatchEncoding, PreTrainedTokenizerBase

from regard.record.words import Side, Word
from regard.tracing.sides import check_words

# What trace takes: a text, a pair of texts, a list of words; or tensors that are ready.
Text = str | tuple[str, str] | list[str]
Sentence = Text | Tensor | tuple[Tensor, ...] | Mapping[str, Tensor]
# an ideograph; or letters, with an apostrophe between; or a sign
WORD = re.compile(
    r"[\u3400-\u9fff\uf900-\ufaff]|(?:(?![\u3400-\u9fff\uf900-\ufaff])\w)+(?:['’]\w+)*|[^\w\s]"
)


class Tokenized(NamedTuple):
    """A text as one model takes it, and the names of its tokens."""

    inputs: dict[str, Tensor]
    side: Side


def tokenize(sentence: Text, tokenizer: PreTrainedTokenizerBase) -> Tokenized:
    """Turn a text, a pair of texts or a list of words into tensors with a batch of one.

    Raises
    ------
    TypeError
        If it is none of these.
    ValueError
        If it is empty.
    """
    if isinstance(sentence, str):
        check_not_empty(sentence)
        texts, encoded = [sentence], tokenizer(sentence, return_tensors="pt")
    elif isinstance(sentence, tuple) and [type(text) for text in sentence] == [str, str]:
        check_not_empty(" ".join(sentence))
        texts, encoded = list(sentence), tokenizer(*sentence, return_tensors="pt")
    elif isinstance(sentence, list) and all(isinstance(word, str) for word in sentence):
        check_not_empty(" ".join(sentence))
        texts = sentence
        encoded = tokenizer(sentence, is_split_into_words=True, return_tensors="pt")
    else:
        raise TypeError(
            "A sentence is a string, a pair of strings, a list of words, or tensors, but got "
            f"{type(sentence).__name__}."
        )
    ids = encoded["input_ids"][0].tolist()
    side = side_of(ids, tokenizer, words_of(encoded, texts, is_split=isinstance(sentence, list)))
    return Tokenized({name: x for name, x in encoded.items() if isinstance(x, Tensor)}, side)


def side_of(
    ids: Sequence[int],
    tokenizer: PreTrainedTokenizerBase | None,
    words: list[Word | None] | None = None,
) -> Side:
    """Name tokens by the tokenizer, or by their ids where there is none."""
    if tokenizer is None:
        return Side.of_names([str(i) for i in ids])
    special = special_ids(tokenizer)
    return Side(
        [str(tokenizer.convert_ids_to_tokens(i)) for i in ids],
        [i in special for i in ids],
        words or words_of_ids(ids, tokenizer),
    )


def special_ids(tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """Give the ids of tokens that stand for no text: all special ones but the unknown word."""
    others = {tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id}
    unknown = {tokenizer.unk_token_id} - others  # GPT-2 calls several things by one name
    return set(tokenizer.all_special_ids) - unknown


def words_of(
    encoded: BatchEncoding, texts: Sequence[str], *, is_split: bool
) -> list[Word | None] | None:
    """Give the word of each token; None for special tokens, or at all where it is not known."""
    if not encoded.is_fast:
        return None
    if is_split:
        return [None if i is None else Word(i, texts[i]) for i in encoded.word_ids()]
    words: list[Word | None] = [None] * len(encoded.sequence_ids())
    for number, text in enumerate(texts):
        first = len(words) * number  # so that no word of the second text is one of the first
        of_text = [i for i, s in enumerate(encoded.sequence_ids()) if s == number]
        spans = [encoded.token_to_chars(i) for i in of_text]
        for i, word in zip(of_text, words_at(text, spans, first), strict=True):
            words[i] = word
    return words


def words_of_ids(ids: Sequence[int], tokenizer: PreTrainedTokenizerBase) -> list[Word | None]:
    """Give the word of each token of which only the id is known, from how it is spelled."""
    special = special_ids(tokenizer)
    text = ""
    spans: list[tuple[int, int] | None] = []
    before: list[int] = []  # the token before, since some are spelled otherwise at the start
    for i in ids:
        piece = "" if i in special else _spelled([*before, i], tokenizer)
        piece = piece[len(_spelled(before, tokenizer)) :]
        spans.append((len(text), len(text) + len(piece)) if piece else None)
        text += piece or " "
        before = [] if i in special else [i]
    return words_at(text, spans, first=0)


def _spelled(ids: list[int], tokenizer: PreTrainedTokenizerBase) -> str:
    return str(tokenizer.decode(ids, clean_up_tokenization_spaces=False)) if ids else ""


def words_at(text: str, spans: Sequence[tuple[int, int] | None], first: int) -> list[Word | None]:
    """Give the word that stands in each span of a text; a span may begin with spaces."""
    starts: dict[int, Word] = {}
    # vowel signs and accents belong to the letter before them, but are no letters to `re`
    plain = "".join("x" if unicodedata.category(c).startswith("M") else c for c in text)
    for number, match in enumerate(WORD.finditer(plain), first):
        starts |= dict.fromkeys(range(*match.span()), Word(number, text[slice(*match.span())]))
    found = []
    for span in spans:
        at = range(*span) if span else ()
        found.append(next((starts[i] for i in at if i in starts), None))
    return found


def encode(sentence: Any, tokenizer: PreTrainedTokenizerBase, side: str = "source") -> list[int]:
    """Turn a sentence into token ids, or say what is wrong with it; its side knows every word."""
    if not isinstance(sentence, str):
        raise TypeError(f"A sentence is a string, but got {type(sentence).__name__}.")
    check_not_empty(sentence)
    ids: list[int] = tokenizer(sentence).input_ids
    check_words(sentence, ids, tokenizer, side)
    return ids


def check_not_empty(sentence: str) -> None:
    """Raise where there is nothing to read."""
    if not sentence.strip():
        raise ValueError("The sentence is empty: type one, such as 'the dog saw the cow .'")


def check_one_sentence(tensors: Sequence[Tensor]) -> None:
    """Raise where tensors are of several sentences."""
    sizes = {x.size(0) for x in tensors if x.dim() > 1}
    if max(sizes, default=1) > 1:
        raise ValueError(
            f"One sentence is traced at a time, but got a batch of {max(sizes)}: pass one row, "
            "such as `{name: x[:1] for name, x in inputs.items()}`."
        )


def check_ids(ids: Tensor, num_embeddings: int) -> None:
    """Raise where token ids are not in the model's vocabulary."""
    if ids.dim() != 2 or ids.numel() == 0 or int(ids.min()) < 0:
        raise ValueError(
            "Token ids are one row of whole numbers from 0 on, (1, tokens), but got "
            f"{tuple(ids.shape)}{', some negative' if ids.numel() and int(ids.min()) < 0 else ''}."
        )
    if ids.numel() and int(ids.max()) >= num_embeddings:
        raise ValueError(
            f"Token ids go up to {int(ids.max())}, but the model knows {num_embeddings} tokens: "
            "pass the tokenizer that belongs to the model."
        )
