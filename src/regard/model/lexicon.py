"""The words of two small languages, and how a target word takes its form.

The source is English-like. The target is made up, with Romance stems; its determiners, adjectives,
verbs and pronouns agree with a noun in gender and number.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from regard.model.door import check_types

GENDERS = ("o", "a", "e")  # three, arbitrary; each is the vowel that its words end in
Number = Literal["singular", "plural"]
NUMBERS: tuple[Number, ...] = get_args(Number)
SPECIAL_TOKENS = ("<pad>", "<s>", "</s>", "<unk>")
# the ids of the first three
PAD = 0
START = 1
END = 2


class Noun(NamedTuple):
    """A noun: its two source forms, and the target stem and gender."""

    source: tuple[str, str]
    stem: str
    gender: str


# genders come by turns, so that a shorter lexicon keeps them all
NOUNS = tuple(
    Noun(forms, stem, GENDERS[i % len(GENDERS)])
    for i, (forms, stem) in enumerate(
        {
            ("dog", "dogs"): "can",
            ("cow", "cows"): "vac",
            ("cat", "cats"): "gat",
            ("goat", "goats"): "cabr",
            ("horse", "horses"): "caval",
            ("hen", "hens"): "galin",
            ("rabbit", "rabbits"): "conil",
            ("frog", "frogs"): "ran",
            ("wolf", "wolves"): "lup",
            ("turtle", "turtles"): "tortug",
            ("fox", "foxes"): "volp",
            ("mole", "moles"): "talp",
            ("duck", "ducks"): "anad",
            ("mare", "mares"): "egu",
            ("monkey", "monkeys"): "simi",
            ("panther", "panthers"): "panter",
            ("bear", "bears"): "urs",
            ("hawk", "hawks"): "falcon",
        }.items()
    )
)
# past, base form after "did not", target stem: + ava, + avan
VERBS = (
    ("followed", "follow", "sequ"),
    ("watched", "watch", "regard"),
    ("chased", "chase", "cass"),
    ("helped", "help", "adjud"),
    ("found", "find", "trov"),
    ("liked", "like", "am"),
    ("heard", "hear", "aud"),
    ("led", "lead", "men"),
    ("saw", "see", "ved"),
    ("pushed", "push", "puls"),
)
# before the noun, target stem: + the gender's vowel, + s in the plural
ADJECTIVES = (
    ("small", "parv"),
    ("big", "grand"),
    ("black", "negr"),
    ("brown", "brun"),
    ("strong", "fort"),
    ("pretty", "bel"),
)
# after "seemed": they agree with nothing, so that the pronoun alone tells the gender
PREDICATES = (
    ("weak", "debil"),
    ("sad", "trist"),
    ("sick", "malad"),
    ("calm", "seren"),
    ("shy", "timid"),
    ("strange", "estran"),
)
COPULAS = (("seemed", "sembl"), ("looked", "par"))
PREPOSITIONS = (("near", "prope"), ("behind", "detras"), ("before", "antes"), ("with", "con"))
# target stem, as an adjective's, and the numbers that the source word goes with
DETERMINERS: dict[str, tuple[str, tuple[Number, ...]]] = {
    "the": ("l", ("singular", "plural")),
    "a": ("un", ("singular",)),
    "this": ("est", ("singular",)),
    "some": ("algun", ("plural",)),
    "these": ("est", ("plural",)),
}
PRONOUNS: dict[Number, str] = {"singular": "it", "plural": "they"}
PRONOUN_STEM = "el"
SMALL_WORDS = (("did", "not", "because", "very", ",", "."), ("no", "quar", "multo", ",", "."))
Entry = tuple[Iterable[str], Iterable[str]]  # of a dictionary: source words, target words


class Vocabulary(list[str]):
    """The special tokens, then each word once; a word's place is its id. Knows both sides."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        sides = [(tuple(source), tuple(target)) for source, target in entries]
        words = (word for entry in sides for side in entry for word in side)
        super().__init__(dict.fromkeys((*SPECIAL_TOKENS, *words)))
        self.source = [word for source, _ in sides for word in source]
        self.target = [word for _, target in sides for word in target]


@dataclass(frozen=True)
class Lexicon:
    """The words of every class, cut down to a size: nouns of all genders, verbs, adjectives."""

    size: int

    @property
    def nouns(self) -> tuple[Noun, ...]:
        """As many of each gender."""
        return NOUNS[: len(GENDERS) * self.size]

    @property
    def verbs(self) -> tuple[tuple[str, str, str], ...]:
        """Past, base form and target stem of each."""
        return VERBS[: self.size + 4]

    @property
    def adjectives(self) -> tuple[tuple[str, str], ...]:
        """Word and target stem of each."""
        return ADJECTIVES[: self.size]

    @property
    def predicates(self) -> tuple[tuple[str, str], ...]:
        """Word and target word of each."""
        return PREDICATES[: self.size]

    def entries(self) -> Iterator[Entry]:
        """Give source words and the target words that translate them, in all their forms."""
        yield SMALL_WORDS
        yield PRONOUNS.values(), target_pronouns()
        for det, (stem, numbers) in DETERMINERS.items():
            yield [det], [agree(stem, gender, number) for gender in GENDERS for number in numbers]
        for source, target in PREPOSITIONS:
            yield [source], [target]
        for noun in self.nouns:
            yield noun.source, [agree(noun.stem, noun.gender, number) for number in NUMBERS]
        for past, base, stem in self.verbs:
            yield [past, base], [conjugate(stem, number) for number in NUMBERS]
        for past, stem in COPULAS:
            yield [past], [conjugate(stem, number) for number in NUMBERS]
        for source, stem in self.adjectives:
            yield [source], [agree(stem, g, number) for g in GENDERS for number in NUMBERS]
        for source, target in self.predicates:
            yield [source], [target]

    def words(self) -> Vocabulary:
        """Give every word of both languages."""
        return Vocabulary(self.entries())


LEXICON_SIZES = range(2, len(ADJECTIVES) + 1)


def vocabulary(vocab_size: int) -> Vocabulary:
    """Give the special tokens, then the words of both languages; a word's place is its id.

    Parameters
    ----------
    vocab_size
        The most words that the list may have. A smaller one leaves out nouns, verbs and adjectives.

    Returns
    -------
    Vocabulary
        A list: `SPECIAL_TOKENS`, then each word once. Its `.source` and `.target` are the words of
        either language.

    Raises
    ------
    ValueError
        If not even the smallest lexicon fits.

    Examples
    --------
    >>> vocabulary(300)[:5], len(vocabulary(200)) <= 200
    (['<pad>', '<s>', '</s>', '<unk>', 'did'], True)
    """
    check_types(vocabulary, locals())
    return lexicon_of(vocab_size).words()


def lexicon_of(vocab_size: int) -> Lexicon:
    """Give the largest lexicon whose vocabulary has at most `vocab_size` words."""
    for size in reversed(LEXICON_SIZES):
        if len(Lexicon(size).words()) <= vocab_size:
            return Lexicon(size)
    smallest = len(Lexicon(LEXICON_SIZES[0]).words())
    largest = len(Lexicon(LEXICON_SIZES[-1]).words())
    raise ValueError(
        f"vocab_size={vocab_size} is too small for the grammar, whose smallest vocabulary has "
        f"{smallest} words: choose {smallest} or more ({largest} for all the words)."
    )


def conjugate(stem: str, number: Number) -> str:
    """Let a target verb agree with its subject in number."""
    return stem + ("ava" if number == "singular" else "avan")


def agree(stem: str, gender: str, number: Number) -> str:
    """Give a target noun its ending, and any word that agrees with it the same."""
    return stem + gender + ("s" if number == "plural" else "")


def target_pronouns() -> list[str]:
    """List the target pronouns, one for each gender and number."""
    return [agree(PRONOUN_STEM, gender, number) for gender in GENDERS for number in NUMBERS]
