"""`doctor`: is what you see of a model attention? One line for each fault, with its mend."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from regard.evidence.agreement_check import check_agreement
from regard.evidence.checks import (
    Check,
    Diagnosis,
    check_batch,
    check_dropout,
    counted,
    fail,
    implementation_of,
    ok,
    runs,
    skip,
)
from regard.evidence.weight_checks import Case, check_layers
from regard.record.trace import Trace
from regard.tracing.any_model import AnyModel
from regard.tracing.expected import a_tokenizer, in_order
from regard.tracing.inputs import is_text
from regard.tracing.run import trace
from regard.tracing.texts import Sentence, tokenize

SENTENCE = "The dog saw the cow because it seemed weak."
SPARE_TOKENS = 1024  # embeddings may have so many rows for tokens that do not exist, or a tenth


def doctor(
    model: nn.Module,
    tokenizer: PreTrainedTokenizerBase | None = None,
    sentence: Sentence = SENTENCE,
    *,
    target: str | None = None,
) -> Diagnosis:
    """Run a model on a sentence, and say what would make its attention other than it seems.

    Where a fault leaves nothing to look at, as a foreign tokenizer does, what comes after it is
    left out. Weights are streamed, never all held.

    Parameters
    ----------
    model, tokenizer, sentence, target
        As for `regard.trace`.

    Returns
    -------
    Diagnosis
        One check for each fault; `.passed` if none was found.

    Raises
    ------
    TypeError
        If the sentence is of no type that is taken.
    ValueError
        If it is empty, or a text without a tokenizer. The faults themselves raise nothing.

    See Also
    --------
    examine : For weights that are there already.

    Examples
    --------
    >>> from regard.model.lexicon import vocabulary
    >>> from regard.model.tokenization import build_tokenizer
    >>> from regard.model.transformer import build_transformer_model
    >>> model = build_transformer_model(300, 16, nhead=2, num_layers=1, dim_feedforward=32)
    >>> diagnosis = doctor(model, build_tokenizer(vocabulary(300)), "the dog saw it .")
    >>> for check in diagnosis.failures:
    ...     print(check)
    FAIL  dropout    it is on, at 0.1, so the model attends at random: call model.eval(), \
as regard.trace does for its one pass.
    """
    in_order(sentence, model, tokenizer, "doctor(model, tokenizer, sentence)")
    found = AnyModel(model)
    tokenizer = a_tokenizer(found.tokenizer if tokenizer is None else tokenizer)
    tensors = _tensors_of(sentence, tokenizer)
    ids = _ids_of(tensors)
    checks = [check_dropout(found.model)]
    if tokenizer is not None and ids is not None:
        checks.append(fit := _check_tokenizer(ids, found, tokenizer))
        if fit.passed is False:
            return Diagnosis(tuple(checks))
        checks.append(words := _check_words(ids, tokenizer))
        if not words.passed and found.pretrained is None:
            return Diagnosis(tuple(checks))  # trace refuses words that a word-level tokenizer lacks
    count = max((x.size(0) for x in tensors.values() if x.dim() > 1), default=1)
    checks.append(check_batch(count))
    if count > 1:
        sentence = _first_of(sentence)
    try:
        seen = trace(sentence, model, tokenizer, target=target, values=False)
    except (ValueError, RuntimeError, IndexError) as error:
        said = " ".join(str(error).split()).removesuffix(".")
        return Diagnosis((*checks, fail("weights", f"there are none. {said}")))
    padding = {
        "source": _padding_of(seen.source_tokens, tokenizer, tensors.get("attention_mask")),
        "target": _padding_of(seen.target_tokens, tokenizer, starts=1),
    }
    case = Case(
        seen,
        padding,
        left_to_right=_reads_left_to_right(found),
        dtype=next(found.model.parameters()).dtype,
        knows_padding=tokenizer is not None,
    )
    checks.append(_check_origin(seen, found))
    if found.pretrained is not None:
        checks.append(check_agreement(found, found.inputs(sentence, tokenizer, target)))
    return Diagnosis((*checks, *check_layers(case)))


def _tensors_of(
    sentence: Sentence, tokenizer: PreTrainedTokenizerBase | None
) -> Mapping[str, Tensor]:
    if is_text(sentence):
        if tokenizer is None:
            raise ValueError("A text needs its tokenizer: doctor(model, tokenizer, sentence).")
        return tokenize(sentence, tokenizer).inputs
    if isinstance(sentence, Mapping):
        several: tuple[Any, ...] = tuple(sentence.values())
    else:
        several = sentence if isinstance(sentence, tuple) else (sentence,)
    if not all(isinstance(x, Tensor) for x in several):
        raise TypeError(
            "A sentence is a string, a pair of strings, a list of words, or tensors, but got "
            f"{type(sentence).__name__}."
        )
    names = sentence if isinstance(sentence, Mapping) else map(str, range(len(several)))
    return dict(zip(names, several, strict=True))


def _ids_of(tensors: Mapping[str, Tensor]) -> Tensor | None:
    ids = tensors.get("input_ids", tensors.get("0"))
    return None if ids is None or ids.is_floating_point() else ids


def _first_of(sentence: Any) -> Any:
    if isinstance(sentence, Tensor):
        return sentence[:1]
    if isinstance(sentence, tuple):
        return tuple(x[:1] for x in sentence)
    return {name: x[:1] for name, x in sentence.items()}


def _check_tokenizer(ids: Tensor, model: AnyModel, tokenizer: PreTrainedTokenizerBase) -> Check:
    """Hold the tokenizer's tokens against the rows of the model's embeddings."""
    rows = None if model.pretrained is None else getattr(model.embeddings, "num_embeddings", None)
    if rows is None:
        return skip("tokenizer", "the model does not say how many tokens it knows")
    known, highest = len(tokenizer), int(ids.max()) if ids.numel() else 0
    finding = f"it has {known} tokens, and the model knows {rows}"
    if highest >= rows:
        finding = f"it gives ids up to {highest}, but the model knows {rows} tokens"
    elif known <= rows <= max(known + SPARE_TOKENS, known / 0.9):
        return ok("tokenizer", finding)
    name = getattr(model.model.config, "_name_or_path", "") or model.name
    return fail(
        "tokenizer",
        finding,
        f"load the one that belongs to {name}, or call model.resize_token_embeddings("
        "len(tokenizer)) if tokens were added and trained",
    )


def _check_words(ids: Tensor, tokenizer: PreTrainedTokenizerBase) -> Check:
    unknown = tokenizer.unk_token_id
    if unknown in {tokenizer.bos_token_id, tokenizer.eos_token_id}:
        unknown = None  # GPT-2 calls three things by one name, and knows every word
    count = 0 if unknown is None else int((ids == unknown).sum())
    if count == 0:
        return ok("words", f"all {ids.size(-1)} tokens are known")
    return fail(
        "words",
        f"the tokenizer does not know {count} of {ids.numel()} tokens ({tokenizer.unk_token})",
        "write them otherwise, or load the tokenizer that belongs to the model",
    )


def _check_origin(seen: Trace, model: AnyModel) -> Check:
    layers = ", ".join(counted(seen.counts[kind], f"{kind} layer") for kind in seen.kinds)
    finding = f"of {layers}, from {seen.how}"
    if model.pretrained is not None:
        if seen.how.startswith("queries and keys"):
            finding += ", held against the model's own output in 3 rows a layer"
        implementation = implementation_of(model.pretrained)
        if implementation != "eager":
            finding += f" (output_attentions=True gives none under {implementation!r})"
    return ok("weights", finding)


def _padding_of(
    tokens: list[str],
    tokenizer: PreTrainedTokenizerBase | None,
    mask: Tensor | None = None,
    *,
    starts: int = 0,
) -> list[bool]:
    """Say which tokens are padding: by their name at either end, or because they are masked."""
    if tokenizer is None or tokenizer.pad_token is None:
        named = [False] * len(tokens)
    else:
        pad = str(tokenizer.pad_token)
        ends = pad in {tokenizer.eos_token, tokenizer.bos_token, tokenizer.sep_token}
        named = runs(tokens, (pad,), kept=int(ends), starts=starts)
    if mask is None or mask.dim() != 2 or mask.size(1) != len(tokens):
        return named
    return [name or not may for name, may in zip(named, mask[0].tolist(), strict=True)]


def _reads_left_to_right(model: AnyModel) -> set[str]:
    """Name the kinds of attention that may not read the future.

    A decoder alone that does is an encoder to `trace`; but it must not, if it is to generate.
    """
    if model.pretrained is None:
        return {"decoder"}
    config = model.pretrained.config
    both_ways = getattr(config, "use_bidirectional_attention", False) or (
        False in {getattr(config, name, None) for name in ("causal", "is_causal")}
    )
    is_whole = getattr(config, "is_encoder_decoder", False) or getattr(config, "sub_configs", {})
    if is_whole or both_ways or not (getattr(config, "is_decoder", False) or model.can_generate):
        return {"decoder"}
    return {"decoder", "encoder"}
