"""Sentence pairs with gold answers: what a word *should* read is known for every sentence.

Almost every target word depends on a relation between source words, and each sentence pair says
which: `relations` and `alignment` below.
"""

import random
from collections.abc import Callable, Iterator

import pandas as pd

from regard.model.door import check_types
from regard.model.grammar import Relation, SentencePair, draw_sentence_pair
from regard.model.lexicon import NOUNS, VERBS, lexicon_of, vocabulary

# One word changes, and with it the antecedent. No generated sentence has this main clause.
OPENING_PAIR = (
    "the cows did not follow the dog because it seemed weak .",
    "the cows did not follow the dog because they seemed weak .",
)
SHORTEST_WITH_PRONOUN = 10  # "the cow saw the dogs because it seemed weak ."
FIRST_DAY = pd.Timestamp("2017-06-12")  # the day the paper appeared; one sentence pair a minute


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
    check_types(generate_synthetic_data, locals())
    if num_sentences < 1:
        raise ValueError(f"num_sentences must be at least 1, but is {num_sentences}.")
    if max_length < SHORTEST_WITH_PRONOUN:
        raise ValueError(
            f"max_length={max_length} leaves no room for a sentence with a pronoun: "
            f"choose {SHORTEST_WITH_PRONOUN} words or more."
        )
    lexicon = lexicon_of(vocab_size)
    ids = {word: i for i, word in enumerate(vocabulary(vocab_size))}
    rng = random.Random(int(seed))

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
