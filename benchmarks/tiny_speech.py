"""Tiny random models that listen to speech."""

from functools import partial

import torch

from benchmarks.package_case import Built, Case
from benchmarks.package_readings import (
    fused,
    multihead,
    nothing,
    returned_by,
    softmaxed_windows,
)


def audio_conformer() -> Built:
    """Build torchaudio's Conformer."""
    from torchaudio.models import Conformer  # noqa: PLC0415

    return Conformer(32, 4, 64, 2, 5), (torch.randn(1, 12, 32), torch.tensor([12]))


WAV2VEC2 = {
    "extractor_mode": "group_norm",
    "extractor_conv_layer_config": [(32, 10, 5), (32, 4, 4)],
    "extractor_conv_bias": False,
    "encoder_embed_dim": 32,
    "encoder_projection_dropout": 0.0,
    "encoder_pos_conv_kernel": 5,
    "encoder_pos_conv_groups": 2,
    "encoder_num_layers": 2,
    "encoder_num_heads": 4,
    "encoder_attention_dropout": 0.0,
    "encoder_ff_interm_features": 64,
    "encoder_ff_interm_dropout": 0.0,
    "encoder_dropout": 0.0,
    "encoder_layer_norm_first": False,
    "encoder_layer_drop": 0.0,
    "aux_num_out": None,
}


def wav2vec2() -> Built:
    """Build torchaudio's wav2vec 2.0."""
    from torchaudio.models import wav2vec2_model  # noqa: PLC0415

    return wav2vec2_model(**WAV2VEC2), torch.randn(1, 400)


def wavlm() -> Built:
    """Build torchaudio's WavLM, which adds a gated bias of how far two frames are apart."""
    from torchaudio.models import wavlm_model  # noqa: PLC0415

    apart = {"encoder_num_buckets": 8, "encoder_max_distance": 16}
    return wavlm_model(**WAV2VEC2, **apart), torch.randn(1, 400)


def emformer() -> Built:
    """Build torchaudio's Emformer, whose segments also read a bit of what follows them."""
    from torchaudio.models import Emformer  # noqa: PLC0415

    model = Emformer(32, 4, 64, 2, segment_length=4, right_context_length=2, left_context_length=4)
    return model, (torch.randn(1, 14, 32), torch.tensor([14]))


def brain_conformer(attention_type: str) -> Built:
    """Build speechbrain's Conformer, with its attention to relative places as Transformer-XL's."""
    from speechbrain.lobes.models.transformer.Conformer import ConformerEncoder  # noqa: PLC0415
    from speechbrain.nnet.attention import RelPosEncXL  # noqa: PLC0415

    model = ConformerEncoder(2, 32, 64, 4, kernel_size=5, attention_type=attention_type)
    heard = torch.randn(1, 12, 32)
    places = RelPosEncXL(32)(heard) if attention_type == "RelPosMHAXL" else None
    return model, {"src": heard, "pos_embs": places}


def brain_transformer() -> Built:
    """Build speechbrain's Transformer, which hears and writes."""
    from speechbrain.lobes.models.transformer.TransformerASR import TransformerASR  # noqa: PLC0415

    model = TransformerASR(50, 20, 32, 4, 2, 2, 64, encoder_module="transformer", causal=False)
    return model, (torch.randn(1, 12, 20), torch.randint(1, 50, (1, 7)))


def conformer() -> Built:
    """Build lucidrains' Conformer, with Shaw's relative places."""
    from conformer import Conformer  # noqa: PLC0415

    model = Conformer(32, depth=2, dim_head=8, heads=4, conv_kernel_size=5)
    return model, torch.randn(1, 12, 32)


OF_TWO = ("encoder", "encoder")
SPEECH = (
    Case("torchaudio", "torchaudio", "Conformer", audio_conformer, multihead, OF_TWO),
    Case(
        "torchaudio", "torchaudio", "Wav2Vec2Model", wav2vec2, fused, OF_TWO, "attention.out_proj"
    ),
    Case("torchaudio", "torchaudio", "WavLM", wavlm, fused, OF_TWO, "attention.out_proj"),
    Case("torchaudio", "torchaudio", "Emformer", emformer, softmaxed_windows, OF_TWO, "out_proj"),
    Case(
        "speechbrain",
        "speechbrain",
        "ConformerEncoder, RelPosMHAXL",
        partial(brain_conformer, "RelPosMHAXL"),
        returned_by("mha_layer", lambda output: output[1]),
        OF_TWO,
        "mha_layer.out_proj",
    ),
    Case(
        "speechbrain",
        "speechbrain",
        "ConformerEncoder, RoPEMHA",
        partial(brain_conformer, "RoPEMHA"),
        fused,
        OF_TWO,
        "mha_layer.out_proj",
    ),
    Case(
        "speechbrain",
        "speechbrain",
        "ConformerEncoder, hypermixing",
        partial(brain_conformer, "hypermixing"),
        nothing,
        (),
    ),
    Case(
        "speechbrain",
        "speechbrain",
        "TransformerASR",
        brain_transformer,
        multihead,
        (*OF_TWO, *("decoder", "cross") * 2),
    ),
    Case(
        "conformer",
        "conformer",
        "Conformer",
        conformer,
        partial(softmaxed_windows, owner=torch.Tensor),
        OF_TWO,
        "to_out",
    ),
)
