"""What public packages say themselves of the weights that they used, without regard."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Read = Callable[[nn.Module, Any], list[Tensor]]  # weights in the order of calls: (h, Q, K)


@contextmanager
def noting(model: nn.Module, ending: str, note: Callable[[Any, Any], None]) -> Iterator[None]:
    """Call a function with what modules of a name are given, and what they return."""
    handles = [
        module.register_forward_hook(lambda _, args, output: note(args, output))
        for name, module in model.named_modules()
        if name.endswith(ending)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def run(model: nn.Module, inputs: Any) -> Any:
    """Call a model without gradients."""
    with torch.no_grad():
        if isinstance(inputs, dict):
            return model(**inputs)
        return model(*(inputs if isinstance(inputs, tuple) else (inputs,)))


def given_to(ending: str) -> Read:
    """Take what modules are given: such as the dropout after the softmax."""

    def read(model: nn.Module, inputs: Any) -> list[Tensor]:
        found: list[Tensor] = []
        with noting(model, ending, lambda args, _: found.append(args[0][0])):
            run(model, inputs)
        return found

    return read


def returned_by(ending: str, of: Callable[[Any], Tensor] = lambda x: x) -> Read:
    """Take what modules return: such as the softmax."""

    def read(model: nn.Module, inputs: Any) -> list[Tensor]:
        found: list[Tensor] = []
        with noting(model, ending, lambda _, output: found.append(of(output)[0])):
            run(model, inputs)
        return found

    return read


def in_windows(weights: Tensor) -> Tensor:
    """Put windows on a diagonal: (W, h, n, m), or (1, W, h, n, m), to (h, W n, W m)."""
    windows = weights.reshape(-1, *weights.shape[-3:]).transpose(0, 1)  # (h, W, n, m)
    return torch.stack([torch.block_diag(*of_head) for of_head in windows])


def unfused_windows(model: nn.Module, inputs: Any, num_heads: int | None = None) -> list[Tensor]:
    """Switch timm's fused attention off, and take what its dropout is given, window by window.

    With a number of heads, they stand among the windows: (W h, n, m).
    """
    for module in model.modules():
        if hasattr(module, "fused_attn"):
            vars(module)["fused_attn"] = False
    found: list[Tensor] = []

    def note(args: tuple[Tensor], _: Any) -> None:
        weights = args[0] if num_heads is None else args[0].unflatten(0, (-1, num_heads))
        found.append(in_windows(weights))

    with noting(model, "attn_drop", note):
        run(model, inputs)
    return found


def softmaxed_windows(
    model: nn.Module, inputs: Any, owner: Any = F, num_heads: int | None = None
) -> list[Tensor]:
    """Take what `F.softmax` gives, or a tensor's own; with a number of heads, of (W h, n, m)."""
    found: list[Tensor] = []
    own = owner.softmax

    def spied(*args: Any, **kwargs: Any) -> Tensor:
        weights: Tensor = own(*args, **kwargs)
        found.append(
            in_windows(weights if num_heads is None else weights.unflatten(0, (-1, num_heads)))
        )
        return weights

    owner.softmax = spied
    try:
        run(model, inputs)
    finally:
        owner.softmax = own
    return found


def multihead(model: nn.Module, inputs: Any) -> list[Tensor]:
    """Ask each `nn.MultiheadAttention` for its weights, with what it was given."""
    found: list[Tensor] = []
    own = nn.MultiheadAttention.forward

    def asked(self: nn.MultiheadAttention, *args: Any, **kwargs: Any) -> Any:
        more = kwargs | {"need_weights": True, "average_attn_weights": False}
        output, weights = own(self, *args[:3], **more)
        found.append(cast("Tensor", weights)[0])
        return output, None

    nn.MultiheadAttention.forward = asked  # type: ignore[method-assign]
    is_fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # else nn.TransformerEncoder does not ask it
    try:
        run(model, inputs)
    finally:
        torch.backends.mha.set_fastpath_enabled(is_fast)
        nn.MultiheadAttention.forward = own  # type: ignore[method-assign]
    return found


def fused(model: nn.Module, inputs: Any) -> list[Tensor]:
    """Compute in double precision the softmax of what torch's fused function is called with."""
    found: list[Tensor] = []
    own = F.scaled_dot_product_attention

    def spied(query: Tensor, key: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        mask, scale = kwargs.get("attn_mask"), kwargs.get("scale") or query.size(-1) ** -0.5
        scores = query.double() @ key.double().mT * scale
        if kwargs.get("is_causal"):
            mask = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
        if mask is not None and mask.dtype == torch.bool:
            scores = scores.masked_fill(~mask, -math.inf)
        elif mask is not None:
            scores = scores + mask
        found.append(in_windows(scores.softmax(-1)))
        return own(query, key, *args, **kwargs)

    F.scaled_dot_product_attention = spied
    try:
        run(model, inputs)
    finally:
        F.scaled_dot_product_attention = own
    return found


def unfused_timm(model: nn.Module, inputs: Any) -> list[Tensor]:
    """Switch timm's fused attention off, and take what its dropout is given."""
    for module in model.modules():
        if hasattr(module, "fused_attn"):
            vars(module)["fused_attn"] = False
    return given_to("attn_drop")(model, inputs)


def classic_diffusers(model: Any, inputs: Any) -> list[Tensor]:
    """Take the scores that diffusers computed before torch had a fused function."""
    from diffusers.models.attention_processor import Attention, AttnProcessor  # noqa: PLC0415

    found: list[Tensor] = []
    own = Attention.get_attention_scores

    def noted(self: Any, *args: Any) -> Tensor:
        weights: Tensor = own(self, *args)
        found.append(weights)  # (B h, Q, K)
        return weights

    for module in filter(lambda one: isinstance(one, Attention), model.modules()):
        module.set_processor(AttnProcessor())
    Attention.get_attention_scores = noted
    try:
        run(model, inputs)
    finally:
        Attention.get_attention_scores = own
    return found


def esm_own(model: nn.Module, inputs: Any) -> list[Tensor]:
    """Ask ESM for its weights."""
    with torch.no_grad():
        weights: Tensor = model(inputs, need_head_weights=True)["attentions"][0]
    return list(weights)


def eager_of_transformers(model: Any, inputs: Any) -> list[Tensor]:
    """Ask the transformers model inside for its eager weights."""
    inner = model[0].auto_model
    inner.set_attn_implementation("eager")
    outputs = run(
        inner, {**model.tokenizer(inputs, return_tensors="pt"), "output_attentions": True}
    )
    return [weights[0] for weights in outputs.attentions]


def unflashed(model: Any, inputs: Any) -> list[Tensor]:
    """Switch the fused attention of x-transformers off."""
    for module in model.modules():
        if hasattr(module, "flash"):
            module.flash = False
    return attend_of_x(model, inputs)


attend_of_x = returned_by("attend", lambda output: output[1].post_softmax_attn)


def used(model: Any, inputs: Any) -> list[Tensor]:
    """Ask a model of the tests what it used."""
    run(model, inputs)
    return list(model.used())


def nothing(_: nn.Module, __: Any) -> list[Tensor]:
    """Give no reading: the model is refused."""
    return []
