"""From what a user gives to what a model takes: text, words or tensors -> tensors and token names.

Every function takes a tokenizer with the Hugging Face interface.
"""

import string
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from tokenizers import Encoding
from torch import Tensor
from transformers import BatchEncoding, PreTrainedTokenizerBase

from regard.record.door import described
from regard.record.words import Side, Word
from regard.tracing.names import Span, going_on, names_at, shown
from regard.tracing.sides import check_side
from regard.tracing.spelling import Piece, forms_of, pieces_of, spelling_of
from regard.tracing.stretches import each_its_own, standing, stretches_in, text_of
from regard.tracing.words import words_at

# What trace takes: a text, a pair of texts, a list of words; or tensors that are ready.
Text = str | tuple[str, str] | list[str]
Sentence = Text | Tensor | tuple[Tensor, ...] | Mapping[str, Tensor | Mapping[str, Any]]

Pieces = Sequence[Piece | None]
Stretched = tuple[str, list[Span | None]]  # a text, and which of it each token is


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
        If it is empty, or what should be a word has spaces in it.
    """
    if isinstance(sentence, str):
        check_not_empty(sentence)
        texts, encoded = [sentence], tokenizer(sentence, return_tensors="pt")
    elif isinstance(sentence, tuple) and [type(text) for text in sentence] == [str, str]:
        check_not_empty(" ".join(sentence))
        texts, encoded = list(sentence), tokenizer(*sentence, return_tensors="pt")
    elif isinstance(sentence, list) and all(isinstance(word, str) for word in sentence):
        check_words(sentence)
        texts = sentence
        encoded = tokenizer(sentence, is_split_into_words=True, return_tensors="pt")
    else:
        raise TypeError(
            "A sentence is a string, a pair of strings, a list of words, or tensors, but got "
            f"{said_of(sentence)}."
        )
    side = side_of_texts(encoded, texts, tokenizer, are_words=isinstance(sentence, list))
    return Tokenized({name: x for name, x in encoded.items() if isinstance(x, Tensor)}, side)


def side_of_texts(
    encoded: BatchEncoding,
    texts: Sequence[str],
    tokenizer: PreTrainedTokenizerBase,
    *,
    are_words: bool = False,
) -> Side:
    """Name tokens by their stretches of the text that was given.

    The stretch is as the user wrote it, also where the tokenizer lower-cases it or drops accents:
    the token of *Café* is called so, though the model reads *cafe*. What the tokenizer does not
    know has both its text and what the model reads: `😀 [UNK]`. Special tokens keep their names.
    """
    ids: list[int] = encoded["input_ids"][0].tolist()
    if not encoded.is_fast:
        return side_of(ids, tokenizer)

    def read(number: int, tokens: list[int], meant: Pieces) -> Stretched:
        text, spans = texts[number], [encoded.token_to_chars(token) for token in tokens]
        return text, stretches_in(text, each_its_own(text, spans, meant), meant)

    owners = encoded.word_ids() if are_words else encoded.sequence_ids()
    return _side(ids, tokenizer, owners, read, are_words=are_words)


def side_of(ids: Sequence[int], tokenizer: PreTrainedTokenizerBase | None) -> Side:
    """Name tokens of which only the ids are known, by what they mean together.

    Without a tokenizer, by the ids.
    """
    if tokenizer is None:
        return Side.of_names([str(i) for i in ids])
    drops_first = spelling_of(tokenizer).drops_first

    def read(_: int, __: list[int], meant: Pieces) -> Stretched:
        return text_of(meant, drops_first=drops_first)

    return _side(ids, tokenizer, [0] * len(ids), read)


def side_of_encoded(
    encoded: Any, ids: list[int], tokenizer: PreTrainedTokenizerBase | None
) -> Side:
    """Name tokens of what a tokenizer gave: it knows where each stood, though not in which text.

    So `don't` is one word, though WordPiece's tokens of it might be `don ' t`; and no word is of
    two texts, or of two of the words that it was given.
    """
    encodings = encoded.encodings if isinstance(encoded, BatchEncoding) else None
    if tokenizer is None or not encodings or encodings[0].ids != ids:
        return side_of(ids, tokenizer)
    given, drops_first = encodings[0], spelling_of(tokenizer).drops_first

    def read(_: int, tokens: list[int], meant: Pieces) -> Stretched:
        spans = [given.offsets[token] for token in tokens]
        return text_of(standing(meant, spans), drops_first=drops_first)

    are_words = _are_words(given)
    owners = _words_of(given) if are_words else given.sequence_ids
    return _side(ids, tokenizer, owners, read, are_words=are_words)


def _are_words(given: Encoding) -> bool:
    """Say whether a tokenizer was given the words of a sentence: each has places from 0 on."""
    starts: dict[int, int] = {}
    for word, (start, _) in zip(_words_of(given), given.offsets, strict=True):
        if word is not None:
            starts.setdefault(word, start)
    return any(given.word_ids) and not any(starts.values())


def _words_of(given: Encoding) -> list[int | None]:
    """Give each word of all texts a number, and each token that of its word, if it has one."""
    both = list(zip(given.sequence_ids, given.word_ids, strict=True))
    most = 1 + max((word for _, word in both if word is not None), default=0)
    return [None if text is None or word is None else text * most + word for text, word in both]


def _side(
    ids: Sequence[int],
    tokenizer: PreTrainedTokenizerBase,
    owners: Sequence[int | None],
    read: Callable[[int, list[int], Pieces], Stretched],
    *,
    are_words: bool = False,
) -> Side:
    """Name tokens, and say of which words they are.

    Parameters
    ----------
    ids, tokenizer
        The tokens.
    owners
        Of each token the number of its text, or of its word if `are_words`.
    read
        From such a number, its tokens and what they mean, to the text and the tokens' stretches.
    are_words
        Is each of the texts a word?
    """
    pieces = pieces_of(ids, tokenizer, spelling_of(tokenizer))
    names = forms_of(ids, tokenizer)
    words: list[Word | None] = [None] * len(ids)
    first = 0  # so that no word of this text is one of the others
    for number, tokens in _tokens_by(owners).items():
        meant = [pieces[token] for token in tokens]
        text, spans = read(number, tokens, meant)
        whole = [Word(number, shown(text.strip() or text))] * len(tokens)
        found = whole if are_words else words_at(text, spans, first)
        first += len(text)
        for token, name, word in zip(tokens, names_in(text, spans, meant), found, strict=True):
            is_unknown = ids[token] == tokenizer.unk_token_id and pieces[token] is not None
            is_both = is_unknown and name not in {"", names[token]}
            names[token] = f"{name} {names[token]}" if is_both else name or names[token]
            words[token] = word
    return Side(names, [piece is None for piece in pieces], words, list(ids))


def _tokens_by(owners: Sequence[int | None]) -> dict[int, list[int]]:
    """Give the tokens of each text or word."""
    tokens: dict[int, list[int]] = {}
    for token, owner in enumerate(owners):
        if owner is not None:
            tokens.setdefault(owner, []).append(token)
    return tokens


def names_in(text: str, spans: Sequence[Span | None], pieces: Sequence[Piece | None]) -> list[str]:
    """Name tokens by their stretches, or by what they mean without one; special ones by nothing."""
    named = zip(names_at(text, spans), pieces, strict=True)
    return ["" if piece is None else _named(name, piece) for name, piece in named]


def _named(name: str, piece: Piece) -> str:
    bare = name or shown(piece.meant.decode("utf-8", "surrogateescape"))
    return going_on(bare) if piece.goes_on and bare else bare


def tokenize_known(
    sentence: Any, tokenizer: PreTrainedTokenizerBase, side: str = "source"
) -> Tokenized:
    """Tokenize a sentence whose side knows every word, or say what is wrong with it."""
    if not isinstance(sentence, str):
        raise TypeError(f"A sentence is a string, but got {type(sentence).__name__}.")
    tokenized = tokenize(sentence, tokenizer)
    check_side(sentence, tokenized.side.ids or (), tokenizer, side)
    return tokenized


def side_of_target(target: str, tokenizer: PreTrainedTokenizerBase) -> Side:
    """Name the tokens of a text that a decoder is to write."""
    return side_of_texts(tokenizer(text_target=target, return_tensors="pt"), [target], tokenizer)


def check_not_empty(sentence: str) -> None:
    """Raise where there is nothing to read, or half a character.

    Raises
    ------
    ValueError
        If all is white space, or a letter is one of two that stand for one together: no tokenizer
        reads such.
    """
    if not sentence.strip():
        raise ValueError("The sentence is empty: type one, such as 'the dog saw the cow .'")
    halves = [letter for letter in sentence if "\ud800" <= letter <= "\udfff"]
    if halves:
        raise ValueError(
            f"The sentence has half a character, {halves[0]!r}, which is no text: decode it anew, "
            "such as by `text.encode('utf-16', 'surrogatepass').decode('utf-16', 'replace')`."
        )


def check_words(words: Sequence[str]) -> None:
    """Raise where what should be words are none.

    Raises
    ------
    ValueError
        If there are none, one is empty, or one has white space in it: then it is a sentence. A
        space that belongs to a word, as in `10 000`, is written as a no-break space.
    """
    check_not_empty(" ".join(words))
    for number, word in enumerate(words):
        if not word.strip():
            raise ValueError(
                f"Word {number} (from 0) of the list is {word!r}, which is no word: leave it out."
            )
        if set(word) & set(string.whitespace):
            raise ValueError(
                f"A list is the words of one sentence, but {_short(word)} has white space in it. "
                "Trace several sentences one by one, `[trace(text, ...) for text in texts]`; pass "
                "a pair of texts as a tuple, `(first, second)`; or one sentence as one string."
            )


def said_of(sentence: Any) -> str:
    """Say of what type something is that is no sentence, and what in it is not as it should be."""
    if isinstance(sentence, Mapping):
        others = {n: type(x).__name__ for n, x in sentence.items() if not isinstance(x, Tensor)}
        return f"a mapping in which {others} are no tensors"
    if not isinstance(sentence, list | tuple):
        return type(sentence).__name__
    kind = type(sentence).__name__
    wrong = [at for at, part in enumerate(sentence) if not isinstance(part, str)]
    if not wrong:
        return f"{kind} of {len(sentence)} texts" if sentence else f"an empty {kind}"
    return f"{kind} in which number {wrong[0]} (from 0) is {described(sentence[wrong[0]])}"


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:39]}…")


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
