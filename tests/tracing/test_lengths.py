"""For how many tokens models have positions: what is refused, and only that, they cannot read."""

from typing import Any

import pytest
import torch

import tests.tiny_models as tiny
from regard.tracing.lengths import check_length
from tests.tiny_models import build

LIMIT = 71  # no other size of the tiny models
TAKEN = {  # how many of LIMIT a type takes; None if more than these
    ("bert", "AutoModelForMaskedLM"): 71,
    ("roberta", "AutoModelForMaskedLM"): 69,
    ("esm", "AutoModelForMaskedLM"): 69,  # it has settings of rotary positions, and a table
    ("ibert", "AutoModelForMaskedLM"): 69,
    ("opt", "AutoModelForCausalLM"): 71,  # its table has two rows more
    ("mpt", "AutoModelForCausalLM"): 71,
    ("whisper", "AutoModelForCausalLM"): 71,
    ("llama", "AutoModelForCausalLM"): None,
    ("jamba", "AutoModelForCausalLM"): None,  # it has no positions at all
    ("prophetnet", "AutoModelForCausalLM"): 69,  # padding's is none, and it looks one ahead
    ("xglm", "AutoModelForCausalLM"): None,  # its table is made longer
    ("m2m_100", "AutoModelForSeq2SeqLM"): None,
    ("fsmt", "AutoModelForSeq2SeqLM"): None,
    ("florence2", "AutoModelForImageTextToText"): 71,  # its language model says it
}


@pytest.mark.parametrize(("name", "auto_class"), TAKEN)
def test_lengths_are_refused_that_the_model_cannot_read(
    name: str, auto_class: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = r"max_(position_embeddings|seq_len|source_positions|target_positions)"
    monkeypatch.setitem(tiny.SIZES, limits, LIMIT)
    model: Any = build(name, auto_class)
    longest = TAKEN[name, auto_class]
    assert reads(model, longest or LIMIT + 1)
    check_length(longest or LIMIT + 1, model, "It")
    if longest is not None:
        assert not reads(model, longest + 1)
        with pytest.raises(ValueError, match=f"has {longest + 1} tokens, but .* takes {longest}:"):
            check_length(longest + 1, model, "It")


def reads(model: Any, length: int) -> bool:
    """Say whether a model computes something of so many tokens."""
    ids = {"input_ids": torch.randint(*tiny.PLAIN_IDS, (1, length))} | tiny.target(model)
    try:
        with torch.no_grad():
            model(**ids)
    except (IndexError, RuntimeError):
        return False
    return True
