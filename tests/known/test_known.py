"""Known results, counted by hand on tiny models."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import AutoModel, AutoTokenizer, PreTrainedTokenizerFast

import regard
from regard.known import induction, norms, sinks
from regard.known.reproduction import reproduce, sentences_in
from tests.output_projections import writing
from tests.test_cli import MINILM
from tests.tiny_models import build

LENGTH = 6
SENTENCES = ["The dog saw it.", "It was weak, they said."]


@pytest.fixture(scope="module")
def writer() -> Any:
    return build("gpt2", "AutoModelForCausalLM", "eager")


def repeated(start: int | None) -> Tensor:
    return induction.repeated_tokens(range(3, 90), length=LENGTH, count=3, start=start)


@pytest.mark.parametrize("start", [None, 1])
def test_texts_come_twice(start: int | None) -> None:
    ids = repeated(start)
    once, again = ids[:, -2 * LENGTH : -LENGTH], ids[:, -LENGTH:]
    assert torch.equal(once, again)
    assert all(len(set(row)) == LENGTH for row in once.tolist())
    assert ids.size(1) == 2 * LENGTH + (start is not None)
    assert start is None or (ids[:, 0] == start).all()


@pytest.mark.parametrize(("length", "count"), [(1, 1), (88, 1), (5, 0)])
def test_what_cannot_be_drawn_is_refused(length: int, count: int) -> None:
    with pytest.raises(ValueError, match="From 87 tokens"):
        induction.repeated_tokens(range(3, 90), length=length, count=count)


@pytest.mark.parametrize("start", [None, 1])
def test_induction_is_what_eager_gives_to_the_token_after(writer: Any, start: int | None) -> None:
    ids = repeated(start)
    with torch.no_grad():
        given = torch.stack(writer(ids, output_attentions=True).attentions)  # (layers, B, h, T, T)
    queries = range(ids.size(1) - LENGTH, ids.size(1))
    by_hand = torch.stack([given[:, :, :, q, q - LENGTH + 1] for q in queries]).mean(dim=(0, 2))
    table = induction.score_induction(writer, ids)
    for _, layer, head, found in table.itertuples(index=False):
        assert found == pytest.approx(float(by_hand[layer, head]), abs=1e-6)
    assert table["induction"].is_monotonic_decreasing


@pytest.mark.parametrize("start", [None, 1])
def test_losses_are_those_by_hooks(
    writer: Any, start: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(induction, "STRONGEST", 1)
    ids = repeated(start)
    first = ids.size(1) - 2 * LENGTH

    def losses() -> list[float]:
        with torch.no_grad():
            logits = writer(ids).logits
        return [
            sum(
                float(F.cross_entropy(logits[:, at - 1], ids[:, at]))
                for at in range(begin + 1, begin + LENGTH)
            )
            / (LENGTH - 1)
            for begin in (first, first + LENGTH)
        ]

    table = induction.without_induction(writer, ids).set_index("model")
    assert list(table.loc["as it is"]) == pytest.approx(losses(), abs=1e-5)
    best = induction.score_induction(writer, ids).iloc[0]
    projection = writer.transformer.h[int(best["layer"])].attn.c_proj
    with writing(projection, int(best["head"]), writer.config.n_head, torch.zeros_like):
        without = losses()
    name = f"without {best['layer']}-{best['head']}"
    assert list(table.loc[name]) == pytest.approx(without, abs=1e-5)
    assert len(table) == 4


def test_what_is_blocked_is_what_came_after(writer: Any) -> None:
    ids = repeated(1)
    with regard.block(writer, induction._lookups(ids)[:1], kind="decoder"):  # noqa: SLF001
        seen = regard.trace(ids[:1], writer)
    whole = regard.trace(ids[:1], writer)
    for query in range(LENGTH + 1, 2 * LENGTH + 1):
        assert seen.weights(0)[:, query, query - LENGTH + 1].max() == 0
        assert whole.weights(0)[:, query, query - LENGTH + 1].min() > 0
    np.testing.assert_allclose(seen.weights(0)[:, : LENGTH + 1], whole.weights(0)[:, : LENGTH + 1])


def test_norms_are_those_of_what_each_key_adds() -> None:
    """The length of alpha f(x), key by key, in loops."""
    model: Any = AutoModel.from_pretrained(MINILM, attn_implementation="eager").eval()
    tokenizer = AutoTokenizer.from_pretrained(MINILM)
    seen = regard.trace(SENTENCES[0], model, tokenizer)
    table = norms.shares_by_norm(seen, model)
    inputs = tokenizer(SENTENCES[0], return_tensors="pt")
    with torch.no_grad():
        out = model(**inputs, output_attentions=True, output_hidden_states=True)
        attention = model.encoder.layer[2].attention
        values = attention.self.value(out.hidden_states[2])[0].unflatten(-1, (12, -1))  # (K, h, v)
        matrix = attention.output.dense.weight.unflatten(1, (12, -1))  # (d, h, v)
        taken = torch.zeros(values.size(0))
        for head in range(12):
            for key in range(values.size(0)):
                vector = matrix[:, head] @ values[key, head]
                for query in range(values.size(0)):
                    taken[key] += (out.attentions[2][0, head, query, key] * vector).norm()
    layer = table[table["layer"] == 2].set_index("token")
    assert layer.loc["[CLS]", "norm"] == pytest.approx(float(taken[0] / taken.sum()), abs=1e-5)
    given = out.attentions[2][0].sum(dim=(0, 1))
    assert layer.loc["[SEP]", "weight"] == pytest.approx(float(given[-1] / given.sum()), abs=1e-5)


def test_norms_of_what_is_built_otherwise_are_refused(writer: Any) -> None:
    seen = regard.trace(torch.tensor([[5, 6, 7]]), writer)
    with pytest.raises(ValueError, match="is not built as BERT is"):
        norms._lengths(seen.layer(0), 0, seen, writer)  # noqa: SLF001


def test_the_share_of_the_first(writer: Any) -> None:
    texts = [[5, 6, 7], [8, 9, 10, 11]]
    shares = sinks.share_of_first(writer, texts)
    for layer in range(2):
        by_hand = []
        for ids in texts:
            with torch.no_grad():
                given = writer(torch.tensor([ids]), output_attentions=True).attentions[layer]
            by_hand.append(float(given[0, :, :, 0].mean()))
        assert shares[layer] == pytest.approx(np.mean(by_hand), abs=1e-6)


def test_results_by_name(tmp_path: Path, writer: Any, tokenizer: PreTrainedTokenizerFast) -> None:
    lines, trees = tmp_path / "lines.txt", tmp_path / "trees.conllu"
    lines.write_text("\n".join([*SENTENCES, ""]), "utf-8")
    trees.write_text(f"# text = {SENTENCES[1]}\n1\tIt\t_\n", "utf-8")
    assert sentences_in(lines) == SENTENCES
    assert sentences_in(trees) == SENTENCES[1:]
    lines.write_text("\n", "utf-8")
    with pytest.raises(ValueError, match="holds no sentence"):
        sentences_in(lines)
    with pytest.raises(ValueError, match="choose from induction, norms, sinks"):
        reproduce("clark", writer, tokenizer, [])
    with pytest.raises(ValueError, match="give a file of them"):
        reproduce("sinks", writer, tokenizer, [])
    bert: Any = AutoModel.from_pretrained(MINILM).eval()
    words = AutoTokenizer.from_pretrained(MINILM)
    ((title, table),) = reproduce("norms", bert, words, SENTENCES)
    assert "2 sentences" in title
    assert len(table) == 6 * 2
    assert not math.isnan(table["norm"].sum())
