"""Any text, any kind of tokenizer: a token is called by what a person reads of it."""

# ruff: noqa: S106  (tokens are no passwords)

import json
import re
import unicodedata
from collections.abc import Callable
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import (
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import ByT5Tokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from regard.tracing.names import CIRCLE, DOT, names_at
from regard.tracing.spelling import Piece
from regard.tracing.stretches import stretches_in
from regard.tracing.texts import side_of, tokenize

TEXTS = {
    "English": "The need of the cow, 12 cats don't care.",
    "German": "Über größere Äpfel freut sich das süße Mädchen.",
    "Japanese": "牛は犬を追いかけたが、コーヒーは飲まない。",
    "Chinese": "我喜欢苹果，但是他不喜欢。",
    "Korean": "개는 소를 보았다.",
    "Arabic": "الكلب رأى البقرة. مَرْحَبًا",
    "Persian": "می‌خواهم بروم",
    "Thai": "วัวเห็นหมาที่นี่ แล้ว",
    "Hindi": "हिन्दी में कुत्ते ने गाय देखी।",
    "Russian": "Собака увидела корову.",
    "emoji": "a 👩‍👩‍👧 and 👍🏽 in 🇩🇪 1️⃣",
    "code": "def f(x):\n\treturn x == 'a'  # ␠",
    "control": "a\x00b\x1b[2Jc\u202ed\u200be\u00ad\r\nf\u2028g\xa0h\u3000",
    "accents": "e\u0301 \u0301x a\u0323\u0302",
}
PART = r"\d+/\d+"
UNKNOWN = {"<unk>", "[UNK]"}
MARKED = {"␣": " ", "↵": "\n", "⇥": "\t"}


def wrapped(tokenizer: Tokenizer, **special: str) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, clean_up_tokenization_spaces=False, **special
    )


def corpus() -> list[str]:
    return [" ".join(TEXTS[name] for name in ("English", "German", "Russian", "Arabic", "code"))]


@cache
def byte_level(*, trim_offsets: bool = False) -> PreTrainedTokenizerBase:
    """As GPT-2's; RoBERTa's trims offsets."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=trim_offsets)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=330, initial_alphabet=alphabet, special_tokens=["<s>"], show_progress=False
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    return wrapped(tokenizer, bos_token="<s>")


@cache
def byte_fallback() -> PreTrainedTokenizerBase:
    """As Llama's: sentencepiece, and bytes for what is in no piece."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    spaces = [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    tokenizer.normalizer = normalizers.Sequence(spaces)
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=150, special_tokens=["<unk>", "<s>"], show_progress=False
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    state = json.loads(tokenizer.to_str())
    vocabulary = state["model"]["vocab"]
    vocabulary |= {f"<0x{byte:02X}>": len(vocabulary) + byte for byte in range(256)}
    tokenizer = Tokenizer.from_str(json.dumps(state))
    return wrapped(tokenizer, unk_token="<unk>", bos_token="<s>")


@cache
def unigram(*, splits: bool = False) -> PreTrainedTokenizerBase:
    """As T5's; XLM-R's splits at white space first, so that offsets leave it out."""
    tokenizer = Tokenizer(models.Unigram())
    metaspace = pre_tokenizers.Metaspace()
    parts = [pre_tokenizers.WhitespaceSplit(), metaspace] if splits else [metaspace]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(parts)
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=300, special_tokens=["<unk>"], unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator([" ".join(TEXTS.values())], trainer)
    return wrapped(tokenizer, unk_token="<unk>")


@cache
def wordpiece(*, lowers: bool = False) -> PreTrainedTokenizerBase:
    """As BERT's."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(
        lowercase=lowers, strip_accents=lowers, clean_text=True
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(
        vocab_size=400, special_tokens=["[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False
    )
    texts = [text.lower() for text in TEXTS.values()] if lowers else list(TEXTS.values())
    tokenizer.train_from_iterator([*texts, *texts], trainer)
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    special = {"cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
    return wrapped(tokenizer, unk_token="[UNK]", **special)


@cache
def characters() -> PreTrainedTokenizerBase:
    """One token a code point, of those that it knows."""
    known = sorted(set("".join(TEXTS.values())))
    vocabulary = {letter: number for number, letter in enumerate(["<unk>", *known])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return wrapped(tokenizer, unk_token="<unk>")


@cache
def byt5() -> PreTrainedTokenizerBase:
    """Bytes, by a slow tokenizer that gives no offsets."""
    return ByT5Tokenizer(extra_ids=0)


LOSSLESS: dict[
    str, Callable[[], PreTrainedTokenizerBase]
] = {  # every character of the text is in some token
    "byte-level BPE": byte_level,
    "byte-level BPE with trimmed offsets": lambda: byte_level(trim_offsets=True),
    "sentencepiece with byte fallback": byte_fallback,
    "bytes": byt5,
    "characters": characters,
}
PARTED: dict[
    str, Callable[[], PreTrainedTokenizerBase]
] = {  # spaces are of no token, or some of them
    "WordPiece": wordpiece,
    "Unigram": unigram,
    "Unigram after splitting": lambda: unigram(splits=True),
}


def names_of(text: str, tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """Name the tokens that stand for something of the text."""
    side = tokenize(text, tokenizer).side
    return [name for name, special in zip(side.tokens, side.special, strict=True) if not special]


def read_back(names: list[str]) -> str:
    """Turn names into a text again, as a person does: marks to what they mark, each character once.

    What Python would escape is read as Python reads it. The text itself has no backslash.
    """
    read = []
    for name in names:
        fields = name.removeprefix(DOT).split(" ")  # a space of the text would be marked
        for field, after in zip(fields, [*fields[1:], ""], strict=True):
            is_later_part = re.fullmatch(PART, after) and not after.startswith("1/")
            if not re.fullmatch(PART, field) and field not in UNKNOWN and not is_later_part:
                read.append(field)
    text = "".join(read)
    text = re.sub(rf"{CIRCLE}(.)", lambda m: m[0][not m[1].isprintable() or is_mark(m[1]) :], text)
    for mark, meant in MARKED.items():
        text = text.replace(mark, meant)
    escape = r"\\(?:x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|r)"
    return re.sub(escape, lambda match: match[0].encode().decode("unicode_escape"), text)


def is_mark(letter: str) -> bool:
    return unicodedata.category(letter).startswith("M")


def whole_texts() -> st.SearchStrategy[str]:
    """Draw any text without the signs that names are written with, so that it is read one way."""
    signs = [*MARKED, DOT, CIRCLE, "/", "\\", "▁", "<"]
    letters = st.characters(exclude_characters=signs, exclude_categories=["Cs"])
    asked = st.sampled_from("牛はé \n\t\u0301\u200d👩👧🏽हिन्दीที่اللغة\u202e\u200b\u3000")
    return st.text(letters | asked, max_size=30).filter(str.strip)


def split_parts(names: list[str]) -> list[tuple[str, int, int]]:
    """Find what is split: the character, which part it is, and of how many."""
    found = [re.findall(r"(\S+) (\d+)/(\d+)(?= |$)", name) for name in names]
    return [(one.lstrip("␣↵⇥·"), int(a), int(b)) for of in found for one, a, b in of]


@pytest.mark.parametrize("kind", LOSSLESS)
@pytest.mark.parametrize("language", TEXTS)
def test_names_give_the_text_again(kind: str, language: str) -> None:
    names = names_of(TEXTS[language], LOSSLESS[kind]())
    assert TEXTS[language] in {read_back(names), read_back(names).removeprefix(" ")}
    assert not any(re.search("[Ġ▁\n\r\t]|##", name) for name in names)


@pytest.mark.parametrize("kind", ["byte-level BPE", "sentencepiece with byte fallback", "bytes"])
@given(text=whole_texts())
@example(text="\u0301")
@example(text="\r\n \u0301\u200d")
@settings(max_examples=150, deadline=None)
def test_names_of_any_text_give_it_again(kind: str, text: str) -> None:
    tokenizer = LOSSLESS[kind]()
    names = names_of(text, tokenizer)
    assert text in {read_back(names), read_back(names).removeprefix(" ")}  # some put one before
    assert all(name and len(name.splitlines()) == 1 for name in names)
    for before, after in pairwise([("", 0, 0), *split_parts(names), ("", 1, 1)]):
        counts_up = after == (before[0], before[1] + 1, before[2])
        begins = before[1] == before[2] and after[1] == 1
        assert counts_up or begins


@given(text=whole_texts())
@settings(max_examples=150, deadline=None)
def test_trimmed_offsets_make_no_difference(text: str) -> None:
    assert names_of(text, byte_level(trim_offsets=True)) == names_of(text, byte_level())


@pytest.mark.parametrize("kind", ["byte-level BPE", "sentencepiece with byte fallback"])
@given(text=whole_texts())
@settings(max_examples=150, deadline=None)
def test_names_are_the_same_from_ids_as_from_text(kind: str, text: str) -> None:
    side = tokenize(text, LOSSLESS[kind]()).side
    assert side.ids is not None
    from_ids = side_of(side.ids, LOSSLESS[kind]())
    assert from_ids.tokens == side.tokens
    assert [w and w.text for w in from_ids.words or ()] == [w and w.text for w in side.words or ()]


@pytest.mark.parametrize("kind", PARTED)
@pytest.mark.parametrize("language", [name for name in TEXTS if name not in {"control", "accents"}])
def test_spaces_are_all_that_may_be_of_no_token(kind: str, language: str) -> None:
    names = names_of(TEXTS[language], PARTED[kind]())
    assert "".join(read_back(names).split()) == "".join(TEXTS[language].split())
    assert not any(re.search("[Ġ▁\n\r\t]|##", name) for name in names)


def test_a_quiet_mark_is_where_a_space_belongs_to_a_token() -> None:
    for tokenizer in (byte_level(), byte_level(trim_offsets=True), byte_fallback(), unigram()):
        names = names_of("cow of the cow", tokenizer)
        assert "".join(names).removeprefix("␣") == "cow␣of␣the␣cow"
    assert names_of("of\n\tof", byte_level()) == ["of", "↵", "⇥", "of"]


def test_a_split_character_is_named_with_its_parts() -> None:
    assert names_of("牛", byte_level()) == ["牛 1/3", "牛 2/3", "牛 3/3"]
    assert names_of("牛", byte_fallback()) == ["␣", "牛 1/3", "牛 2/3", "牛 3/3"]
    family = names_of("👩‍👩‍👧", byte_level())
    assert family == [f"👩‍👩‍👧 {part}/18" for part in range(1, 19)]
    assert names_of("e\u0301", characters()) == ["e\u0301 1/2", "e\u0301 2/2"]
    joined = names_at("は牛犬", [(0, 2), (1, 3), (2, 3)])
    assert joined == ["は 牛 1/2", "牛 2/2 犬 1/2", "犬 2/2"]
    assert names_at(" 牛", [(0, 2), (1, 2)]) == ["␣牛 1/2", "牛 2/2"]


def test_an_accent_without_a_letter_stands_on_a_circle() -> None:
    assert names_at("\u0301 \u0e31a", [(0, 1), (1, 2), (2, 4)]) == ["◌\u0301", "␣", "◌\u0e31a"]


def test_bytes_of_no_character_are_shown() -> None:
    first, second, third = byte_level()("牛").input_ids
    of = byte_level()("of").input_ids
    assert side_of([first, second], byte_level()).tokens == ["<0xE7>", "<0x89>"]
    assert side_of([third, *of], byte_level()).tokens == ["<0x9B>", "of"]
    start = byte_level().bos_token_id
    split = side_of([first, second, start, third], byte_level())
    assert split.tokens == ["<0xE7>", "<0x89>", "<s>", "<0x9B>"]
    _, code, *_ = byte_fallback()("牛").input_ids
    assert side_of([code], byte_fallback()).tokens == ["<0xE7>"]
    assert side_of([10**6], byte_level()).tokens == ["1000000"]


def test_wordpiece_dots_the_parts_of_a_word() -> None:
    names = names_of("careless cows", wordpiece())
    assert "".join(names).replace(DOT, "") == "carelesscows"
    words = tokenize("careless cows", wordpiece()).side.words
    assert words is not None
    for name, word, before in zip(names[1:], words[2:-1], words[1:], strict=False):
        assert name.startswith(DOT) == (word == before)


def test_the_stretch_is_as_it_was_written() -> None:
    assert names_of("The CAT", wordpiece(lowers=True)) == ["The", "CA", "·T"]


def test_a_stretch_gets_back_the_space_that_offsets_leave_out_at_its_end() -> None:
    pieces = [Piece(b"x):\n"), Piece(b"  y")]
    assert stretches_in("x):\n  y", [(0, 3), (6, 7)], pieces) == [(0, 4), (4, 7)]
    assert stretches_in("x y", [(0, 1), (1, 3)], [Piece(b"x "), Piece(b" y")]) == [(0, 1), (1, 3)]
