"""A model of several parts: each is numbered for itself, and has its own tokens."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor, nn
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipModel,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
)

import regard
from regard.record.layers import Note
from regard.tracing.parts import parts_of
from tests.tiny_models import build, inputs_for

TEXT: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "vocab_size": 64,
    "max_position_embeddings": 40,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
PICTURE: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "image_size": 32,
    "patch_size": 16,
}
IMAGE = 63  # the id that an image's tokens have


@pytest.fixture
def llava() -> PreTrainedModel:
    torch.manual_seed(0)
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**PICTURE),
        text_config=LlamaConfig(**TEXT),
        image_token_index=IMAGE,
        vision_feature_layer=-1,
    )
    return LlavaForConditionalGeneration(config).eval()


def told(*ids: int) -> dict[str, Tensor]:
    """Give what a model of texts and pictures is called with."""
    torch.manual_seed(1)
    return {
        "input_ids": torch.tensor([ids]),
        "attention_mask": torch.ones(1, len(ids), dtype=torch.long),
        "pixel_values": torch.randn(1, 3, 32, 32),
    }


def eager_weights(model: PreTrainedModel, part: nn.Module, inputs: Any) -> list[Tensor]:
    """Give what the attention modules of a part return under eager, in order."""
    found: list[Tensor] = []
    attending = [module for name, module in part.named_modules() if name.endswith("self_attn")]
    hooks = [one.register_forward_hook(lambda *call: found.append(call[2][1])) for one in attending]
    model.set_attn_implementation("eager")
    with torch.no_grad():
        model(**inputs)
    model.set_attn_implementation("sdpa")
    for hook in hooks:
        hook.remove()
    return found


def test_a_tower_beside_a_language_model_is_a_part(llava: Any) -> None:
    inputs = told(5, IMAGE, IMAGE, IMAGE, IMAGE, 6, 7)
    seen = regard.trace(inputs, llava)
    assert seen.kinds == ("language_model/decoder", "vision_tower/encoder")  # first, what reads
    assert seen.parts == ("language_model", "vision_tower")
    assert seen.counts == {"vision_tower/encoder": 3, "language_model/decoder": 2}
    towers = {
        "vision_tower/encoder": llava.model.vision_tower,
        "language_model/decoder": llava.model.language_model,
    }
    for kind, tower in towers.items():
        for number, weights in enumerate(eager_weights(llava, tower, inputs)):
            ours = torch.from_numpy(seen.weights(number, kind=kind))
            torch.testing.assert_close(ours, weights[0], atol=1e-6, rtol=0)
    names = [name for name, _ in llava.named_modules()]
    assert all(path in names for of_kind in seen.paths.values() for path in of_kind.values())


def test_each_part_has_its_own_tokens(llava: Any) -> None:
    words = ["[PAD]", "<s>", "</s>", "[UNK]", "a", "cow", "eats", *map(str, range(7, IMAGE))]
    vocabulary = {word: at for at, word in enumerate([*words, "<image>"])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))  # noqa: S106  no password
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]")  # noqa: S106  no password
    seen = regard.trace(told(4, IMAGE, IMAGE, IMAGE, IMAGE, 5, 6), llava, tokenizer)
    read = ["a", *["<image>"] * 4, "cow", "eats"]
    assert seen.tokens == seen.labels(kind="language_model").keys == read
    assert seen.labels(kind="vision_tower").keys == ["0", "1", "2", "3", "4"]
    merged = seen.merge_words()
    assert merged.labels(kind="vision_tower").keys == ["0", "1", "2", "3", "4"]
    assert merged.weights(0, kind="language_model").sum(-1) == pytest.approx(1)
    tower = seen.part("vision_tower")
    assert (tower.tokens, tower.kinds) == (["0", "1", "2", "3", "4"], ("vision_tower/encoder",))
    named = regard.trace(told(4, IMAGE, IMAGE, IMAGE, IMAGE, 5, 6), llava, tokens=list("abcdefg"))
    assert named.labels(kind="language_model").keys == list("abcdefg")


def test_without_a_picture_the_language_model_is_all_there_is(llava: Any) -> None:
    inputs = told(5, 6, 7)
    del inputs["pixel_values"]
    assert regard.trace(inputs, llava).kinds == ("decoder",)


def test_layers_are_chosen_by_their_numbers_in_their_parts(llava: Any) -> None:
    inputs = told(5, IMAGE, IMAGE, IMAGE, IMAGE, 6, 7)
    whole, some = regard.trace(inputs, llava), regard.trace(inputs, llava, layers=[1])
    assert {kind: list(of_kind) for kind, of_kind in some.layers.items()} == {
        "language_model/decoder": [1],
        "vision_tower/encoder": [1],
    }
    for kind in whole.kinds:
        assert (some.weights(1, kind=kind) == whole.weights(1, kind=kind)).all()


def test_a_part_is_asked_for_by_its_name_or_its_kind(llava: Any) -> None:
    seen = regard.trace(told(5, IMAGE, IMAGE, IMAGE, IMAGE, 6, 7), llava)
    by_name = seen.weights(0, kind="vision_tower")
    assert (by_name == seen.weights(0, kind="encoder")).all()
    assert (by_name == seen.weights(0, kind="vision_tower/encoder")).all()
    with pytest.raises(ValueError, match="There is no attention of kind 'cross'"):
        seen.weights(0, kind="cross")
    with pytest.raises(ValueError, match=r"no part 'tower'.* its parts are \('language_model'"):
        seen.part("tower")


def test_a_file_keeps_the_parts(llava: Any, tmp_path: Path) -> None:
    seen = regard.trace(told(5, IMAGE, IMAGE, IMAGE, IMAGE, 6, 7), llava)
    seen.save(tmp_path / "x.trace")
    again = regard.Trace.load(tmp_path / "x.trace")
    assert (again.kinds, again.sides, again.paths) == (seen.kinds, seen.sides, seen.paths)


def test_a_head_of_a_part_is_ablated(llava: Any) -> None:
    inputs = told(5, IMAGE, IMAGE, IMAGE, IMAGE, 6, 7)

    def cut(_: nn.Module, args: tuple[Tensor]) -> tuple[Tensor]:
        """Zero head 1 of two, each of 16 features."""
        heads = args[0].clone()
        heads[..., 16:] = 0
        return (heads,)

    tower = llava.model.vision_tower.encoder.layers[1].self_attn.out_proj
    with torch.no_grad():
        with tower.register_forward_pre_hook(cut):
            wanted = llava(**inputs).logits
        with regard.ablate(llava, [("vision_tower/encoder", 1, 1)]):
            found = llava(**inputs).logits
        with regard.ablate(llava, [("encoder", 1, 1)]):  # there is one such kind
            also = llava(**inputs).logits
        whole = llava(**inputs).logits
    assert torch.equal(found, wanted)
    assert torch.equal(also, wanted)
    assert not torch.equal(found, whole)


def test_importance_names_the_parts(llava: Any) -> None:
    inputs = told(5, IMAGE, IMAGE, IMAGE, IMAGE, 6, 7)
    table = regard.importance(llava, inputs, lambda m, x: float(m(**x).logits[0, -1, 9]))
    assert table[["kind", "layer"]].value_counts().to_dict() == {
        **{("vision_tower/encoder", layer): 2 for layer in range(3)},
        **{("language_model/decoder", layer): 2 for layer in range(2)},
    }


def test_two_towers_of_one_kind_must_be_told_apart() -> None:
    torch.manual_seed(0)
    config = SiglipConfig(text_config={**TEXT, "projection_size": 32}, vision_config=PICTURE)
    model = SiglipModel(config).eval()
    inputs = told(5, 6, 7)
    seen = regard.trace(inputs, model)
    assert seen.counts["text_model/encoder"] == 2
    with pytest.raises(ValueError, match="Several kinds are 'encoder'"):
        seen.weights(0, kind="encoder")
    with (
        pytest.raises(ValueError, match=r"in several parts.*name the part"),
        torch.no_grad(),
        regard.ablate(model, [("encoder", 0, 0)]),
    ):
        model(**inputs)


def test_a_picture_is_not_called_by_the_words_beside_it() -> None:
    torch.manual_seed(0)
    model = CLIPModel(CLIPConfig(text_config=TEXT, vision_config=PICTURE)).eval()
    seen = regard.trace(told(5, 6, 7, 8, 2), model)  # as many tokens as patches, and its own
    assert seen.labels(kind="text_model").keys == ["5", "6", "7", "8", "2"]
    assert seen.labels(kind="vision_model").keys == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("kinds", "paths", "lengths", "wanted"),
    [
        ("ee", "h.0.attn h.1.attn", (5, 5), ["", ""]),
        ("edc", "encoder.0 decoder.0.a decoder.0.b", (5, 3, 3), ["", "", ""]),
        ("ee", "first second", (5, 5), ["", ""]),
        ("ee", "block1.attn block2.attn", (5, 5), ["", ""]),
        ("ee", "blocks.0 blocks.1", (5, 3), ["", ""]),  # tokens are dropped on the way
        ("eee", "net.0.1 net.0.2 net.1.1", (9, 9, 4), ["net.0", "net.0", "net.1"]),
        ("eee", "down.0.a.0 down.1.a.0 mid.0", (9, 4, 1), ["down.0", "down.1", "mid"]),
        ("edec", "v.0 t.0.a r.0.a r.0.b", (9, 5, 4, 4), ["v", "t", "r", "r"]),
        ("eed", "v.a.0 v.b.0 t.0", (9, 9, 4), ["v.a", "v.b", "t"]),
        ("ee", "m.enc.x.0 m.enc.y.x.0", (9, 9), ["enc.x", "y"]),
    ],
)
def test_what_is_a_part(
    kinds: str, paths: str, lengths: tuple[int, ...], wanted: list[str]
) -> None:
    names = {"e": "encoder", "d": "decoder", "c": "cross"}
    notes = [Note(path, count) for path, count in zip(paths.split(), lengths, strict=True)]
    assert parts_of([names[kind] for kind in kinds], notes) == wanted


def test_a_part_that_attends_in_a_way_of_its_own_is_there_too() -> None:
    model = build("git", "AutoModelForCausalLM")
    inputs = inputs_for(model, "decoder")
    inputs["pixel_values"] = torch.randn(1, 3, 64, 64)
    seen = regard.trace(inputs, model)
    assert seen.counts == {"image_encoder/encoder": 2, "git.encoder/decoder": 2}
    with torch.no_grad():
        given = model(**inputs, output_attentions=True).attentions
    for number, weights in enumerate(given):
        ours = torch.from_numpy(seen.weights(number, kind="git.encoder"))
        torch.testing.assert_close(ours, weights[0], atol=1e-6, rtol=0)
    with torch.no_grad(), regard.ablate(model, [("git.encoder/decoder", 1, 0)]):
        without = model(**inputs).logits
    with torch.no_grad():
        assert not torch.equal(without, model(**inputs).logits)


@pytest.mark.parametrize("model_type", ["longt5", "pegasus_x"])
def test_a_trace_says_which_side_is_not_in_it(model_type: str) -> None:
    model = build(model_type, "AutoModelForSeq2SeqLM")
    seen = regard.trace(inputs_for(model, "seq2seq"), model)
    assert set(seen.kinds) == {"decoder", "cross"}
    assert "without the encoder, which attends in a way that is not seen" in repr(seen)


def test_the_tiles_of_a_picture_are_blocks_of_one_layer() -> None:
    torch.manual_seed(0)
    config = SmolVLMConfig(
        text_config=LlamaConfig(**TEXT), vision_config=PICTURE, image_token_id=IMAGE, scale_factor=2
    )
    model: Any = SmolVLMForConditionalGeneration(config).eval()
    inputs = told(1, IMAGE, 5, IMAGE, 6, 7, 8)
    inputs["pixel_values"] = torch.randn(1, 2, 3, 32, 32)
    seen = regard.trace(inputs, model)
    assert seen.labels(kind="vision_model").keys == [f"{t}.{at}" for t in (0, 1) for at in range(4)]
    for number, weights in enumerate(eager_weights(model, model.model.vision_model, inputs)):
        ours = torch.from_numpy(seen.weights(number, kind="vision_model"))
        torch.testing.assert_close(ours[:, :4, :4], weights[0], atol=1e-6, rtol=0)
        torch.testing.assert_close(ours[:, 4:, 4:], weights[1], atol=1e-6, rtol=0)
        assert not ours[:, :4, 4:].any()
    for number, weights in enumerate(eager_weights(model, model.model.text_model, inputs)):
        ours = torch.from_numpy(seen.weights(number, kind="text_model"))
        torch.testing.assert_close(ours, weights[0], atol=1e-6, rtol=0)
