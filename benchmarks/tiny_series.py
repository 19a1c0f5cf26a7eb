"""Tiny random models that forecast a time series."""

from functools import partial
from typing import Any

import torch

from benchmarks.package_case import Built, Case
from benchmarks.package_readings import (
    fused,
    given_to,
    in_windows,
    multihead,
    nothing,
    returned_by,
)

OTHERS = ("hist_exog", "futr_exog", "stat_exog")  # series that are not given


def fusion() -> Built:
    """Build the Temporal Fusion Transformer, whose heads share their values."""
    from pytorch_forecasting import TemporalFusionTransformer  # noqa: PLC0415
    from pytorch_forecasting.data import TorchNormalizer  # noqa: PLC0415

    model = TemporalFusionTransformer(
        hidden_size=16,
        attention_head_size=4,
        x_reals=["sold"],
        time_varying_reals_encoder=["sold"],
        time_varying_reals_decoder=["sold"],
        output_transformer=TorchNormalizer(method="identity"),
    )
    past, next_ = torch.randn(1, 8, 1), torch.randn(1, 3, 1)
    none = torch.zeros(1, 8, 0, dtype=torch.long), torch.zeros(1, 3, 0, dtype=torch.long)
    return model, {
        "x": {
            "encoder_cont": past,
            "decoder_cont": next_,
            "encoder_cat": none[0],
            "decoder_cat": none[1],
            "encoder_lengths": torch.tensor([8]),
            "decoder_lengths": torch.tensor([3]),
            "target_scale": torch.tensor([[0.0, 1.0]]),
        }
    }


def nixtla(name: str, **options: Any) -> Built:
    """Build one of neuralforecast's."""
    import neuralforecast.models  # noqa: PLC0415

    model = getattr(neuralforecast.models, name)(h=4, input_size=16, **options)
    series = {"insample_y": torch.randn(1, 16, options.get("n_series", 1)), **dict.fromkeys(OTHERS)}
    return model, {"windows_batch": series}


def tsai(name: str, *sizes: int | None, **options: Any) -> Built:
    """Build one of tsai's."""
    from importlib import import_module  # noqa: PLC0415

    model = getattr(import_module(f"tsai.models.{name}"), name)(*sizes, **options)
    return model, torch.randn(1, 3, 16)


def inverted(**options: Any) -> Built:
    """Build lucidrains' iTransformer, whose tokens are series."""
    from iTransformer import iTransformer  # noqa: PLC0415

    model = iTransformer(
        num_variates=5, lookback_len=16, depth=2, dim=32, pred_length=4, dim_head=8, **options
    )
    return model, torch.randn(1, 16, 5)


def gluon_patches() -> Built:
    """Build GluonTS's PatchTST."""
    from gluonts.torch.model.patch_tst.module import PatchTSTModel  # noqa: PLC0415

    model = PatchTSTModel(
        prediction_length=4,
        context_length=16,
        patch_len=4,
        stride=2,
        padding_patch="end",
        d_model=32,
        nhead=4,
        dim_feedforward=64,
        dropout=0.0,
        activation="relu",
        norm_first=False,
        num_encoder_layers=2,
        scaling="mean",
        num_feat_dynamic_real=0,
    )
    return model, (torch.randn(1, 16), torch.ones(1, 16))


OF_TWO = ("encoder", "encoder")
PATCHES: dict[str, Any] = {"encoder_layers": 2, "hidden_size": 32, "n_heads": 4, "patch_len": 4}
PATCHES |= {"stride": 2, "linear_hidden_size": 32}
PATCHES |= {"attn_dropout": 0.0}  # where it is fused, it drops in eval, too
INVERTED = {"n_series": 3, "hidden_size": 32, "n_heads": 4, "e_layers": 2, "d_ff": 32}
TWO_SIDED = {"hidden_size": 32, "n_head": 4, "encoder_layers": 2, "conv_hidden_size": 32}
TSAI = {"n_layers": 2, "n_heads": 4, "d_model": 32, "d_ff": 64}
of_windows = returned_by("sdp_attn", lambda output: in_windows(output[1])[None])

SERIES = (
    Case(
        "pytorch-forecasting",
        "pytorch_forecasting",
        "TemporalFusionTransformer, a head a call",
        fusion,
        returned_by("multihead_attn.attention", lambda output: output[1][:, None]),
        ("cross",) * 4,
    ),
    Case(
        "neuralforecast",
        "neuralforecast",
        "TFT",
        partial(nixtla, "TFT", hidden_size=32, n_head=4),
        given_to("attn_dropout"),
        ("decoder",),
    ),
    Case(
        "neuralforecast",
        "neuralforecast",
        "PatchTST",
        partial(nixtla, "PatchTST", **PATCHES),
        of_windows,
        OF_TWO,
        "to_out.0",
    ),
    Case(
        "neuralforecast",
        "neuralforecast",
        "PatchTST, fused",
        partial(nixtla, "PatchTST", **PATCHES, res_attention=False),
        fused,
        OF_TWO,
        "to_out.0",
    ),
    Case(
        "neuralforecast",
        "neuralforecast",
        "iTransformer",
        partial(nixtla, "iTransformer", **INVERTED),
        fused,
        OF_TWO,
        "out_projection",
    ),
    Case(
        "neuralforecast",
        "neuralforecast",
        "TimeXer",
        partial(nixtla, "TimeXer", **INVERTED, patch_len=4),
        fused,
        ("encoder", "cross") * 2,
        "out_projection",
    ),
    Case(
        "neuralforecast",
        "neuralforecast",
        "VanillaTransformer",
        partial(nixtla, "VanillaTransformer", **TWO_SIDED),
        fused,
        (*("encoder/encoder",) * 2, "decoder/encoder", "decoder/cross"),
        "out_projection",
    ),
    Case(
        "neuralforecast",
        "neuralforecast",
        "Informer",
        partial(nixtla, "Informer", **TWO_SIDED),
        nothing,
        (),
    ),
    Case(
        "neuralforecast",
        "neuralforecast",
        "Autoformer",
        partial(nixtla, "Autoformer", **TWO_SIDED),
        nothing,
        (),
    ),
    Case(
        "tsai",
        "tsai",
        "PatchTST",
        partial(tsai, "PatchTST", 3, None, 16, pred_dim=4, **TSAI, patch_len=4, stride=2),
        of_windows,
        OF_TWO,
        "to_out.0",
    ),
    Case(
        "tsai",
        "tsai",
        "TST",
        partial(tsai, "TST", 3, 5, 16, **TSAI),
        returned_by("self_attn", lambda output: output[1]),
        OF_TWO,
        "W_O",
    ),
    Case("gluonts", "gluonts", "PatchTSTModel", gluon_patches, multihead, OF_TWO),
    Case("iTransformer", "iTransformer", "iTransformer", inverted, fused, OF_TWO, "to_out.1"),
)
