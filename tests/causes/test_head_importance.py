"""What a model loses with each head is what it loses by a hook, and nothing is left behind."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AutoModel, AutoModelForSequenceClassification

from regard.causes.head_importance import importance
from regard.model.transformer import Transformer
from tests.output_projections import output_projections, tiny, writing
from tests.tiny_models import build, inputs_for, redraw, tiny_config

SRC = torch.tensor([[5, 6, 7, 8, 2], [9, 10, 11, 2, 0]])
TGT, LABELS = torch.tensor([[1, 12, 13], [1, 14, 15]]), torch.tensor([[12, 13, 2], [14, 15, 2]])


def loss_and_accuracy(model: nn.Module, batch: tuple[Tensor, ...]) -> Mapping[str, float]:
    src, tgt, labels = batch
    logits = model(src, tgt)
    loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten())
    return {"loss": loss.item(), "accuracy": (logits.argmax(-1) == labels).double().mean().item()}


def test_our_model(model: Transformer) -> None:
    model.train()
    table = importance(model, (SRC, TGT, LABELS), loss_and_accuracy)
    assert model.training
    model.eval()
    before = loss_and_accuracy(model, (SRC, TGT, LABELS))
    assert len(table) == 3 * 2 * 4
    for name, value in before.items():
        assert (table[f"{name}_before"] == value).all()
        assert (table[f"{name}_change"] == table[name] - value).all()
    parts: Any = model
    projections = {
        ("encoder", 1): parts.encoder[1].self_attention.output,
        ("decoder", 0): parts.decoder[0].self_attention.output,
        ("cross", 1): parts.decoder[1].cross_attention.output,
    }
    rows = table.set_index(["kind", "layer", "head"])
    for (kind, layer), projection in projections.items():
        for head in range(4):
            with writing(projection, head, 4, torch.zeros_like):
                without = loss_and_accuracy(model, (SRC, TGT, LABELS))
            assert dict(rows.loc[(kind, layer, head), ["loss", "accuracy"]]) == without


class Scores(NamedTuple):
    right: float


def test_what_a_score_may_be(model: Transformer) -> None:
    heads = [("cross", 1, 3)]
    for given, name in [(Scores(0.5), "right"), (torch.tensor(0.5), "score")]:

        def score(model: nn.Module, batch: Any, given: Any = given) -> Any:
            model(*batch)
            return given

        table = importance(model, (SRC, TGT), score, heads=heads)
        assert table[name].tolist() == [0.5]
    with pytest.raises(ValueError, match=r"A score is a number.* but got str"):
        importance(model, (SRC, TGT), lambda model, batch: str(model(*batch)[0, 0, 0]) + "?")
    with pytest.raises(ValueError, match="pass score"):
        importance(model, (SRC, TGT))
    with pytest.raises(ValueError, match="the score must run the model"):
        importance(model, (SRC, TGT), lambda *_: 1.0)


@pytest.mark.parametrize("name", ["gpt2", "bart"])
def test_a_language_model_with_labels(name: str) -> None:
    """The loss is transformers' own, over two batches of unlike numbers of labels."""
    model, inputs = tiny(name)
    batches = [dict(inputs, labels=inputs.get("decoder_input_ids", inputs["input_ids"]).clone())]
    batches += [{name: x.clone() for name, x in batches[0].items()}]
    batches[1]["labels"][:, 4:] = -100
    batches.append(batches[0] | {"labels": torch.full_like(batches[0]["labels"], -100)})
    table = importance(model, iter(batches), heads=[("decoder", 1, 2)])
    whole: Any = model

    def expected() -> tuple[float, float]:
        logits = whole(**inputs).logits[0]
        labels = batches[0]["labels"][0]
        if name == "gpt2":
            logits, labels = logits[:-1], labels[1:]
        chosen = torch.arange(len(labels)).tolist()
        chosen += chosen[: 3 if name == "gpt2" else 4]  # those of the second batch
        loss = F.cross_entropy(logits[chosen], labels[chosen]).item()
        return loss, float((logits.argmax(-1) == labels)[chosen].double().mean())

    with torch.no_grad():
        before = table[["loss_before", "accuracy_before"]].iloc[0].tolist()
        assert before == pytest.approx(expected())
        kinds = ("decoder",) if name == "gpt2" else ("encoder", "decoder", "cross")
        projection = output_projections(model, kinds)["decoder"][1]
        with writing(projection, 2, 4, torch.zeros_like):
            assert table[["loss", "accuracy"]].iloc[0].tolist() == pytest.approx(expected())


def test_a_classifier_in_every_mode() -> None:
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_config(tiny_config("bert")).eval()
    redraw(model, 1.5)
    ids = torch.randint(10, 90, (6, 12))
    batch = {"input_ids": ids, "labels": torch.tensor([0, 1, 1, 0, 1, 0])}
    tables = {mode: importance(model, batch, mode=mode) for mode in ("zero", "mean", "uniform")}
    for table in tables.values():
        assert len(table) == 8
        assert table["accuracy_before"].nunique() == 1
        assert (table["loss_change"] != 0).all()
    assert not np.allclose(tables["zero"]["loss"], tables["uniform"]["loss"])


@pytest.mark.parametrize("name", ["bert", "gpt2", "bart"])
def test_a_model_without_a_head_says_what_it_gives(name: str) -> None:
    model = AutoModel.from_config(tiny_config(name)).eval()
    batch = {"input_ids": torch.tensor([[5, 6, 7]]), "labels": torch.tensor([[5, 6, 7]])}
    said = f"{type(model).__name__} gives last_hidden_state.*, but no logits: load the model with"
    with pytest.raises(ValueError, match=f"{said} a head.* AutoModelForMaskedLM, or pass score, a"):
        importance(model, [batch])
    score = "last_hidden_state"
    table = importance(model, batch | {"labels": None}, lambda m, b: m(**b)[score].mean().item())
    assert (table["score_change"] != 0).any()


def test_what_is_no_model_and_no_score_is_said(model: Transformer) -> None:
    with pytest.raises(TypeError, match=r"A model is expected, but got 'bert' \(str\): pass a Py"):
        importance("bert", (SRC, TGT))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"score, a function \(model, data\).* but got 0.5 \(float"):
        importance(model, (SRC, TGT), 0.5)  # type: ignore[arg-type]


def test_labels_that_cannot_be_counted() -> None:
    model = build("gpt2", "AutoModelForCausalLM")
    inputs = inputs_for(model, "decoder")
    with pytest.raises(ValueError, match="batches with labels"):
        importance(model, inputs)
    nothing = dict(inputs, labels=torch.full_like(inputs["input_ids"], -100))
    with pytest.raises(ValueError, match="no labels other than -100"):
        importance(model, nothing)
