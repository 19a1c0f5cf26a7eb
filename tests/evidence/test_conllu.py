"""A treebank is read as its format says, and what is no treebank is refused with the line."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from regard.evidence.conllu import Dependency, ParsedSentence, read_conllu

# written for this test: a range, an empty node, a subtype, punctuation, comments
TREEBANK = """\
# sent_id = 1
# text = Don't the dogs get fed?
1-2	Don't	_	_	_	_	_	_	_	_
1	Do	do	AUX	_	_	5	aux	_	_
2	n't	not	PART	_	_	5	advmod	_	_
3	the	the	DET	_	_	4	det	_	_
4	dogs	dog	NOUN	_	_	5	nsubj:pass	_	_
4.1	who	who	PRON	_	_	_	_	3:x	_
5	fed	feed	VERB	_	_	0	root	_	_
6	?	?	PUNCT	_	_	5	punct	_	_


# an empty line too much, and a sentence that is not annotated
1	New	_	_	_	_	_	_	_	_
2	York	_	_	_	_	_	_	_	_
"""


@pytest.fixture
def treebank(tmp_path: Path) -> Path:
    path = tmp_path / "dogs.conllu"
    path.write_text(TREEBANK, "utf-8")
    return path


def test_words_and_dependencies(treebank: Path) -> None:
    first, second = read_conllu(treebank)
    assert first.words == ["Do", "n't", "the", "dogs", "fed", "?"]
    assert first.dependencies == [
        ("aux", 0, 4),
        ("advmod", 1, 4),
        ("det", 2, 3),
        ("nsubj", 3, 4),
    ]
    assert second == ParsedSentence(["New", "York"], [])


def test_subtypes_are_kept_if_asked_for(treebank: Path) -> None:
    assert next(read_conllu(treebank, subtypes=True)).dependencies[-1].relation == "nsubj:pass"


@pytest.mark.parametrize(("ending", "mark"), [("\r\n", ""), ("\n", "\ufeff"), ("\n", "")])
def test_files_of_other_systems(tmp_path: Path, ending: str, mark: str) -> None:
    path = tmp_path / "x.conllu"
    path.write_bytes((mark + TREEBANK.rstrip("\n")).replace("\n", ending).encode())
    assert [len(sentence.words) for sentence in read_conllu(path)] == [6, 2]


def row(number: str, head: str, columns: int = 10, word: str = "dog") -> str:
    return "\t".join([number, word, *"____", head, "dep", *"____"][:columns])


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([row("1", "0"), row("2", "1", columns=8)], "line 2: a word has 10 columns parted by tabs"),
        (
            ["1 dog _ _ _ _ 0 root _ _"],
            "line 1: a word has 10 columns parted by tabs, but here are",
        ),
        (["# a", row("1", "0"), row("3", "1")], "line 3: the ID '3' is not 2. Words of a sentence"),
        ([row("x", "0")], "line 1: the ID 'x' is not 1."),
        ([row("1", "2")], "line 1: the HEAD '2' is not one of the sentence's words, 1 to 1"),
        ([row("1", "-1")], "line 1: the HEAD '-1' is not one of"),
        ([row("1", "²")], "line 1: the HEAD '²' is not one of"),
        ([row("1", "1")], "line 1: 'dog' is its own head. A root's HEAD is 0."),
        ([row("1", "0", word=" ")], "line 1: the word, in the second column, is empty."),
    ],
)
def test_what_is_no_treebank(tmp_path: Path, lines: list[str], message: str) -> None:
    path = tmp_path / "x.conllu"
    path.write_text("\n".join(lines), "utf-8")
    with pytest.raises(ValueError, match=re.escape(f"{path}, {message}")):
        list(read_conllu(path))


def test_other_encodings_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.conllu"
    path.write_bytes(row("1", "0", word="Köter").encode("latin-1"))
    with pytest.raises(ValueError, match="is not in UTF-8, as CoNLL-U is"):
        list(read_conllu(path))


def test_shuffled_words_keep_what_they_depend_on(treebank: Path) -> None:
    parsed = next(read_conllu(treebank))
    shuffled = parsed.shuffled(np.random.default_rng(0))
    assert shuffled.words != parsed.words

    def by_word(sentence: ParsedSentence) -> list[tuple[str, str, str]]:
        words = sentence.words
        return sorted((name, words[i], words[j]) for name, i, j in sentence.dependencies)

    assert by_word(shuffled) == by_word(parsed)


@pytest.mark.parametrize("order", [[0], [0, 0], [1, 2]])
def test_an_order_names_every_word_once(order: list[int]) -> None:
    with pytest.raises(ValueError, match="An order holds each of 0 to 1 once, but got"):
        ParsedSentence(["a", "b"], [Dependency("det", 0, 1)]).reordered(order)


@pytest.mark.parametrize(
    ("heads", "said"),
    [
        ((2, 1, 0), "line 2: the words 1 'w1', 2 'w2' depend on each other in a ring"),
        ((0, 3, 4, 2), "line 3: the words 2 'w2', 3 'w3', 4 'w4' depend on each other in a ring"),
        (
            (2, 3, 4, 3),
            "line 4: the words 3 'w3', 4 'w4' depend on each other in a ring",
        ),  # no root
        ((2, 2), "line 3: 'w2' is its own head"),
        ((0, 1, 0), "line 4: 'w1' and 'w3' are all roots, with a HEAD of 0"),
        ((0, "_", 0), "line 4: 'w1' and 'w3' are all roots"),
    ],
)
def test_what_words_depend_on_is_a_tree(heads: tuple[Any, ...], said: str, tmp_path: Path) -> None:
    rows = [f"{at}\tw{at}\t_\t_\t_\t_\t{head}\tdep\t_\t_" for at, head in enumerate(heads, 1)]
    path = tmp_path / "ring.conllu"
    path.write_text("\n".join(["# sent_id = dev-7", *rows]), encoding="utf-8")
    with pytest.raises(ValueError, match=re.escape(f"ring.conllu, sentence dev-7, {said}")):
        list(read_conllu(path))


def test_the_name_of_a_sentence_is_not_that_of_the_one_before(treebank: Path) -> None:
    row = "\n1\tdogs\t_\t_\t_\t_\t1\tdep\t_\t_\n"
    treebank.write_text(TREEBANK + row, "utf-8")
    with pytest.raises(ValueError, match=r"dogs\.conllu, line 17: 'dogs' is its own head"):
        list(read_conllu(treebank))


def test_words_that_are_not_annotated_need_no_root(tmp_path: Path) -> None:
    rows = [f"{at}\tw\t_\t_\t_\t_\t{head}\tdep\t_\t_" for at, head in enumerate("_1", 1)]
    path = tmp_path / "part.conllu"
    path.write_text("\n".join(rows), "utf-8")
    assert [parsed.dependencies for parsed in read_conllu(path)] == [[("dep", 1, 0)]]


def test_a_treebank_is_a_file(tmp_path: Path) -> None:
    number: Any = 7
    with pytest.raises(TypeError, match="A treebank is the path of a file, but got 7"):
        next(read_conllu(number))
    for path in (tmp_path, tmp_path / "none.conllu"):
        with pytest.raises(FileNotFoundError, match="pass the path of a CoNLL-U file"):
            next(read_conllu(path))


def test_parts_of_speech_and_documents(tmp_path: Path) -> None:
    path = tmp_path / "x.conllu"
    path.write_text(
        "\n".join(
            [
                *["1\tone\t_\tNUM\t_\t_\t0\troot\t_\t_", ""],
                *["# newdoc id = two words", "# sent_id = 1"],
                *["1\ttwo\t_\tNUM\t_\t_\t0\troot\t_\t_"],
                *["2\tthree\t_\t_\t_\t_\t1\tflat\t_\t_", ""],
                *["1\tfour\t_\t_\t_\t_\t0\troot\t_\t_", ""],
                *["# newdoc", "1\tfive\t_\tNUM\t_\t_\t0\troot\t_\t_", ""],
            ]
        )
    )
    parsed = list(read_conllu(path))
    assert [sentence.document for sentence in parsed] == [
        None,
        "two words",
        "two words",
        "document 2",
    ]
    assert [sentence.tags for sentence in parsed] == [["NUM"], ["NUM", "_"], [], ["NUM"]]
    turned = parsed[1].reordered([1, 0])
    assert (turned.tags, turned.document) == (["_", "NUM"], "two words")
