"""A sample of the model types of benchmarks/families.py, and the committed table of all."""

import re
from pathlib import Path

import pytest

from tests.eager_weights import Outcome
from tests.settings import SETTINGS, outcomes
from tests.tiny_models import families

TABLE = Path(__file__).parents[2] / "docs" / "families.md"
EXACT = [
    "albert",
    "bart",
    "bert",
    "deepseek_v3",
    "deit",
    "distilbert",
    "electra",
    "gemma2",
    "gpt2",
    "gpt_neox",
    "gpt_oss",
    "granite_swa",
    "hubert",
    "jamba",
    "llama",
    "mistral",
    "mixtral",
    "modernbert",
    "opt",
    "qwen3",
    "roberta",
    "t5",
    "t5gemma2",
    "videoprism_vision_model",
    "vit",
    "whisper",
    "xlm-roberta",
]
WATCHED = [  # their calls are seen, not asked for
    *("bloom", "codegen", "gptj", "luke", "mpnet", "rembert", "xglm", "xlnet"),
]
EAGER = ["canine", "funnel", "reformer"]
WRONG = {  # and why, as far as is known
    "git",  # its logits are of the picture, too: probabilities are read from the wrong rows
    "levit",  # a layer of pictures is called a decoder
    "paligemma",  # of text alone, its sdpa reads both ways, its eager does not
    "reformer",  # of one token, other kinds
}


def outcome_of(name: str) -> Outcome:
    of_type = [family for family in families() if family.model_type == name]
    return outcomes(of_type[-1], ["plain"])["plain"]  # Whisper's decoder comes before the whole


@pytest.mark.parametrize("name", EXACT + WATCHED)
def test_weights_are_exactly_those_of_eager(name: str) -> None:
    outcome = outcome_of(name)
    assert outcome.verdict == "exact", outcome.detail


@pytest.mark.parametrize("name", EAGER)
def test_weights_are_those_that_eager_gave(name: str) -> None:
    assert outcome_of(name).verdict == "eager weights"


def test_what_is_given_but_is_no_attention_over_the_tokens_is_refused() -> None:
    outcome = outcome_of("deepseek_v4")  # some columns are of several tokens at once
    assert outcome.verdict == "refused"
    assert "gives for output_attentions=True is no attention" in outcome.detail


def test_a_model_without_attention() -> None:
    assert outcome_of("mamba").verdict == "no attention"


def test_the_table_has_the_sample_and_a_column_for_each_setting() -> None:
    text = TABLE.read_text("utf-8")
    columns = re.search(r"^\| type \| kind \| (.+) \|$", text, re.MULTILINE)
    assert columns
    assert columns[1].split(" | ") == list(SETTINGS)
    rows = re.findall(r"^\| ([\w.-]+) \| \w+ \| (exact|eager weights)? ?", text, re.MULTILINE)
    assert len(rows) > 400
    assert {(name, "exact") for name in EXACT} <= set(rows)
    assert {(name, "eager weights") for name in EAGER} <= set(rows)
    assert set(re.findall(r"^\| ([\w.-]+) \|.* WRONG ", text, re.MULTILINE)) <= WRONG
    share = re.search(r"plain: .* together (\d+\.\d)%", text)
    assert share
    assert float(share[1]) >= 92
