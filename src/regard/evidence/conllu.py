"""Sentences whose words say what they belong to: treebanks in the CoNLL-U format."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

NUM_COLUMNS = 10
WORD_ID = re.compile(r"[1-9]\d*")
NO_WORD = re.compile(r"([1-9]\d*-[1-9]\d*)|(\d+\.[1-9]\d*)")  # "3-4" in writing; "8.1", left out


class Dependency(NamedTuple):
    """One arc of a parse; words count from 0."""

    relation: str
    dependent: int
    head: int


@dataclass(frozen=True)
class ParsedSentence:
    """The words of a sentence, and what each depends on."""

    words: list[str]
    dependencies: list[Dependency]

    def reordered(self, order: Sequence[int]) -> "ParsedSentence":
        """Write the words in another order, and let each dependency follow its words.

        Parameters
        ----------
        order
            The old place of each new word: a permutation of 0 to the number of words - 1.

        Raises
        ------
        ValueError
            If it is none.

        Examples
        --------
        >>> parsed = ParsedSentence(["the", "dog"], [Dependency("det", 0, 1)])
        >>> turned = parsed.reordered([1, 0])
        >>> turned.words, turned.dependencies
        (['dog', 'the'], [Dependency(relation='det', dependent=1, head=0)])
        """
        if sorted(order) != list(range(len(self.words))):
            raise ValueError(
                f"An order holds each of 0 to {len(self.words) - 1} once, but got {list(order)}."
            )
        new = {old: new for new, old in enumerate(order)}
        moved = [Dependency(name, new[word], new[head]) for name, word, head in self.dependencies]
        return ParsedSentence([self.words[old] for old in order], moved)

    def shuffled(self, rng: np.random.Generator) -> "ParsedSentence":
        """Write the words in random order: what a head still finds then, it finds without order."""
        return self.reordered(rng.permutation(len(self.words)).tolist())


def read_conllu(path: str | Path, *, subtypes: bool = False) -> Iterator[ParsedSentence]:
    r"""Read a treebank, a sentence at a time.

    Parameters
    ----------
    path
        Of a CoNLL-U file, in UTF-8.
    subtypes
        Keep what a language adds to a universal relation: `nsubj:pass` is `nsubj`, unless asked
        for.

    Yields
    ------
    ParsedSentence
        Of each sentence that has words. Roots and punctuation, `root` and `punct`, are words but no
        dependencies. Of what is written as one and parsed as several (`3-4`), the several are read;
        words that are not written (`8.1`) are left out.

    Raises
    ------
    ValueError
        If a line is not CoNLL-U; the message names it. What comes before is read.

    Notes
    -----
    The format is that of https://universaldependencies.org/format.html. Like Clark et al. (2019),
    *What does BERT look at?*, section 4.2, no punctuation is asked for.

    Examples
    --------
    >>> lines = ["1 dogs _ _ _ _ 2 nsubj _ _", "2 ran _ _ _ _ 0 root _ _"]
    >>> path = getfixture("tmp_path") / "dogs.conllu"
    >>> _ = path.write_text("\n".join(lines).replace(" ", "\t"))
    >>> next(read_conllu(path)).dependencies
    [Dependency(relation='nsubj', dependent=0, head=1)]
    """
    with Path(path).open(encoding="utf-8-sig") as file:
        try:
            for lines in _sentences(file):
                parsed = _parsed(lines, str(path), subtypes=subtypes)
                if parsed.words:
                    yield parsed
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} is not in UTF-8, as CoNLL-U is: {error}.") from error


Line = tuple[int, str]  # its number, from 1 on


def _sentences(lines: Iterable[str]) -> Iterator[list[Line]]:
    """Part at empty lines; leave comments out."""
    sentence: list[Line] = []
    for number, line in enumerate(lines, start=1):
        text = line.rstrip("\r\n")
        if not text.strip():
            yield sentence
            sentence = []
        elif not text.startswith("#"):
            sentence.append((number, text))
    yield sentence


def _parsed(lines: list[Line], path: str, *, subtypes: bool) -> ParsedSentence:
    rows = [(number, _columns(text, f"{path}, line {number}")) for number, text in lines]
    rows = [(number, columns) for number, columns in rows if not NO_WORD.fullmatch(columns[0])]
    dependencies = []
    for place, (number, columns) in enumerate(rows):
        where = f"{path}, line {number}"
        if not WORD_ID.fullmatch(columns[0]) or int(columns[0]) != place + 1:
            raise ValueError(
                f"{where}: the ID {columns[0]!r} is not {place + 1}. Words of a sentence are "
                "numbered 1, 2, 3, ..., and an empty line ends it."
            )
        head, relation = columns[6], columns[7]
        if head == "_":
            continue  # not annotated
        if not head.isascii() or not head.isdigit() or int(head) > len(rows):
            raise ValueError(
                f"{where}: the HEAD {head!r} is not one of the sentence's words, 1 to {len(rows)}, "
                "or 0 for its root."
            )
        base = relation.split(":", maxsplit=1)[0]
        if int(head) == place + 1:
            raise ValueError(f"{where}: {columns[1]!r} is its own head. A root's HEAD is 0.")
        if int(head) > 0 and base != "punct":
            name = relation if subtypes else base
            dependencies.append(Dependency(name, place, int(head) - 1))
    heads = {place: int(row[6]) for place, (_, row) in enumerate(rows, 1) if row[6] != "_"}
    _check_tree(heads, [number for number, _ in rows], path)
    return ParsedSentence([columns[1] for _, columns in rows], dependencies)


def _check_tree(head_of: Mapping[int, int], lines: Sequence[int], path: str) -> None:
    """Raise where words hang on each other in a ring, and so on no root."""
    leads: set[int] = {0}
    for word in head_of:
        way: list[int] = []
        at = word
        while at in head_of and at not in leads:
            if at in way:
                ring = ", ".join(str(one) for one in way[way.index(at) :])
                raise ValueError(
                    f"{path}, line {lines[at - 1]}: the words {ring} hang on each other in a "
                    "ring. Each word's HEAD must lead to the root, whose HEAD is 0."
                )
            way.append(at)
            at = head_of[at]
        leads.update(way)


def _columns(text: str, where: str) -> list[str]:
    columns = text.split("\t")
    if len(columns) != NUM_COLUMNS:
        raise ValueError(
            f"{where}: a word has {NUM_COLUMNS} columns parted by tabs, but here are "
            f"{len(columns)}: {text[:60]!r}. Is it a CoNLL-U file?"
        )
    if not columns[1].strip():
        raise ValueError(f"{where}: the word, in the second column, is empty.")
    return columns
