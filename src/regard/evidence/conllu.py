"""Sentences whose words say what they belong to: treebanks in the CoNLL-U format."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from regard.record import door

NUM_COLUMNS = 10
NOT_ANNOTATED = "_"
WORD_ID = re.compile(r"[1-9]\d*")
SENTENCE_ID = re.compile(r"#\s*sent_id\s*=\s*(\S+)")
NEW_DOCUMENT = re.compile(r"#\s*newdoc(?:\s+id\s*=\s*(.*\S)|\b)")
NO_WORD = re.compile(r"([1-9]\d*-[1-9]\d*)|(\d+\.[1-9]\d*)")  # "3-4" in writing; "8.1", left out


class Dependency(NamedTuple):
    """One arc of a parse; words count from 0."""

    relation: str
    dependent: int
    head: int


@dataclass(frozen=True)
class ParsedSentence:
    """The words of a sentence, and what each depends on.

    Where they are known, also the part of speech of each word, and the document it is from.
    """

    words: list[str]
    dependencies: list[Dependency]
    tags: list[str] = field(default_factory=list)  # such as "NOUN"
    document: str | None = None

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
        words, tags = ([of[old] for old in order] if of else [] for of in (self.words, self.tags))
        return ParsedSentence(words, moved, tags, self.document)

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
        words that are not written (`8.1`) are left out. The tags are the universal parts of speech,
        UPOS; a document is named by what `# newdoc` says, or numbered.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If a line is not CoNLL-U, or what words depend on is no tree: a word depends on itself,
        directly or through others, or two are roots. The message names the sentence and the line.
        What comes before is read.

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
    with treebank(path).open(encoding="utf-8-sig") as file:
        try:
            for sentence in _sentences(file, str(path)):
                parsed = _parsed(sentence, subtypes=subtypes)
                if parsed.words:
                    yield parsed
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} is not in UTF-8, as CoNLL-U is: {error}.") from error


def treebank(got: str | Path) -> Path:
    """Take the path of a CoNLL-U file that is there."""
    path = door.path("A treebank", got)
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no file {path}: pass the path of a CoNLL-U file, such as those of "
            "https://universaldependencies.org."
        )
    return path


@dataclass
class _Written:
    """The lines of a sentence, and where it stands."""

    path: str
    document: str | None = None
    name: str = ""  # its sent_id, if it has one
    lines: list[tuple[int, str]] = field(default_factory=list)  # numbered from 1 on

    def place(self, line: int) -> str:
        """Say where a line stands."""
        return f"{self.path}, " + (f"sentence {self.name}, " if self.name else "") + f"line {line}"


def _sentences(lines: Iterable[str], path: str) -> Iterator[_Written]:
    """Part at empty lines; of comments, keep what names a sentence and its document."""
    sentence, num_documents = _Written(path), 0
    for number, line in enumerate(lines, start=1):
        text = line.rstrip("\r\n")
        if not text.strip():
            yield sentence
            sentence = _Written(path, sentence.document)
        elif not text.startswith("#"):
            sentence.lines.append((number, text))
        elif found := SENTENCE_ID.match(text):
            sentence.name = found[1]
        elif found := NEW_DOCUMENT.match(text):
            num_documents += 1
            sentence.document = found[1] or f"document {num_documents}"
    yield sentence


class _Row(NamedTuple):
    """A word, and where it stands."""

    where: str
    columns: list[str]
    head: int | None  # from 1 on, 0 of a root; None where it is not annotated


def _parsed(sentence: _Written, *, subtypes: bool) -> ParsedSentence:
    rows = _rows(sentence)
    _check_tree(rows)
    dependencies = []
    for place, (_, columns, head) in enumerate(rows):
        base = columns[7].split(":", maxsplit=1)[0]
        if head and base != "punct":
            dependencies.append(Dependency(columns[7] if subtypes else base, place, head - 1))
    words, tags = ([columns[at] for _, columns, _ in rows] for at in (1, 3))
    known = tags if any(tag != NOT_ANNOTATED for tag in tags) else []
    return ParsedSentence(words, dependencies, known, sentence.document)


def _rows(sentence: _Written) -> list[_Row]:
    """Take the words, without what is written as one and without words that are not written."""
    places = [(sentence.place(number), text) for number, text in sentence.lines]
    rows = [(where, _columns(text, where)) for where, text in places]
    rows = [(where, columns) for where, columns in rows if not NO_WORD.fullmatch(columns[0])]
    for number, (where, columns) in enumerate(rows, start=1):
        if not WORD_ID.fullmatch(columns[0]) or int(columns[0]) != number:
            raise ValueError(
                f"{where}: the ID {columns[0]!r} is not {number}. Words of a sentence are "
                "numbered 1, 2, 3, ..., and an empty line ends it."
            )
    return [_Row(where, columns, _head(columns, where, len(rows))) for where, columns in rows]


def _head(columns: list[str], where: str, num_words: int) -> int | None:
    head = columns[6]
    if head == NOT_ANNOTATED:
        return None
    if not head.isascii() or not head.isdigit() or int(head) > num_words:
        raise ValueError(
            f"{where}: the HEAD {head!r} is not one of the sentence's words, 1 to {num_words}, "
            "or 0 for its root."
        )
    if int(head) == int(columns[0]):
        raise ValueError(f"{where}: {columns[1]!r} is its own head. A root's HEAD is 0.")
    return int(head)


def _check_tree(rows: Sequence[_Row]) -> None:
    """Raise where there are two roots, or words that depend on each other in a ring.

    Where every word is annotated and there is no ring, there is a root.
    """
    roots = [row for row in rows if row.head == 0]
    if len(roots) > 1:
        words = " and ".join(repr(row.columns[1]) for row in roots)
        raise ValueError(
            f"{roots[1].where}: {words} are all roots, with a HEAD of 0. A sentence has one root; "
            "let the other words depend on it, or part the sentence by an empty line."
        )
    for start in range(1, len(rows) + 1):
        way: list[int] = []
        at: int | None = start
        while at and at not in way:
            way.append(at)
            at = rows[at - 1].head
        if at:
            ring = ", ".join(f"{one} {rows[one - 1].columns[1]!r}" for one in way[way.index(at) :])
            raise ValueError(
                f"{rows[at - 1].where}: the words {ring} depend on each other in a ring. Each "
                "word's HEAD must lead to the root, whose HEAD is 0."
            )


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
