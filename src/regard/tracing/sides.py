"""Which words may stand on which side: a tokenizer of two languages may know that.

It says so by `sides` among its `init_kwargs`, {"source": words, "target": words}, which are saved
with it. The words of any other tokenizer may stand on both.
"""

import difflib
from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase


def check_side(
    sentence: str, ids: Sequence[int], tokenizer: PreTrainedTokenizerBase, side: str
) -> None:
    """Raise where a word is not known, and name those of its side that come near.

    A source has only words of its own side; a target may have others, for one may ask what a
    decoder makes of them.
    """
    known = words_of_side(tokenizer, side)
    allowed = known if side == "source" else tokenizer.get_vocab()
    fitting = {*allowed, *tokenizer.all_special_tokens} - {tokenizer.unk_token}
    tokens = tokenizer.convert_ids_to_tokens(list(ids))
    if fitting.issuperset(tokens):
        return
    spans = tokenizer(sentence, return_offsets_mapping=True).offset_mapping
    strangers = dict.fromkeys(
        f"{sentence[slice(*span)]!r}" + hint(sentence[slice(*span)], token, known, tokenizer)
        for token, span in zip(tokens, spans, strict=True)
        if token not in fitting
    )
    examples = sorted(known, key=lambda word: (not word.isalpha(), word))
    raise ValueError(
        f"The tokenizer does not know {', '.join(strangers)}. Its {len(known)} {side} words are, "
        f"for example: {', '.join(examples[:: max(len(known) // 12, 1)])}."
    )


def words_of_side(tokenizer: PreTrainedTokenizerBase, side: str) -> list[str]:
    """Give the words that may stand on the "source" or the "target" side."""
    sides = getattr(tokenizer, "init_kwargs", {}).get("sides", {})
    special = set(tokenizer.all_special_tokens)
    return [word for word in sides.get(side, tokenizer.get_vocab()) if word not in special]


def hint(word: str, token: str, known: list[str], tokenizer: PreTrainedTokenizerBase) -> str:
    """Say of a word that is not known here what may be meant."""
    if token != tokenizer.unk_token:
        return " (a target word)"
    near = difflib.get_close_matches(word.lower(), known)
    return f" (did you mean {' or '.join(near)}?)" if near else ""
