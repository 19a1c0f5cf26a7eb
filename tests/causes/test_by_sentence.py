"""What is lost in each sentence adds up to what is lost in all; luck is not counted twice."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import AutoModelForSequenceClassification

from regard.causes.by_sentence import importance_by_sentence, missed_most
from regard.causes.head_importance import importance
from regard.evidence.intervals import sign_flip_test
from regard.model.transformer import Transformer
from tests.tiny_models import build, redraw, tiny_config

SRC, TGT = torch.tensor([[5, 6, 7], [9, 10, 2]]), torch.tensor([[1, 12], [1, 14]])


def labelled(*, is_causal: bool) -> list[dict[str, Any]]:
    torch.manual_seed(1)
    ids = torch.randint(10, 90, (5, 8))
    labels = ids.clone()
    labels[1, 3:] = labels[2, :2] = -100
    if not is_causal:
        labels[4] = -100  # a sentence in which nothing is asked
    return [
        {"input_ids": ids[:2], "labels": labels[:2]},
        {"input_ids": ids[2:], "labels": labels[2:]},
    ]


@pytest.mark.parametrize(
    ("name", "auto_class"), [("gpt2", "AutoModelForCausalLM"), ("bert", "AutoModelForMaskedLM")]
)
def test_sentences_weighted_by_their_labels_give_the_whole(name: str, auto_class: str) -> None:
    model = build(name, auto_class)
    batches = labelled(is_causal=name == "gpt2")
    found = importance_by_sentence(model, batches)
    whole: Any = importance(model, batches).set_index(["kind", "layer", "head"])
    labels = torch.cat([batch["labels"] for batch in batches])
    counts = (labels[:, 1:] if name == "gpt2" else labels).ne(-100).sum(1).numpy()
    asked = np.flatnonzero(counts)
    assert len(found) == len(whole) * len(asked)
    assert found["sentence"].unique().tolist() == asked.tolist()
    for head, of_head in found.groupby(["kind", "layer", "head"]):
        for number in ("loss", "loss_before", "loss_change", "accuracy"):
            mean = np.average(of_head[number], weights=counts[asked])
            assert mean == pytest.approx(whole.loc[head, number], abs=1e-4), number


def test_a_classifier_has_one_label_a_sentence() -> None:
    torch.manual_seed(0)
    model: Any = AutoModelForSequenceClassification.from_config(tiny_config("bert")).eval()
    redraw(model, 1.5)
    ids, labels = torch.randint(10, 90, (6, 12)), torch.tensor([0, 1, 1, 0, 1, 0])
    found = importance_by_sentence(
        model, {"input_ids": ids, "labels": labels}, heads=[("encoder", 1, 2)]
    )
    with torch.no_grad():
        logs = model(ids).logits.log_softmax(-1)[torch.arange(6), labels]
    np.testing.assert_allclose(found["loss_before"], -logs, atol=1e-5)
    assert set(found["accuracy"]) <= {0.0, 1.0}
    with pytest.raises(ValueError, match=r"labels of .* are no classes: pass score"):
        importance_by_sentence(model_of_numbers(), {"input_ids": ids, "labels": labels.float()})


def model_of_numbers() -> Any:
    config = tiny_config("bert")
    config.num_labels = 1
    return AutoModelForSequenceClassification.from_config(config).eval()


def test_a_loss_of_another_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model: Any = build("bert", "AutoModelForMaskedLM")
    forward = type(model).forward

    def doubled(self: Any, **inputs: Any) -> Any:
        outputs = forward(self, **inputs)
        outputs.loss = 2 * outputs.loss
        return outputs

    monkeypatch.setattr(type(model), "forward", doubled)
    with pytest.raises(ValueError, match="has a loss of its own"):
        importance_by_sentence(model, labelled(is_causal=True))


class Scores(NamedTuple):
    right: Any


def test_what_a_score_may_be(model: Transformer) -> None:
    heads = [("cross", 1, 3)]
    for given in (Scores([0.0, 1.0]), {"right": torch.tensor([0, 1])}, {"right": (0, 1)}):

        def score(model: Any, batch: Any, given: Any = given) -> Any:
            model(*batch)
            return given

        table = importance_by_sentence(model, (SRC, TGT), score, heads=heads)
        assert table["right"].tolist() == [0.0, 1.0]
    wrong: list[tuple[Any, str]] = [
        (0.5, r"got shapes .*: for one number of all sentences there is `regard.importance`"),
        ({"a": [1.0], "b": [1.0, 2.0]}, r"got shapes {'a': \(1,\), 'b': \(2,\)}"),
        ("right", "row of numbers, one a sentence, or such by name, but got 'right'"),
    ]
    for given, said in wrong:
        with pytest.raises(ValueError, match=said):
            importance_by_sentence(model, (SRC, TGT), lambda *_, it=given: it, heads=heads)
    calls = iter(([1.0, 2.0], [1.0]))
    with pytest.raises(ValueError, match="same sentences each time, 2 of them"):
        importance_by_sentence(model, (SRC, TGT), lambda m, b: (m(*b), next(calls))[1], heads=heads)


def test_changes_are_paired_for_a_test() -> None:
    model = build("bert", "AutoModelForMaskedLM")
    torch.manual_seed(2)
    ids = torch.randint(10, 90, (12, 8))
    table = importance_by_sentence(model, {"input_ids": ids, "labels": ids}, mode="mean")
    changes = table.pivot_table(
        index="sentence", columns=["kind", "layer", "head"], values="loss_change"
    )
    assert changes.shape == (12, 8)
    p_values = sign_flip_test(changes)
    assert p_values.shape == (8,)
    assert ((p_values < 0.5) == (changes.mean() > 0)).all()


def of_luck(*, seed: int, planted: float = 0.0) -> pd.DataFrame:
    """Give changes that are noise, but for one head that is missed."""
    changes = np.random.default_rng(seed).normal(size=(24, 40))
    changes[7] += planted
    heads = np.repeat(np.arange(24), 40)
    return pd.DataFrame(
        {
            "kind": "encoder",
            "layer": heads // 8,
            "head": heads % 8,
            "sentence": np.tile(np.arange(40), 24),
            "loss_change": changes.ravel(),
            "right_change": -changes.ravel(),
        }
    )


def test_the_head_that_is_missed_by_luck_is_not_missed() -> None:
    found = pd.concat([missed_most(of_luck(seed=seed)) for seed in range(100)])
    error = found["change"].std() / len(found) ** 0.5
    assert abs(found["change"].mean()) < 4 * error < 0.1
    assert found["chosen_change"].mean() > 0.3  # where it is counted by what chose it
    assert found["sentences"].eq(20).all()


def test_a_head_that_is_missed_is_found() -> None:
    found = missed_most(of_luck(seed=0, planted=3.0))
    assert found[["layer", "head"]].to_numpy().tolist() == [[0, 7], [0, 7]]
    assert found["change"].between(2, 4).all()
    lower = missed_most(of_luck(seed=0, planted=3.0), "right", is_worse="lower")
    assert lower["change"].tolist() == (-found["change"]).tolist()


def test_what_cannot_be_missed() -> None:
    table = of_luck(seed=0)
    with pytest.raises(ValueError, match=r"no number 'x' in the table: choose from \['loss', 'ri"):
        missed_most(table, "x")
    with pytest.raises(ValueError, match='is_worse is "higher" or "lower", but got \'up\''):
        missed_most(table, is_worse="up")
    with pytest.raises(ValueError, match="at least two, but got 1"):
        missed_most(table[table["sentence"] == 3])
