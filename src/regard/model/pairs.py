"""Two small languages with gold answers: what a word *should* read is known for every sentence.

The source is English-like: subject, verb, object. The target is made up, with Romance stems and
the verb last, and its determiners, adjectives, verbs and pronouns agree with a noun in gender and
number. So almost every target word depends on a relation between source words, and each sentence
pair says which: `relations` and `alignment` below.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

import pandas as pd

GENDERS = ("o", "a", "e")  # three, arbitrary; each is the vowel that its words end in
Number = Literal["singular", "plural"]
NUMBERS: tuple[Number, ...] = get_args(Number)
CATEGORIES = ("statement", "reason after", "reason before")
RELATIONS = (
    "determiner-noun",
    "adjective-noun",
    "verb-subject",
    "verb-object",
    "pronoun-antecedent",
    "pronoun-predicate",  # only where meaning decides: see `regard.model.meaning`
)
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
SMALL_WORDS = (*("did", "not", "because", "very", ",", "."), *("no", "quar", "multo"))

# One word changes, and with it the antecedent. No generated sentence has this main clause.
OPENING_PAIR = (
    "the cows did not follow the dog because it seemed weak .",
    "the cows did not follow the dog because they seemed weak .",
)
SHORTEST_WITH_PRONOUN = 10  # "the cow saw the dogs because it seemed weak ."
FIRST_DAY = pd.Timestamp("2017-06-12")  # the day the paper appeared; one sentence pair a minute


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

    def words(self) -> Iterator[str]:
        """Every word of both languages, some twice."""
        yield from SMALL_WORDS
        yield from PRONOUNS.values()
        yield from target_pronouns()
        for source, (stem, numbers) in DETERMINERS.items():
            yield source
            yield from (agree(stem, gender, number) for gender in GENDERS for number in numbers)
        for source, target in PREPOSITIONS:
            yield from (source, target)
        for noun in self.nouns:
            yield from (*noun.source, *(agree(noun.stem, noun.gender, n) for n in NUMBERS))
        for past, base, stem in self.verbs:
            yield from (past, base, *(conjugate(stem, number) for number in NUMBERS))
        for past, stem in COPULAS:
            yield from (past, *(conjugate(stem, number) for number in NUMBERS))
        for source, stem in self.adjectives:
            yield source
            yield from (agree(stem, gender, number) for gender in GENDERS for number in NUMBERS)
        for source, target in self.predicates:
            yield from (source, target)


LEXICON_SIZES = range(2, len(ADJECTIVES) + 1)


def vocabulary(vocab_size: int) -> list[str]:
    """Give the special tokens, then the words of both languages; a word's place is its id.

    Parameters
    ----------
    vocab_size
        The most words that the list may have. A smaller one leaves out nouns, verbs and adjectives.

    Returns
    -------
    list of str
        `SPECIAL_TOKENS`, then each word once.

    Raises
    ------
    ValueError
        If not even the smallest lexicon fits.

    Examples
    --------
    >>> vocabulary(300)[:5], len(vocabulary(200)) <= 200
    (['<pad>', '<s>', '</s>', '<unk>', 'did'], True)
    """
    return _words_of(lexicon_of(vocab_size))


def _words_of(lexicon: Lexicon) -> list[str]:
    return list(dict.fromkeys((*SPECIAL_TOKENS, *lexicon.words())))


def lexicon_of(vocab_size: int) -> Lexicon:
    """Give the largest lexicon whose vocabulary has at most `vocab_size` words."""
    for size in reversed(LEXICON_SIZES):
        if len(_words_of(Lexicon(size))) <= vocab_size:
            return Lexicon(size)
    smallest = len(_words_of(Lexicon(LEXICON_SIZES[0])))
    largest = len(_words_of(Lexicon(LEXICON_SIZES[-1])))
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


class Relation(NamedTuple):
    """One gold answer: of which kind, which source word should read, and which it should read."""

    name: str
    reader: int
    read: int


class Aligned(NamedTuple):
    """A target word, and the position of the source word that it translates."""

    word: str
    position: int


@dataclass
class Phrase:
    """A noun phrase that was said: its target words, and what other words agree with."""

    target: list[Aligned]
    head: int
    noun: Noun
    number: Number


@dataclass
class Draft:
    """A source sentence under way, said word by word; the target follows from what was said."""

    lexicon: Lexicon
    rng: random.Random
    source: list[str] = field(default_factory=list)
    relations: list[Relation] = field(default_factory=list)

    def say(self, word: str) -> int:
        """Add a source word and give its position."""
        self.source.append(word)
        return len(self.source) - 1

    def relate(self, name: str, reader: int, read: int) -> None:
        """Note a gold answer."""
        self.relations.append(Relation(name, reader, read))

    def noun_phrase(self, noun: Noun, number: Number) -> Phrase:
        """Say *the (small) dog*; the target is *lo cano (parvo)*."""
        rng = self.rng
        fitting = [word for word, (_, numbers) in DETERMINERS.items() if number in numbers]
        det = rng.choice(["the", *fitting])  # "the" twice as often
        det_at = self.say(det)
        adjective = rng.choice(self.lexicon.adjectives) if rng.random() < 0.3 else None
        adjective_at = self.say(adjective[0]) if adjective else -1
        head = self.say(noun.source[NUMBERS.index(number)])
        self.relate("determiner-noun", det_at, head)
        stems = [(DETERMINERS[det][0], det_at), (noun.stem, head)]
        if adjective:
            self.relate("adjective-noun", adjective_at, head)
            stems.append((adjective[1], adjective_at))
        target = [Aligned(agree(stem, noun.gender, number), at) for stem, at in stems]
        return Phrase(target, head, noun, number)

    def with_distractor(self, phrase: Phrase, distractor: Noun) -> Phrase:
        """Say *... near the fox* after a noun phrase: a third noun, of any number."""
        preposition, target_preposition = self.rng.choice(PREPOSITIONS)
        at = self.say(preposition)
        other = self.noun_phrase(distractor, self.rng.choice(NUMBERS))
        target = [*phrase.target, Aligned(target_preposition, at), *other.target]
        return Phrase(target, phrase.head, phrase.noun, phrase.number)

    def main_clause(
        self, nouns: list[Noun], numbers: tuple[Number, Number]
    ) -> tuple[list[Aligned], Phrase, Phrase]:
        """Say *the dog (did not) follow(ed) the cows*; the target puts the verb last."""
        rng = self.rng
        subject = self.noun_phrase(nouns[0], numbers[0])
        if rng.random() < 0.3:
            subject = self.with_distractor(subject, nouns[2])
        past, base, stem = rng.choice(self.lexicon.verbs)
        negated = rng.random() < 0.5
        if negated:
            self.say("did")
            not_at = self.say("not")
        verb = self.say(base if negated else past)
        verb_phrase = [Aligned(conjugate(stem, subject.number), verb)]
        if negated:
            verb_phrase = [Aligned("no", not_at), *verb_phrase]
        obj = self.noun_phrase(nouns[1], numbers[1])
        self.relate("verb-subject", verb, subject.head)
        self.relate("verb-object", verb, obj.head)
        return [*subject.target, *obj.target, *verb_phrase], subject, obj

    def reason_clause(self, number: Number, gender: str) -> tuple[list[Aligned], int]:
        """Say *because it seemed (very) weak*; give the target and the pronoun's position."""
        rng = self.rng
        because = self.say("because")
        pronoun = self.say(PRONOUNS[number])
        past, stem = rng.choice(COPULAS)
        copula = self.say(past)
        very = self.say("very") if rng.random() < 0.3 else -1
        source, target_predicate = rng.choice(self.lexicon.predicates)
        predicate = self.say(source)
        self.relate("verb-subject", copula, pronoun)
        target = [
            Aligned("quar", because),
            Aligned(agree(PRONOUN_STEM, gender, number), pronoun),
            *([Aligned("multo", very)] if very >= 0 else []),
            Aligned(target_predicate, predicate),
            Aligned(conjugate(stem, number), copula),
        ]
        return target, pronoun


class SentencePair(NamedTuple):
    """A source sentence, its translation, and the gold answers."""

    category: str
    source: list[str]
    target: list[Aligned]
    relations: list[Relation]

    @property
    def difficulty(self) -> float:
        """How far apart in words the two ends of its relations stand, on average."""
        return sum(abs(r.reader - r.read) for r in self.relations) / len(self.relations)


def draw_sentence_pair(lexicon: Lexicon, rng: random.Random) -> SentencePair:
    """Draw one sentence pair; its subject and object differ in number where a pronoun follows."""
    draft = Draft(lexicon, rng)
    category = rng.choices(CATEGORIES, weights=(15, 55, 30))[0]
    nouns = rng.sample(lexicon.nouns, 3)
    subject_number = rng.choice(NUMBERS)
    if category == "statement":
        target, _, _ = draft.main_clause(nouns, (subject_number, rng.choice(NUMBERS)))
    else:
        other_number: Number = "plural" if subject_number == "singular" else "singular"
        numbers = (subject_number, other_number)
        role = rng.choice((0, 1))  # is the subject or the object what the pronoun stands for?
        reason = (numbers[role], nouns[role].gender)
        if category == "reason after":
            target, *phrases = draft.main_clause(nouns, numbers)
            because, pronoun = draft.reason_clause(*reason)
            target = [*target, *because]
        else:
            because, pronoun = draft.reason_clause(*reason)
            comma = Aligned(",", draft.say(","))
            target, *phrases = draft.main_clause(nouns, numbers)
            target = [*because, comma, *target]
        draft.relate("pronoun-antecedent", pronoun, phrases[role].head)
    target.append(Aligned(".", draft.say(".")))
    return SentencePair(category, draft.source, target, draft.relations)


def gold_readings(pair: pd.Series) -> list[tuple[str, str, int, int]]:
    """Say what the attention of a model should read: (name, kind of attention, query, key).

    The relations are about the encoder, where both words are source words; *it* and *they* are told
    apart, since different heads may read them. The alignment is about cross-attention, where row t
    is the target position that writes target word t.

    Examples
    --------
    >>> pairs = generate_synthetic_data(num_sentences=9, vocab_size=300, max_length=20)
    >>> pairs.loc[7, "source"]
    'the cat near the goats followed the mole .'
    >>> gold_readings(pairs.loc[7])[3]
    ('verb reads its subject', 'encoder', 5, 1)
    """
    words = pair["source"].split()
    readings = [
        (reading_name(relation, words), "encoder", relation.reader, relation.read)
        for relation in pair["relations"]
    ]
    aligned = [
        ("target word reads its source", "cross", t, s) for t, s in enumerate(pair["alignment"])
    ]
    return [*readings, *aligned]


def pronoun_edges(relations: list[Relation]) -> dict[str, tuple[int, int]]:
    """Give the edges from a sentence's pronoun to what it should read, and to the other noun.

    The other noun is the subject or object of the main clause that the pronoun does not stand for.

    Parameters
    ----------
    relations
        Of a sentence with one pronoun.

    Returns
    -------
    dict
        (pronoun, word) by what the word is, in positions of the source: "its antecedent", "the
        other noun" and, where meaning decides, "its predicate".

    Examples
    --------
    >>> pairs = generate_synthetic_data(num_sentences=9, vocab_size=300, max_length=20)
    >>> pairs.loc[4, "source"]
    'the frog did not lead the turtles because it seemed strange .'
    >>> pronoun_edges(pairs.loc[4, "relations"])
    {'its antecedent': (8, 1), 'the other noun': (8, 6)}
    """
    edges = {
        f"its {r.name.removeprefix('pronoun-')}": (r.reader, r.read)
        for r in relations
        if r.name.startswith("pronoun-")
    }
    pronoun, antecedent = edges["its antecedent"]
    nouns = {r.read for r in relations if r.name in ("verb-subject", "verb-object")}
    (other,) = nouns - {pronoun, antecedent}
    return {**edges, "the other noun": (pronoun, other)}


def reading_name(relation: Relation, words: list[str]) -> str:
    """Name a relation as something that a head does: *it reads its antecedent*."""
    reader, read = relation.name.split("-")
    if reader == "pronoun":
        reader = words[relation.reader]
    return f"{reader} reads its {read}"


def has_opening_clause(source: list[str]) -> bool:
    """Say whether a sentence has the main clause of the opening pair, whatever is added to it."""
    nouns = {form for noun in NOUNS for form in noun.source}
    verbs = {base for _past, base, _stem in VERBS}
    return (nouns | verbs).intersection(OPENING_PAIR[0].split()) <= set(source)


def generate_synthetic_data(
    num_sentences: int, vocab_size: int, max_length: int, *, seed: int = 0
) -> pd.DataFrame:
    """Draw sentence pairs of the two languages, all different, with their gold answers.

    Parameters
    ----------
    num_sentences
        How many pairs.
    vocab_size
        The most words of the joint vocabulary, special tokens included; see `vocabulary`.
    max_length
        The most words that a source or target sentence may have.
    seed
        Decides everything.

    Returns
    -------
    pandas.DataFrame
        One sentence pair a row: `key`; `source` and `target` text; `source_ids` and `target_ids`,
        the ids of its words in `vocabulary(vocab_size)`; `length`, the words of the source;
        `category`, one of `CATEGORIES`; `difficulty`, the mean distance in words between the ends
        of its relations; `time`, one pair a minute; `alignment`, for each target word the position
        of the source word it translates; `relations`, a list of `Relation`, by source positions.

    Raises
    ------
    ValueError
        If the grammar does not fit `vocab_size` or `max_length`, or has too few sentences.

    Notes
    -----
    `OPENING_PAIR` never occurs, nor any sentence with its main clause.

    Examples
    --------
    >>> pairs = generate_synthetic_data(num_sentences=100, vocab_size=300, max_length=20)
    >>> pairs.loc[4, "source"]
    'the frog did not lead the turtles because it seemed strange .'
    >>> pairs.loc[4, "target"]
    'la rana los tortugos no menava quar ela estran semblava .'
    """
    if num_sentences < 1:
        raise ValueError(f"num_sentences must be at least 1, but is {num_sentences}.")
    if max_length < SHORTEST_WITH_PRONOUN:
        raise ValueError(
            f"max_length={max_length} leaves no room for a sentence with a pronoun: "
            f"choose {SHORTEST_WITH_PRONOUN} words or more."
        )
    lexicon = lexicon_of(vocab_size)
    ids = {word: i for i, word in enumerate(_words_of(lexicon))}
    rng = random.Random(seed)

    def is_wanted(pair: SentencePair) -> bool:
        longest = max(len(pair.source), len(pair.target))
        return longest <= max_length and not has_opening_clause(pair.source)

    pairs = draw_distinct(num_sentences, lambda: draw_sentence_pair(lexicon, rng), is_wanted)
    return pd.DataFrame([row_of(key, pair, ids) for key, pair in enumerate(pairs)])


def draw_distinct(
    num_sentences: int,
    draw: Callable[[], SentencePair],
    is_wanted: Callable[[SentencePair], bool],
) -> Iterator[SentencePair]:
    """Draw until there are enough different pairs that are wanted."""
    seen: set[str] = set()
    failures = 0
    while len(seen) < num_sentences:
        pair = draw()
        text = " ".join(pair.source)
        if text in seen or not is_wanted(pair):
            failures += 1
            if failures > 10_000:  # in a row: the grammar has said it all
                raise ValueError(
                    f"The grammar has too few sentences: found {len(seen)} different ones that "
                    f"are not too long, not {num_sentences}. Ask for fewer sentences, or for a "
                    "larger vocab_size or max_length."
                )
            continue
        failures = 0
        seen.add(text)
        yield pair


def row_of(key: int, pair: SentencePair, ids: dict[str, int]) -> dict[str, object]:
    """Give the columns of one sentence pair; `ids` gives each word's id."""
    target = [aligned.word for aligned in pair.target]
    return {
        "key": key,
        "source": " ".join(pair.source),
        "target": " ".join(target),
        "source_ids": [ids[word] for word in pair.source],
        "target_ids": [ids[word] for word in target],
        "length": len(pair.source),
        "category": pair.category,
        "difficulty": pair.difficulty,
        "time": FIRST_DAY + pd.Timedelta(minutes=key),
        "alignment": [aligned.position for aligned in pair.target],
        "relations": pair.relations,
    }
