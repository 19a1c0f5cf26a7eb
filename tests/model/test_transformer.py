"""The whole model against torch.nn.Transformer, what it may not see, and what it refuses."""

import math
import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from regard.model.masks import Masks, create_masks
from regard.model.transformer import (
    MultiHeadAttention,
    Transformer,
    build_transformer_model,
    positional_encoding,
)

PAD, START, END = 0, 1, 2
VOCAB_SIZE = 20

pytestmark = pytest.mark.filterwarnings("ignore:enable_nested_tensor")  # of nn.Transformer


def build(*, d_model: int = 16, nhead: int = 4, num_layers: int = 2) -> Transformer:
    """Build a small model in float64 whose every parameter, biases and norms too, is random."""
    torch.manual_seed(0)
    model = build_transformer_model(
        VOCAB_SIZE, d_model, nhead, num_layers, dim_feedforward=24, max_length=12
    ).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model.eval()


def build_talkative() -> Transformer:
    """Build one that says different words; by this seed, some of its sentences end."""
    model = build()
    torch.manual_seed(85)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    return model


def draw_batch() -> tuple[Tensor, Tensor]:
    """Draw ids (4, 7) and (4, 5): sentences of many lengths, padded at the end."""
    random = torch.Generator().manual_seed(1)
    src = torch.randint(3, VOCAB_SIZE, (4, 7), generator=random)
    tgt = torch.randint(3, VOCAB_SIZE, (4, 5), generator=random)
    for row, (s, t) in enumerate(((7, 5), (3, 5), (6, 1), (1, 3))):
        src[row, s:] = PAD
        tgt[row, t:] = PAD
    return src, tgt


def copy_attention(ours: MultiHeadAttention, theirs: nn.MultiheadAttention) -> None:
    projections = (ours.query, ours.key, ours.value)
    theirs.in_proj_weight.copy_(torch.cat([linear.weight for linear in projections]))
    theirs.in_proj_bias.copy_(torch.cat([linear.bias for linear in projections]))
    theirs.out_proj.load_state_dict(ours.output.state_dict())


@torch.no_grad()
def torchs_transformer(ours: Transformer) -> nn.Transformer:
    """Build torch's Transformer with the same weights."""
    encoder: list[Any] = list(ours.encoder)
    decoder: list[Any] = list(ours.decoder)
    theirs = nn.Transformer(
        d_model=ours.embedding.token.embedding_dim,
        nhead=encoder[0].self_attention.nhead,
        num_encoder_layers=len(encoder),
        num_decoder_layers=len(decoder),
        dim_feedforward=encoder[0].feed_forward[0].out_features,
        batch_first=True,
        norm_first=True,
        dtype=torch.float64,
    )
    pairs: list[tuple[Any, Any]] = [
        (ours.encoder_norm, theirs.encoder.norm),
        (ours.decoder_norm, theirs.decoder.norm),
    ]
    for our, their in zip(encoder, theirs.encoder.layers, strict=True):
        copy_attention(our.self_attention, their.self_attn)
        pairs += [
            (our.feed_forward[0], their.linear1),
            (our.feed_forward[2], their.linear2),
            (our.self_attention_norm, their.norm1),
            (our.feed_forward_norm, their.norm2),
        ]
    for our, their in zip(decoder, theirs.decoder.layers, strict=True):
        copy_attention(our.self_attention, their.self_attn)
        copy_attention(our.cross_attention, their.multihead_attn)
        pairs += [
            (our.feed_forward[0], their.linear1),
            (our.feed_forward[2], their.linear2),
            (our.self_attention_norm, their.norm1),
            (our.cross_attention_norm, their.norm2),
            (our.feed_forward_norm, their.norm3),
        ]
    for mine, other in pairs:
        other.load_state_dict(mine.state_dict())
    return theirs.eval()


def embed(weight: Tensor, ids: Tensor) -> Tensor:
    """Look up sqrt(d_model) E[id] + PE[position], number by number (sections 3.4 and 3.5)."""
    d_model = weight.size(1)
    vectors = weight[ids] * d_model**0.5
    position = torch.zeros(ids.size(1), d_model, dtype=torch.float64)
    for pos in range(ids.size(1)):
        for i in range(d_model):
            angle = pos / 10000 ** ((i - i % 2) / d_model)
            position[pos, i] = math.cos(angle) if i % 2 else math.sin(angle)
    return vectors + position


def torchs_logits(theirs: nn.Transformer, weight: Tensor, src: Tensor, tgt: Tensor) -> Tensor:
    out = theirs(
        embed(weight, src),
        embed(weight, tgt),
        tgt_mask=torch.ones(tgt.size(1), tgt.size(1), dtype=torch.bool).triu(1),
        src_key_padding_mask=src == PAD,
        tgt_key_padding_mask=tgt == PAD,
        memory_key_padding_mask=src == PAD,
    )
    logits: Tensor = out @ weight.T
    return logits


@pytest.mark.parametrize(("d_model", "nhead", "num_layers"), [(16, 4, 2), (6, 1, 1), (10, 5, 3)])
def test_the_model_equals_torchs(d_model: int, nhead: int, num_layers: int) -> None:
    """Outputs, and the gradient of the shared embedding, through every layer."""
    model = build(d_model=d_model, nhead=nhead, num_layers=num_layers)
    theirs = torchs_transformer(model)
    src, tgt = draw_batch()
    weight = model.embedding.token.weight
    ours, torchs = model(src, tgt), torchs_logits(theirs, weight, src, tgt)
    assert ours.shape == (4, 5, VOCAB_SIZE)
    assert_close(ours, torchs, atol=1e-5, rtol=0)
    gradients = [torch.autograd.grad(y.square().mean(), weight)[0] for y in (ours, torchs)]
    assert_close(*gradients, atol=1e-5, rtol=1e-5)


def test_cross_weights_equal_torchs() -> None:
    model = build()
    theirs = torchs_transformer(model)
    src, tgt = draw_batch()
    seen = []

    def look(module: nn.MultiheadAttention, inputs: tuple[Tensor, Tensor, Tensor]) -> None:
        blocked = (src == PAD)[:, None, :].expand(-1, tgt.size(1), -1)
        blocked = blocked.repeat_interleave(module.num_heads, dim=0)
        query, key, value = inputs
        _, weights = module.forward(  # `forward`: no hooks
            query, key, value, attn_mask=blocked, average_attn_weights=False
        )
        assert weights is not None
        seen.append(weights)

    for layer in theirs.decoder.layers:
        layer.multihead_attn.register_forward_pre_hook(look)
    torchs_logits(theirs, model.embedding.token.weight, src, tgt)
    assert_close(model.translate(src, tgt).cross_weights, torch.stack(seen), atol=1e-6, rtol=0)


def see_the_future(src: Tensor, tgt: Tensor) -> Masks:
    return Masks(create_masks(src, tgt).source, (tgt != PAD)[:, None, None, :])


def moved_positions(model: Transformer, changed: int) -> list[int]:
    """Change one target token; give the positions whose logits move at all."""
    src, tgt = draw_batch()
    src, tgt = src[:1], tgt[:1]
    other = tgt.clone()
    other[0, changed] = 3 + (tgt[0, changed] - 2) % (VOCAB_SIZE - 3)
    assert int(other[0, changed]) != int(tgt[0, changed])
    moved = (model(src, tgt) != model(src, other)).any(-1)[0]
    return [t for t, is_moved in enumerate(moved.tolist()) if is_moved]


@pytest.mark.parametrize("changed", range(5))
def test_no_position_sees_the_future(changed: int) -> None:
    model = build()
    assert moved_positions(model, changed) == list(range(changed, 5))
    model.masks = see_the_future
    assert moved_positions(model, changed) == [0, 1, 2, 3, 4]


def test_padding_changes_nothing() -> None:
    model = build()
    src, tgt = draw_batch()
    together = model(src, tgt)
    for row in range(len(src)):
        s, t = (int((ids[row] != PAD).sum()) for ids in (src, tgt))
        alone = model(src[row : row + 1, :s], tgt[row : row + 1, :t])
        assert_close(together[row, :t], alone[0])


def test_a_sentence_of_padding_gives_numbers() -> None:
    logits = build()(torch.zeros(1, 3, dtype=torch.int64), torch.tensor([[START]]))
    assert logits.isfinite().all()


def say_word_by_word(model: Transformer, source: list[int], max_length: int) -> list[int]:
    """Translate one sentence without padding: all words so far, teacher-forced, then the next."""
    said = [START]
    while len(said) < max_length and said[-1] != END:
        logits = model(torch.tensor([source]), torch.tensor([said]))[0, -1].tolist()
        said.append(logits.index(max(logits)))
    return said


def test_generate_says_the_likeliest_words() -> None:
    model = build_talkative()
    src, _ = draw_batch()
    written = model.generate(src, max_length=9)
    gold = [say_word_by_word(model, [i for i in row if i != PAD], 9) for row in src.tolist()]
    assert sorted(len(said) for said in gold) == [3, 3, 4, 9]  # three end, one is cut off
    assert written.tolist() == [said + [PAD] * (9 - len(said)) for said in gold]


def test_generate_stops_when_all_have_ended() -> None:
    model = build()
    with torch.no_grad():
        model.decoder_norm.weight.zero_()
        model.decoder_norm.bias.copy_(model.embedding.token.weight[END])
        model.embedding.token.weight[END] *= 10
    assert model.generate(torch.tensor([[5, 6], [7, 0]])).tolist() == [[START, END]] * 2


def test_generate_is_cut_by_the_source_and_by_the_model() -> None:
    model = build_talkative()  # takes 12 tokens
    sources = torch.arange(5, 17).view(-1, 1)
    assert model.generate(sources).size(1) == 12
    with torch.no_grad():
        model.embedding.position = positional_encoding(40, model.embedding.position.size(1))
    assert model.generate(sources).size(1) == 2 * 1 + 10
    assert model.generate(sources.repeat(1, 3)).size(1) == 2 * 3 + 10


def test_dropout_is_for_training() -> None:
    model = build()
    src, tgt = draw_batch()
    assert torch.equal(model(src, tgt), model(src, tgt))
    model.train()
    assert not torch.equal(model(src, tgt), model(src, tgt))


def test_one_embedding_serves_three_ends() -> None:
    """Parameters of the layers, counted by hand, plus one table of words."""
    d, f, layers = 16, 24, 2
    attention, feed_forward, norm = 4 * (d * d + d), d * f + f + f * d + d, 2 * d
    encoder = attention + feed_forward + 2 * norm
    decoder = 2 * attention + feed_forward + 3 * norm
    expected = layers * (encoder + decoder) + 2 * norm + VOCAB_SIZE * d
    assert sum(parameter.numel() for parameter in build().parameters()) == expected


def test_positions_of_an_odd_number_of_features() -> None:
    zeros = torch.zeros(1, 5, dtype=torch.float64)
    assert_close(
        positional_encoding(6, 5).double(), embed(zeros, torch.zeros(1, 6, dtype=torch.int64))[0]
    )


IDS = torch.tensor([[4, 5]])


@pytest.mark.parametrize(
    ("src", "tgt", "message"),
    [
        (torch.tensor([[4, 20]]), IDS, "must lie in 0 to 19, but got 4 to 20: use the tokenizer"),
        (IDS, torch.tensor([[-1, 5]]), "must lie in 0 to 19, but got -1 to 5"),
        (
            torch.full((1, 13), 4),
            IDS,
            "13 tokens is too long for this model, which takes 12: short",
        ),
        (torch.zeros(1, 0, dtype=torch.int64), IDS, "(sentences, tokens), but got (1, 0)."),
        (torch.tensor([4, 5]), IDS, "(B, S) and (B, T) of one batch, but got (2,) and (1, 2)."),
        (IDS, torch.tensor([[4], [5]]), "of one batch, but got (1, 2) and (2, 1)."),
    ],
)
def test_batches_that_the_model_refuses(src: Tensor, tgt: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        build()(src, tgt)


@pytest.mark.parametrize(
    "name", ["vocab_size", "d_model", "nhead", "num_layers", "dim_feedforward", "max_length"]
)
def test_sizes_that_are_not_positive(name: str) -> None:
    sizes: dict[str, Any] = {"vocab_size": 9, "d_model": 4, "nhead": 2, "num_layers": 1}
    with pytest.raises(ValueError, match=f"^{name} must be at least 1, but is 0"):
        build_transformer_model(**{**sizes, "dim_feedforward": 8, name: 0})


def test_heads_that_do_not_divide_the_model() -> None:
    with pytest.raises(
        ValueError, match=re.escape("12 / 5 is not whole: choose nhead from [1, 2,")
    ):
        build_transformer_model(9, d_model=12, nhead=5, num_layers=1, dim_feedforward=8)
