"""A sample of the model types of benchmarks/families.py, and the committed table of all."""

import re
from pathlib import Path

import pytest

from benchmarks.families import compare

TABLE = Path(__file__).parent.parent / "docs" / "families.md"
EXACT = [
    "albert",
    "bart",
    "bert",
    "deepseek_v3",
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
    "swin",
    "t5",
    "vit",
    "whisper",
    "xlm-roberta",
]
EAGER = ["bloom", "deberta-v2", "longformer", "xlnet"]


@pytest.mark.parametrize("name", EXACT)
def test_weights_are_exactly_those_of_eager(name: str) -> None:
    outcome = compare(name)
    assert outcome.verdict == "exact", outcome.detail


@pytest.mark.parametrize("name", EAGER)
def test_weights_are_those_that_eager_gave(name: str) -> None:
    assert compare(name).verdict == "eager weights"


def test_a_model_without_attention() -> None:
    assert compare("mamba").verdict == "no attention"


def test_the_table_has_the_sample_and_nothing_wrong() -> None:
    text = TABLE.read_text("utf-8")
    verdicts = dict(re.findall(r"^\| ([\w.-]+) \| [\w ]+ \| ([\w ]+) \|", text, re.MULTILINE))
    assert len(verdicts) > 300
    assert "WRONG" not in verdicts.values()
    assert {verdicts[name] for name in EXACT} == {"exact"}
    assert {verdicts[name] for name in EAGER} == {"eager weights"}
    share = re.search(r"together (\d+\.\d)%", text)
    assert share
    assert float(share[1]) >= 95
