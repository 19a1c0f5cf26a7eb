"""How a tokenizer spells its tokens: from storage forms, such as `Ġneed`, to what they mean."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from weakref import WeakKeyDictionary

from tokenizers import Tokenizer, decoders, models
from transformers import PreTrainedTokenizerBase

# GPT-2's byte-level tokenizers write each byte as a letter that can be seen: 0x20 as Ġ
_SEEN = [*range(33, 127), *range(161, 173), *range(174, 256)]
_UNSEEN = [byte for byte in range(256) if byte not in _SEEN]
BYTE_LETTERS = {chr(byte): byte for byte in _SEEN} | {
    chr(256 + at): byte for at, byte in enumerate(_UNSEEN)
}
LATIN_LETTERS = {chr(byte): byte for byte in range(256)}  # ByT5's way
SPACE = "▁"  # sentencepiece's
COW = bytes([0xE7, 0x89, 0x9B])  # of 牛, a letter of three bytes
COW_LETTERS = "çīĽ"  # which byte-level tokenizers write so


class Piece(NamedTuple):
    """What one token means, as far as its tokenizer tells."""

    meant: bytes  # UTF-8, or part of a character of it
    apart: bool = False  # does a space stand before it that is of no token?
    goes_on: bool = False  # or does it go on with a word, where such a space would part them?


@dataclass(frozen=True)
class Spelling:
    """The storage forms of one tokenizer."""

    byte_of: Mapping[str, int] | None  # what each letter stands for, if for a byte
    spaced: bool  # does ▁ stand for a space?
    coded: bool  # does <0xE7> stand for a byte?
    goes_on: str  # what begins a token that goes on with a word: ## in WordPiece
    unfinished: str  # what ends a token that the next one goes on with: @@ in older translators
    finished: str  # what ends a word's last token: </w> in CLIP
    parts: bool  # are spaces of no token, so that one stands between any two words?
    drops_first: bool  # is a space that begins the text none of the text's?


_ASKED: WeakKeyDictionary[PreTrainedTokenizerBase, Spelling] = WeakKeyDictionary()


def spelling_of(tokenizer: PreTrainedTokenizerBase) -> Spelling:
    """Give the storage forms of a tokenizer, which is asked once: a trace of few words is quick."""
    if tokenizer not in _ASKED:
        _ASKED[tokenizer] = _asked(tokenizer)
    return _ASKED[tokenizer]


def _asked(tokenizer: PreTrainedTokenizerBase) -> Spelling:
    """Ask a tokenizer what a few storage forms mean to it.

    What a form means depends on the tokenizer: `Ġ` is a space to a byte-level one, and a letter of
    Maltese to others.
    """
    read = _reader_of(tokenizer)

    def says(*tokens: str) -> str:
        try:
            return str(read(list(tokens)))
        except (KeyError, ValueError, TypeError, IndexError, NotImplementedError):
            return ""  # it is asked about forms that may be foreign to it

    alphabets = (BYTE_LETTERS, LATIN_LETTERS)
    cows = ([letter for byte in COW for letter in of if of[letter] == byte] for of in alphabets)
    is_bytes = [says(*letters).strip() == "牛" for letters in cows]
    is_finished = says("a</w>", "a</w>").strip() == "a a"
    return Spelling(
        byte_of=next((of for of, holds in zip(alphabets, is_bytes, strict=True) if holds), None),
        spaced=says("a", f"{SPACE}a") == "a a",
        coded=says(*(f"<0x{byte:02X}>" for byte in COW)).strip() == "牛",
        goes_on="##" * (says("a", "##a") == "aa"),
        unfinished="@@" * (says("a@@", "a") == "aa"),
        finished="</w>" * is_finished,
        parts=is_finished or says("a", "a") == "a a",
        drops_first=says(f"{SPACE}a") == "a",
    )


def _reader_of(tokenizer: PreTrainedTokenizerBase) -> Callable[[list[str]], str]:
    """Give what joins storage forms to a text: the tokenizer's decoder, or one that it lacks."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None and backend.decoder is None and (decoder := _decoder_for(backend)):
        return decoder.decode
    return tokenizer.convert_tokens_to_string


def _decoder_for(backend: Tokenizer) -> decoders.Decoder | None:
    """Choose a decoder for a tokenizer that was built without one, by how it spells a text.

    None where it splits a text at its spaces and keeps none of them, as one does that knows words.
    """
    spelled = "".join(backend.encode("a 牛", add_special_tokens=False).tokens)
    if COW_LETTERS in spelled:
        return decoders.ByteLevel()
    if SPACE in spelled:
        first = [decoders.Strip(" ", 1, 0)] if spelled.startswith(SPACE) else []
        rest = [decoders.ByteFallback(), decoders.Fuse(), *first]
        return decoders.Sequence([decoders.Replace(SPACE, " "), *rest])
    if " " in spelled:
        return decoders.Fuse()
    if isinstance(backend.model, models.WordPiece):
        return decoders.WordPiece(backend.model.continuing_subword_prefix, cleanup=False)
    suffix = getattr(backend.model, "end_of_word_suffix", None)
    return decoders.BPEDecoder(suffix) if suffix else None


def special_ids(tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """Give the ids of tokens that stand for no text: all special ones but the unknown word."""
    others = {tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id}
    unknown = {tokenizer.unk_token_id} - others  # GPT-2 calls several things by one name
    return set(tokenizer.all_special_ids) - unknown


def pieces_of(
    ids: Sequence[int], tokenizer: PreTrainedTokenizerBase, spelling: Spelling
) -> list[Piece | None]:
    """Give what each token means; None for special ones, which stand for no text."""
    special, added = special_ids(tokenizer), tokenizer.added_tokens_decoder
    pieces: list[Piece | None] = []
    is_open = False  # does the next token go on with the word of this one?
    for number, form in zip(ids, forms_of(ids, tokenizer), strict=True):
        if number in special:
            pieces.append(None)
        elif number in added:  # such tokens are stored as they are written
            pieces.append(Piece(form.encode("utf-8", "surrogateescape"), apart=spelling.parts))
        else:
            pieces.append(piece_of(form, spelling, is_open=is_open))
        is_open = number not in added and _is_open(form, spelling)
    return pieces


def forms_of(ids: Sequence[int], tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """Give the storage form of each token, or its number where the tokenizer has none."""
    forms = tokenizer.convert_ids_to_tokens(list(ids))  # with None, whatever its type says
    return [str(form or number) for form, number in zip(forms, ids, strict=True)]


def piece_of(form: str, spelling: Spelling, *, is_open: bool = False) -> Piece:
    r"""Give what one storage form means.

    Examples
    --------
    >>> plain = Spelling(None, True, True, "", "", "", parts=False, drops_first=True)
    >>> piece_of("▁need", plain).meant, piece_of("<0xE7>", plain).meant
    (b' need', b'\xe7')
    """
    if spelling.byte_of and all(letter in spelling.byte_of for letter in form):
        return Piece(bytes(spelling.byte_of[letter] for letter in form))
    if spelling.coded and _is_code(form):
        return Piece(bytes([int(form[3:5], 16)]))
    bare = form.removeprefix(spelling.goes_on)
    goes_on = is_open or len(bare) < len(form)
    bare = bare.removesuffix(spelling.unfinished).removesuffix(spelling.finished) or form
    if spelling.spaced:
        bare = bare.replace(SPACE, " ")
    meant = bare.encode("utf-8", "surrogateescape")
    return Piece(meant, apart=spelling.parts and not goes_on, goes_on=goes_on)


def _is_code(form: str) -> bool:
    """Say whether a form is a byte's, such as <0xE7>."""
    return len(form) == 6 and form.startswith("<0x") and form.endswith(">")


def _is_open(form: str, spelling: Spelling) -> bool:
    """Say whether a form does not end its word."""
    if spelling.finished:
        return not form.endswith(spelling.finished)
    return bool(spelling.unfinished) and form.endswith(spelling.unfinished)
