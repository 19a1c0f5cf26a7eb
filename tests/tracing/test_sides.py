"""What is typed is held against the words of its own side, and hints come from there."""

from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

from regard.model.lexicon import vocabulary
from regard.model.tokenization import build_tokenizer
from regard.model.transformer import Transformer
from regard.tracing.run import trace
from regard.viewer.explorer import explore

TARGET_WORDS = set(vocabulary(300).target) - set(vocabulary(300).source)


def complaint(model: Transformer, tokenizer: PreTrainedTokenizerFast, *texts: str) -> str:
    with pytest.raises(ValueError, match="does not know") as caught:
        trace(texts[0], model, tokenizer, target=texts[1] if texts[1:] else None)
    return str(caught.value)


@pytest.mark.parametrize("word", ["elephants", "vacas's", "sembled", "lupus"])
def test_an_unknown_word_is_offered_words_of_its_own_side(
    model: Transformer, tokenizer: PreTrainedTokenizerFast, word: str
) -> None:
    said = complaint(model, tokenizer, f"the {word} saw the dog .")
    offered = said.replace(",", " ").replace(".", " ").replace("?", " ").replace(")", " ").split()
    assert not set(offered) & TARGET_WORDS
    assert "Its 87 source words are, for example: a, black," in said


def test_a_word_that_comes_near_is_offered(
    model: Transformer, tokenizer: PreTrainedTokenizerFast
) -> None:
    assert "'wolfs' (did you mean wolf or" in complaint(model, tokenizer, "the wolfs saw it .")
    said = complaint(model, tokenizer, "the dog .", "lo canu .")
    assert "'canu' (did you mean cano or" in said
    assert "target words are" in said


def test_words_of_the_other_side_are_refused(
    model: Transformer, tokenizer: PreTrainedTokenizerFast
) -> None:
    said = complaint(model, tokenizer, "La vaca saw the dog .")
    assert "know 'La' (a target word), 'vaca' (a target word). Its" in said


def test_a_decoder_may_read_any_word_that_it_knows(
    model: Transformer, tokenizer: PreTrainedTokenizerFast
) -> None:
    seen = trace("the dog .", model, tokenizer, target="the cano")
    assert seen.labels(0, kind="decoder").keys == ["<s>", "the", "cano"]


def test_a_saved_tokenizer_still_knows_its_sides(
    model: Transformer, tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    tokenizer.save_pretrained(tmp_path)
    loaded = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    assert "'vaca' (a target word" in complaint(model, loaded, "the vaca .")


def test_a_tokenizer_without_sides_reads_all_its_words(model: Transformer) -> None:
    tokenizer = build_tokenizer(list(vocabulary(300)))
    assert trace("the vaca .", model, tokenizer).tokens == ["the", "vaca", ".", "</s>"]
    tokenizer.init_kwargs.pop("sides")  # as those of others have none
    assert trace("the vaca .", model, tokenizer).tokens == ["the", "vaca", ".", "</s>"]


def test_the_explorer_refuses_them_in_place(
    model: Transformer, tokenizer: PreTrainedTokenizerFast
) -> None:
    explorer = explore(model, tokenizer, "the dog saw it .")
    explorer.sentence.value = "la vaca ."
    assert "'vaca' (a target word)" in explorer.problem
    assert explorer.value["sentence"] == "the dog saw it ."
