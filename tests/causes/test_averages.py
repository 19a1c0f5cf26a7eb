"""What heads write on average is the same with padding as without; and at each position."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from regard.causes.head_importance import importance
from regard.causes.interventions import ablate
from regard.model.transformer import Transformer
from tests.output_projections import output_of, output_projections, tiny, writing
from tests.tiny_models import build, target

LENGTHS = (9, 4, 6)
IDS = torch.arange(20, 47).reshape(3, 9)
MODELS = {
    "bert": ("AutoModelForMaskedLM", "encoder"),
    "gpt2": ("AutoModelForCausalLM", "decoder"),
    "llama": ("AutoModelForCausalLM", "decoder"),
    "bart": ("AutoModelForSeq2SeqLM", "cross"),
    "t5": ("AutoModelForSeq2SeqLM", "decoder"),
}


def padded(names: Mapping[str, str], *, on_the_left: bool) -> dict[str, Tensor]:
    """Pad sentences of several lengths, each named side by itself."""
    mask = torch.arange(9) < torch.tensor(LENGTHS)[:, None]
    if on_the_left:
        mask = mask.flip(1)
    filled = torch.full_like(IDS, 3)
    filled[mask] = torch.cat([row[:n] for row, n in zip(IDS, LENGTHS, strict=True)])
    return dict.fromkeys(names, filled) | {m: mask.long() for m in names.values()}


def alone(names: Mapping[str, str]) -> list[dict[str, Tensor]]:
    return [
        dict.fromkeys(names, row[None, :length]) for row, length in zip(IDS, LENGTHS, strict=True)
    ]


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
@pytest.mark.parametrize("name", MODELS)
def test_padding_does_not_count(name: str, implementation: str) -> None:
    auto_class, kind = MODELS[name]
    model: Any = build(name, auto_class)
    model.set_attn_implementation(implementation)
    names = {"input_ids": "attention_mask"}
    names |= {"decoder_input_ids": "decoder_attention_mask"} if target(model) else {}
    asked = alone(names)[0]

    def without(*batches: dict[str, Tensor]) -> Tensor:
        heads = [(kind, layer, 1) for layer in range(2)]
        reference = lambda: [model(**batch) for batch in batches]  # noqa: E731
        with ablate(model, heads, "mean", reference=reference):
            return output_of(model, asked)

    expected = without(*alone(names))
    assert not torch.allclose(expected, output_of(model, asked), atol=1e-3)
    found = without(padded(names, on_the_left=False))
    torch.testing.assert_close(found, expected, atol=2e-4, rtol=1e-4)
    if name == "llama":  # whose positions are turns, alike from wherever they are counted
        found = without(padded(names, on_the_left=True))
        torch.testing.assert_close(found, expected, atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", ["encoder", "decoder", "cross"])
def test_nor_in_our_model(model: Transformer, kind: str) -> None:
    model.eval()
    src, tgt = (
        torch.tensor([[5, 6, 7, 8, 2], [9, 2, 0, 0, 0]]),
        torch.tensor([[1, 9, 8], [1, 0, 0]]),
    )

    def without(*batches: tuple[Tensor, Tensor]) -> Tensor:
        reference = lambda: [model(*batch) for batch in batches]  # noqa: E731
        with ablate(model, [(kind, 1, 2)], "mean", reference=reference):
            return model(src[:1], tgt[:1])

    expected = without((src[:1], tgt[:1]), (src[1:, :2], tgt[1:, :1]))
    torch.testing.assert_close(without((src, tgt)), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("is_float", [False, True])
def test_nor_in_torch(*, is_float: bool) -> None:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    stack = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval()
    x, is_padding = torch.randn(2, 5, 8), torch.arange(5) >= torch.tensor([[5], [2]])
    mask = torch.zeros(2, 5).masked_fill(is_padding, -torch.inf) if is_float else is_padding

    def without(*batches: tuple[Tensor, Tensor | None]) -> Tensor:
        def reference() -> None:
            for sentences, padding in batches:
                stack(sentences, src_key_padding_mask=padding)

        with ablate(stack, [("encoder", 0, 1)], "mean", reference=reference):
            return stack(x[:1])

    expected = without((x[:1], None), (x[1:, :2], None))
    torch.testing.assert_close(without((x, mask)), expected, atol=1e-5, rtol=1e-5)


def test_importance_is_of_the_words_alone() -> None:
    model = build("bert", "AutoModelForMaskedLM")
    batch = padded({"input_ids": "attention_mask"}, on_the_left=False)
    batch["labels"] = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
    found = importance(model, batch, mode="mean")
    singly = [sentence | {"labels": sentence["input_ids"]} for sentence in alone({"input_ids": ""})]
    expected = importance(model, singly, mode="mean")
    assert found["loss"].tolist() == pytest.approx(expected["loss"].tolist(), rel=1e-3)
    assert (found["loss_change"].abs() > 1e-3).any()


def test_a_template_is_averaged_at_each_position() -> None:
    model, _ = tiny("gpt2")
    ids = torch.randint(10, 90, (4, 7))
    projection = output_projections(model, ("decoder",))["decoder"][0]
    seen: list[Tensor] = []
    with projection.register_forward_pre_hook(lambda _, x: seen.append(x[0][..., 16:32])):
        output_of(model, {"input_ids": ids})
    at_each = seen[0].mean(0)  # (T, d_v)
    reference = lambda: [model(input_ids=ids[:3]), model(input_ids=ids[3:])]  # noqa: E731
    with ablate(model, [("decoder", 0, 1)], "position mean", reference=reference):
        found = output_of(model, {"input_ids": ids[:2]})
        with pytest.raises(ValueError, match=r"means of 7 positions, .* but the model reads 5"):
            model(input_ids=ids[:, :5])
    with writing(projection, 1, 4, at_each.expand_as):
        torch.testing.assert_close(found, output_of(model, {"input_ids": ids[:2]}))
    with writing(projection, 1, 4, at_each.mean(0).expand_as):
        assert not torch.allclose(found, output_of(model, {"input_ids": ids[:2]}), atol=1e-3)


def test_what_is_no_template_is_refused() -> None:
    model: Any = build("gpt2", "AutoModelForCausalLM")
    unlike = lambda: [model(input_ids=IDS), model(input_ids=IDS[:, :5])]  # noqa: E731
    with (
        pytest.raises(ValueError, match=r"all of one length, but .* of 9 tokens and some of 5"),
        ablate(model, [("decoder", 0, 1)], "position mean", reference=unlike),
    ):
        pass
    with (
        pytest.raises(ValueError, match=r"need a reference.* got mode='position mean' without one"),
        ablate(model, [("decoder", 0, 1)], "position mean"),
    ):
        pass


def test_padding_at_a_position_does_not_count_either() -> None:
    model: Any = build("bert", "AutoModelForMaskedLM")
    batch = padded({"input_ids": "attention_mask"}, on_the_left=False)
    projection = output_projections(model, ("encoder",))["encoder"][1]
    seen: list[Tensor] = []
    with projection.register_forward_pre_hook(lambda _, x: seen.append(x[0][..., 16:32])):
        output_of(model, batch)
    is_word = batch["attention_mask"][..., None]
    expected = (seen[0] * is_word).sum(0) / is_word.sum(0)
    with ablate(model, [("encoder", 1, 1)], "position mean", reference=lambda: model(**batch)):
        found = output_of(model, batch)
    with writing(projection, 1, 4, expected.expand_as):
        torch.testing.assert_close(found, output_of(model, batch), atol=1e-5, rtol=1e-5)
