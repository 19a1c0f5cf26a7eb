"""The glossed language keeps its promises, and the glossing encoder can learn it."""

from collections import Counter

import pandas as pd
import pytest
import torch
from torch.optim import AdamW

from regard.model.glossing import GlossingEncoder, gloss, gloss_loss
from regard.model.meaning import (
    CLASSES,
    MEANING_PAIR,
    MEANINGS,
    generate_meaning_data,
    meaning_vocabulary,
    noun_classes,
)
from regard.model.pairs import pronoun_edges
from regard.model.schema import validate_sentences
from regard.model.tokenization import build_tokenizer
from regard.model.training import make_dataloader, train_model
from regard.tracing.run import trace


@pytest.fixture(scope="module")
def sentences() -> pd.DataFrame:
    return generate_meaning_data(2000, seed=3)


def test_a_seed_decides_everything(sentences: pd.DataFrame) -> None:
    assert generate_meaning_data(2000, seed=3).equals(sentences)
    assert not generate_meaning_data(2000, seed=4).equals(sentences)
    assert sentences["source"].is_unique


def test_the_famous_pair_is_never_said_but_can_be_read(sentences: pd.DataFrame) -> None:
    assert not sentences["source"].isin(MEANING_PAIR).any()
    tokenizer = build_tokenizer(meaning_vocabulary())
    for sentence in MEANING_PAIR:
        assert tokenizer.unk_token_id not in tokenizer(sentence).input_ids
    one, other = (sentence.split() for sentence in MEANING_PAIR)
    assert sum(a != b for a, b in zip(one, other, strict=True)) == 1
    classes = noun_classes()
    assert len({classes[word] for word in one if word in classes}) == 2  # so that "it" can tell


def test_each_class_has_as_many_nouns_of_each_meaning() -> None:
    classes = noun_classes()
    for meaning in MEANINGS:
        counts = {name: sum(classes[noun] == name for noun in meaning.nouns) for name in CLASSES}
        assert set(counts.values()) == {2}


def test_the_antecedent_is_what_the_predicate_fits(sentences: pd.DataFrame) -> None:
    """Derive the antecedent anew, from the predicate and from which nouns are of its meaning."""
    kinds = {noun: meaning.predicates for meaning in MEANINGS for noun in meaning.nouns}
    for words, glosses, relations in zip(
        sentences["source"].str.split(),
        sentences["target"].str.split(),
        sentences["relations"],
        strict=True,
    ):
        edges = pronoun_edges(relations)
        (it, antecedent), (_, predicate) = edges["its antecedent"], edges["its predicate"]
        assert words[it] == "it"
        assert predicate == words.index("too") + 1
        fitting = [at for at, word in enumerate(words) if words[predicate] in kinds.get(word, ())]
        assert fitting == [antecedent]
        nouns = (antecedent, edges["the other noun"][1])
        one, two = (glosses[noun].split("-")[0] for noun in nouns)
        assert one != two  # so that only the antecedent tells the class
        assert glosses[it] == one


def test_the_rows_keep_to_the_schema_of_sentence_pairs(sentences: pd.DataFrame) -> None:
    assert validate_sentences(sentences, meaning_vocabulary()) is sentences
    third = sentences["source"].str.contains("near|behind|beside")
    assert 0.2 < third.mean() < 0.4
    assert set(sentences["category"]) == {"reason after", "reason before"}


def test_positions_alone_do_not_find_the_antecedent(sentences: pd.DataFrame) -> None:
    edges = [pronoun_edges(relations)["its antecedent"] for relations in sentences["relations"]]
    offsets = Counter(antecedent - it for it, antecedent in edges)
    assert max(offsets.values()) / len(edges) < 0.5


def test_the_glossing_encoder_learns_and_can_be_traced(sentences: pd.DataFrame) -> None:
    torch.manual_seed(0)
    words = meaning_vocabulary()
    model = GlossingEncoder(len(words), d_model=32, heads=(2, 1), dim_feedforward=64, dropout=0)
    history = train_model(
        model, make_dataloader(sentences), AdamW(model.parameters(), lr=1e-2), 3, loss=gloss_loss
    )
    assert history["loss"].iloc[-1] < 0.2 * history["loss"].iloc[0]
    tokenizer = build_tokenizer(words)
    seen = trace("the dog did not face the road .", model, tokenizer)
    assert seen.kinds == ("encoder",)
    assert seen.weights(1).shape == (1, 9, 9)
    src = torch.tensor([tokenizer("the dog did not face the road .").input_ids])
    glosses = tokenizer.convert_ids_to_tokens(gloss(model, src)[0].tolist())
    assert glosses[6] == f"{noun_classes()['road']}-road"
