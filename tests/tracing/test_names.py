"""Any text, any kind of tokenizer: a token is called by what a person reads of it."""

import re
import unicodedata
from collections.abc import Callable
from functools import cache
from typing import Any

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

from regard.tracing.names import CIRCLE, TIE, shown
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
    special = ["<unk>", "<s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(corpus(), trainer)
    fields = {"unk_token": "<unk>", "bos_token": "<s>"}
    return wrapped(tokenizer, **fields)


@cache
def unigram(*, splits: bool = False) -> PreTrainedTokenizerBase:
    """As T5's; XLM-R's splits at white space first, so that offsets leave it out."""
    tokenizer = Tokenizer(models.Unigram())
    metaspace = pre_tokenizers.Metaspace()
    parts = [pre_tokenizers.WhitespaceSplit(), metaspace] if splits else [metaspace]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(parts)  # type: ignore[arg-type]
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=120, special_tokens=["<unk>"], unk_token="<unk>", show_progress=False
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
    start, end = (tokenizer.token_to_id(token) for token in ("[CLS]", "[SEP]"))
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", end), ("[CLS]", start))
    special = {"cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
    return wrapped(tokenizer, unk_token="[UNK]", **special)


@cache
def characters() -> PreTrainedTokenizerBase:
    """One token a code point, of those that it knows."""
    known = sorted(set("".join(TEXTS.values())))
    vocabulary = {letter: number for number, letter in enumerate(["<unk>", *known])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("(?s)."), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return wrapped(tokenizer, unk_token="<unk>")


@cache
def byt5() -> PreTrainedTokenizerBase:
    """Bytes, by a slow tokenizer that gives no offsets."""
    return ByT5Tokenizer(extra_ids=0)


LOSSLESS = {  # every character of the text is in some token
    "byte-level BPE": byte_level,
    "byte-level BPE with trimmed offsets": lambda: byte_level(trim_offsets=True),
    "sentencepiece with byte fallback": byte_fallback,
    "bytes": byt5,
    "characters": characters,
}
PARTED = {  # spaces are of no token, or some of them
    "WordPiece": wordpiece,
    "Unigram": unigram,
    "Unigram after splitting": lambda: unigram(splits=True),
}


def names_of(text: str, tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """Name the tokens that stand for something of the text."""
    side = tokenize(text, tokenizer).side
    return [name for name, special in zip(side.tokens, side.special, strict=True) if not special]


def read_back(names: list[str]) -> str:
    """Turn names into text again, as a person does: each split character once, marks to spaces."""
    read = []
    for name in names:
        fields = name.removeprefix(TIE).split(" ")  # a space of the text would be marked
        for at, field in enumerate(fields):
            part = re.fullmatch(r"(\d+)/\d+", fields[at + 1]) if at + 1 < len(fields) else None
            is_part = at > 0 and re.fullmatch(r"\d+/\d+", field)
            if not is_part and field not in {"<unk>", "[UNK]"} and (not part or part[1] == "1"):
                read.append(field)
    text = "".join(read)
    text = re.sub(rf"{CIRCLE}(?=[{''.join(ACCENTS)}])", "", text)
    for mark, meant in MARKED.items():
        text = text.replace(mark, meant)
    return text


ACCENTS = [chr(code) for code in range(0x300, 0x370)]
TEXT = st.text(
    st.characters(exclude_characters=[*MARKED, TIE, CIRCLE, "/", "▁", "<"], exclude_categories=["Cs"])
).filter(str.strip)


@pytest.mark.parametrize("kind", LOSSLESS)
@pytest.mark.parametrize("language", TEXTS)
def test_names_give_the_text_again(kind: str, language: str) -> None:
    text = TEXTS[language]
    names = names_of(text, LOSSLESS[kind]())
    names = names[names[0] == "␣" and text[0] != " " :]  # a space that the tokenizer puts before
    assert read_back(names).encode() == shown_back(text).encode()
    assert not any(re.search("[Ġ▁\n\r\t]|##", name) for name in names)


def shown_back(text: str) -> str:
    """Write what does not show as names do, and leave spaces."""
    written = shown(text)
    for mark, meant in MARKED.items():
        written = written.replace(mark, meant)
    return re.sub(rf"{CIRCLE}(?=[{''.join(ACCENTS)}])", "", written)
