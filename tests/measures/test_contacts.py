"""Contact maps against the head of transformers' ESM, and contacts that are planted."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from transformers import EsmConfig, EsmModel, EsmTokenizer
from transformers.models.esm.modeling_esm import average_product_correct, symmetrize

import regard
from regard.measures.contacts import contact_map, score_contacts
from regard.record.trace import Trace

PROTEIN = "MKTAYIAKQRQISFVKSHFSRQ"
LETTERS = "<cls> <pad> <eos> <unk> L A G V S E R T I D P K Q N F Y M H W C X B U Z O . - <mask>"


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> EsmTokenizer:
    path = Path(tmp_path_factory.mktemp("esm")) / "vocab.txt"
    path.write_text("\n".join(LETTERS.split()), encoding="utf-8")
    return EsmTokenizer(str(path))


@pytest.fixture(scope="module")
def esm() -> EsmModel:
    torch.manual_seed(0)
    config = EsmConfig(
        vocab_size=len(LETTERS.split()),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
        position_embedding_type="rotary",
        pad_token_id=1,
        mask_token_id=31,
    )
    model = EsmModel(config).eval()
    model.set_attn_implementation("eager")  # else ESM predicts no contacts
    for name, weights in model.named_parameters():  # far from even
        if "query" in name or "key" in name:
            nn.init.normal_(weights, std=0.5)
    return model


def test_residues_are_tokens(esm: EsmModel, words: EsmTokenizer) -> None:
    seen = regard.trace(PROTEIN, esm, words)
    assert seen.hide().tokens == list(PROTEIN)
    assert seen.tokens[0] == "<cls>"


def test_every_map_is_what_esm_takes_its_contacts_from(esm: EsmModel, words: EsmTokenizer) -> None:
    seen = regard.trace(PROTEIN, esm, words)
    inputs = words(PROTEIN, return_tensors="pt")
    with torch.no_grad():
        attentions = torch.stack(esm(**inputs, output_attentions=True).attentions)[:, 0]
    theirs = average_product_correct(symmetrize(attentions[..., 1:-1, 1:-1].clone())).numpy()
    for layer in range(2):
        assert contact_map(seen, layer) == pytest.approx(theirs[layer].mean(axis=0), abs=1e-5)
        for head in range(4):
            ours = contact_map(seen, layer, head)
            assert ours == pytest.approx(theirs[layer, head], abs=1e-5)
            assert contact_map(seen.hide(), layer, head) == pytest.approx(ours, abs=1e-6)
    assert contact_map(seen) == pytest.approx(theirs.mean(axis=(0, 1)), abs=1e-5)
    assert np.abs(theirs).max() > 0.1


def test_with_its_regression_it_is_what_esm_predicts(esm: EsmModel, words: EsmTokenizer) -> None:
    nn.init.normal_(esm.contact_head.regression.weight, std=10)
    nn.init.constant_(esm.contact_head.regression.bias, 0.7)
    inputs = words(PROTEIN, return_tensors="pt")
    with torch.no_grad():
        theirs = esm.predict_contacts(inputs.input_ids, inputs.attention_mask)[0].numpy()
    seen = regard.trace(PROTEIN, esm, words)
    ours = contact_map(seen, regression=esm.contact_head.regression)
    assert ours == pytest.approx(theirs, abs=1e-4)
    assert theirs.std() > 0.05


def test_bases_are_read_as_well(words: EsmTokenizer, esm: EsmModel) -> None:
    assert contact_map(regard.trace("ACGTTGCA", esm, words)).shape == (8, 8)


def planted(length: int = 30) -> tuple[Trace, np.ndarray]:
    """Give heads that know nothing, and one that reads what each residue touches, in a hairpin."""
    rng = np.random.default_rng(0)
    touch = np.eye(length)[::-1].astype(bool)
    np.fill_diagonal(touch, val=False)
    weights = rng.dirichlet(np.full(length, 0.5), (2, 3, length))
    weights[1, 2] = 0.5 * weights[1, 2] + 0.5 * touch
    return Trace.from_weights(weights), touch


def test_a_planted_head_is_first_and_the_rest_are_no_better_than_chance() -> None:
    seen, touch = planted()
    table = score_contacts(seen, touch)
    assert table[["layer", "head", "count"]].to_numpy()[0].tolist() == [1, 2, 30]
    far = [(i, 29 - i) for i in range(15) if 29 - 2 * i >= 6]
    assert table.loc[0, "precision"] == pytest.approx(len(far) / 30)  # all there are
    assert table["chance"].unique() == pytest.approx([len(far) / (24 * 25 / 2)])
    rest = table["precision"].to_numpy()[1:]
    assert np.mean(rest) == pytest.approx(table["chance"].to_numpy()[0], abs=0.05)


def test_precision_is_counted_by_hand() -> None:
    seen, touch = planted(12)
    for apart in (1, 6, 11):
        table = score_contacts(seen, touch, apart=apart).set_index(["layer", "head"])
        pairs = [(i, j) for i in range(12) for j in range(i + apart, 12)]
        for layer, head in np.ndindex(2, 3):
            one = contact_map(seen, layer, head)
            best = sorted(pairs, key=lambda pair: -one[pair])[:12]
            row: Any = table.loc[(layer, head)]
            assert row["precision"] == pytest.approx(np.mean([touch[pair] for pair in best]))
            assert row["count"] == len(best)


def test_residues_that_read_nothing_have_no_map() -> None:
    assert (contact_map(Trace.from_weights(np.zeros((3, 3)))) == 0).all()


SEEN, TOUCH = planted(8)
CROSS = Trace.from_weights(np.full((2, 3), 1 / 3), kind="cross")
LINEAR = nn.Linear(6, 1)


@pytest.mark.parametrize(
    ("ask", "error", "said"),
    [
        (lambda: contact_map("MKT"), TypeError, "A trace is expected"),  # type: ignore[arg-type]
        (lambda: contact_map(SEEN, 2), ValueError, "no layer 2"),
        (lambda: contact_map(SEEN, 0, 3), ValueError, "no head 3"),
        (lambda: contact_map(SEEN, None, 1), ValueError, "Head 1 is one of a layer"),
        (lambda: contact_map(CROSS), ValueError, "residues that read each other"),
        (lambda: contact_map(SEEN, regression=3), TypeError, "regression is an nn.Linear"),  # type: ignore[arg-type]
        (lambda: contact_map(SEEN, 0, regression=LINEAR), ValueError, "all of the model's, but"),
        (lambda: contact_map(SEEN, regression=nn.Linear(5, 1)), ValueError, "is of 5 heads, all"),
        (lambda: score_contacts(SEEN, TOUCH[1:]), ValueError, re.escape("(8, 8), a row and a col")),
        (lambda: score_contacts(SEEN, TOUCH * 7), ValueError, "symmetric, and True or False"),
        (lambda: score_contacts(SEEN, np.triu(TOUCH)), ValueError, "are symmetric"),
        (lambda: score_contacts(SEEN, "x"), TypeError, "Contacts are bool"),
        (lambda: score_contacts(SEEN, TOUCH, apart=8), ValueError, "No pair of 8 residues is 8"),
        (lambda: score_contacts(SEEN, TOUCH, apart=0), ValueError, "at least 1 apart"),
    ],
)
def test_what_has_no_map_is_said(ask: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        ask()


@pytest.mark.parametrize("place", [0, 20])
def test_a_head_without_an_opinion_has_the_precision_of_chance(place: int) -> None:
    """Wherever the contacts are: pairs that are level share what is right."""
    length = 40
    touch = np.zeros((length, length), dtype=bool)
    touch[place : place + 8, place + 8 : place + 16] = True
    touch |= touch.T
    even = np.full((length, length), 1 / length)
    seen = Trace.from_weights([[even, np.eye(length)]], list("MKTAYIAKQR") * 4)
    table = score_contacts(seen, touch)
    assert table["precision"].tolist() == pytest.approx(table["chance"].tolist(), abs=1e-6)
