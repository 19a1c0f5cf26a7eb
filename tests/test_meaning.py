"""The glossed language keeps its promises, and the glossing encoder can learn it."""

import pandas as pd
import pytest
import torch
from torch.optim import AdamW

from regard.glossing import GlossingEncoder, gloss, gloss_loss
from regard.meaning import (
    CLASSES,
    MEANING_PAIR,
    MEANINGS,
    generate_meaning_data,
    meaning_vocabulary,
    noun_classes,
)
from regard.measures import best_offsets
from regard.tokenization import build_tokenizer
from regard.tracing import trace
from regard.training import make_dataloader, train_model


@pytest.fixture(scope="module")
def schemas() -> pd.DataFrame:
    return generate_meaning_data(2000, seed=3)


def test_a_seed_decides_everything(schemas: pd.DataFrame) -> None:
    assert generate_meaning_data(2000, seed=3).equals(schemas)
    assert not generate_meaning_data(2000, seed=4).equals(schemas)
    assert schemas["source"].is_unique


def test_the_famous_pair_is_never_said_but_can_be_read(schemas: pd.DataFrame) -> None:
    assert not schemas["source"].isin(MEANING_PAIR).any()
    tokenizer = build_tokenizer(meaning_vocabulary())
    for sentence in MEANING_PAIR:
        assert tokenizer.unk_token_id not in tokenizer(sentence).input_ids
    one, other = (sentence.split() for sentence in MEANING_PAIR)
    assert sum(a != b for a, b in zip(one, other, strict=True)) == 1


def test_each_class_has_as_many_nouns_of_each_meaning() -> None:
    classes = noun_classes()
    for meaning in MEANINGS:
        counts = {name: sum(classes[noun] == name for noun in meaning.nouns) for name in CLASSES}
        assert set(counts.values()) == {2}


def test_the_antecedent_is_what_the_predicate_fits(schemas: pd.DataFrame) -> None:
    """Derive the antecedent anew, from the predicate and from which nouns are of its meaning."""
    kinds = {noun: meaning.predicates for meaning in MEANINGS for noun in meaning.nouns}
    for words, glosses, relations in zip(
        schemas["source"].str.split(),
        schemas["target"].str.split(),
        schemas["relations"],
        strict=True,
    ):
        predicate = words[words.index("too") + 1]
        antecedent, other = relations[0], relations[1]
        assert words[antecedent.reader] == "it"
        assert predicate in kinds[words[antecedent.read]]
        assert predicate not in kinds[words[other.read]]
        one, two = (glosses[r.read].split("-")[0] for r in (antecedent, other))
        assert one != two  # so that only the antecedent tells the class
        assert glosses[antecedent.reader] == one


def test_positions_alone_do_not_find_the_antecedent(schemas: pd.DataFrame) -> None:
    gold = [[("it", "encoder", r[0].reader, r[0].read)] for r in schemas["relations"]]
    assert best_offsets(gold)["share"].item() < 0.5


def test_the_glossing_encoder_learns_and_can_be_traced(schemas: pd.DataFrame) -> None:
    torch.manual_seed(0)
    words = meaning_vocabulary()
    model = GlossingEncoder(len(words), d_model=32, heads=(2, 1), dim_feedforward=64, dropout=0)
    history = train_model(
        model, make_dataloader(schemas), AdamW(model.parameters(), lr=1e-2), 3, loss=gloss_loss
    )
    assert history["loss"].iloc[-1] < 0.2 * history["loss"].iloc[0]
    tokenizer = build_tokenizer(words)
    seen = trace("the dog did not face the road .", model, tokenizer)
    assert seen.kinds == ("encoder",)
    assert seen.weights(1).shape == (1, 9, 9)
    src = torch.tensor([tokenizer("the dog did not face the road .").input_ids])
    glosses = tokenizer.convert_ids_to_tokens(gloss(model, src)[0].tolist())
    assert glosses[6] == f"{noun_classes()['road']}-road"
