"""What a frame of sentence pairs must look like; a row that is broken is named with its reason."""

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import pandera.pandas as pa

from regard.model.grammar import CATEGORIES, RELATIONS
from regard.model.lexicon import SPECIAL_TOKENS

ROWS_TO_NAME = 5


def validate_sentences(sentences: pd.DataFrame, vocabulary: Sequence[str]) -> pd.DataFrame:
    """Give the sentence pairs back as they are, or say which rows are broken, and why.

    Parameters
    ----------
    sentences
        A frame as `generate_synthetic_data` gives it, one sentence pair a row.
    vocabulary
        Its words, special tokens first; a word's place is its id.

    Returns
    -------
    pandas.DataFrame
        The same object.

    Raises
    ------
    ValueError
        If a column is missing, unknown or of another type, or a row breaks a rule of
        `sentence_schema`. The message names the rows by place and key.

    Notes
    -----
    All rules are checked before anything is raised: pandera's lazy validation.

    Examples
    --------
    >>> from regard.model.pairs import generate_synthetic_data
    >>> from regard.model.lexicon import vocabulary
    >>> pairs = generate_synthetic_data(num_sentences=9, vocab_size=300, max_length=20)
    >>> validate_sentences(pairs, vocabulary(300)) is pairs
    True
    >>> pairs.loc[2, "difficulty"] = -1.0
    >>> validate_sentences(pairs, vocabulary(300))
    Traceback (most recent call last):
    ValueError: 1 of 9 sentence pairs is broken:
      row 2 (key 2): difficulty must be positive, but is -1.0
    Mend or drop it, or draw the sentence pairs again with `generate_synthetic_data`.
    """
    rows = sentences.reset_index(drop=True)  # a row is named by its place: labels may repeat
    try:
        sentence_schema(vocabulary).validate(rows, lazy=True)
    except pa.errors.SchemaErrors as errors:
        raise ValueError(describe_failures(rows, errors.failure_cases)) from None
    return sentences


def sentence_schema(words: Sequence[str]) -> pa.DataFrameSchema:
    """Say what each column holds. Every rule starts with the name of the column it is about."""
    word_ids = range(len(SPECIAL_TOKENS), len(words))

    def are_words(ids: object) -> bool:
        return are_inside(ids, word_ids)

    def say(text: str, ids: list[int]) -> bool:
        return text == " ".join(words[i] for i in ids)

    ids = f"must be a list of ids of words, {word_ids.start} to {word_ids.stop - 1}"
    categories, names = ", ".join(CATEGORIES), ", ".join(RELATIONS)
    return pa.DataFrameSchema(
        {
            "key": pa.Column(int, unique=True),
            "source": pa.Column(str, unique=True),
            "target": pa.Column(str),
            "source_ids": pa.Column(object, each(f"source_ids {ids}", are_words)),
            "target_ids": pa.Column(object, each(f"target_ids {ids}", are_words)),
            "length": pa.Column(int),
            "category": pa.Column(
                str, pa.Check.isin(CATEGORIES, error=f"category must be one of {categories}")
            ),
            "difficulty": pa.Column(float, pa.Check.gt(0, error="difficulty must be positive")),
            "time": pa.Column(
                pa.DateTime, pa.Check(advances, error="time must be later than in the row before")
            ),
            "alignment": pa.Column(object),
            "relations": pa.Column(
                object, each(f"relations must be (name, reader, read), names of {names}", are_named)
            ),
        },
        checks=[
            each("source must be the words of source_ids", say, "source", "source_ids"),
            each("target must be the words of target_ids", say, "target", "target_ids"),
            each("length must count source_ids", are_as_many, "length", "source_ids"),
            each(
                "alignment must give each of target_ids a position in the source",
                align,
                *("alignment", "target_ids", "source_ids"),
            ),
            each("relations must lie in the source", lie_inside, "relations", "source_ids"),
        ],
        strict=True,  # no other columns
    )


def are_as_many(length: int, source_ids: list[int]) -> bool:
    """Say whether the length is the number of source words."""
    return length == len(source_ids)


def align(alignment: list[int], target_ids: list[int], source_ids: list[int]) -> bool:
    """Say whether each target word has a position in the source."""
    positions = range(len(source_ids))
    return len(alignment) == len(target_ids) and are_inside(alignment, positions)


def are_named(relations: list[tuple[str, int, int]]) -> bool:
    """Say whether each relation is one of `RELATIONS`."""
    return all(name in RELATIONS for name, _reader, _read in relations)


def lie_inside(relations: list[tuple[str, int, int]], source_ids: list[int]) -> bool:
    """Say whether each relation is between words of the source."""
    positions = range(len(source_ids))
    return all(are_inside([reader, read], positions) for _name, reader, read in relations)


def advances(time: pd.Series) -> pd.Series:
    """Say of each time whether it is later than the one before."""
    return ~(time.diff() <= pd.Timedelta(0))


def are_inside(numbers: object, limits: range) -> bool:
    """Say whether this is a list of whole numbers within the limits."""
    return isinstance(numbers, list) and all(type(i) is int and i in limits for i in numbers)


def each(rule: str, holds: Callable[..., bool], *columns: str) -> pa.Check:
    """Make a check of a column's values one by one, or of several columns' values row by row."""

    def check(values: Any) -> pd.Series:
        several = zip(*(values[name] for name in columns), strict=True)
        rows = several if columns else ((value,) for value in values)
        return pd.Series([is_true(holds, row) for row in rows], index=values.index, dtype=bool)

    return pa.Check(check, error=rule)


def is_true(holds: Callable[..., bool], row: tuple[object, ...]) -> bool:
    """Say whether a rule holds; values so broken that it cannot be asked break it."""
    try:
        return holds(*row)
    except (TypeError, ValueError, IndexError):
        return False


def describe_failures(rows: pd.DataFrame, failures: pd.DataFrame) -> str:
    """Put pandera's failure cases into words: what is broken, what was got, what to do."""
    again = "draw the sentence pairs again with `generate_synthetic_data`."
    of_columns = failures[failures["check"].str.startswith(("column_in_", "dtype("))]
    if len(of_columns):
        reasons = dict.fromkeys(reason(failure, rows) for failure in of_columns.itertuples())
        return f"The columns are wrong: {'; '.join(reasons)}. Select or convert them, or {again}"
    broken = sorted(set(failures["index"].dropna().astype(int)))
    are, them = ("is", "it") if len(broken) == 1 else ("are", "them")
    lines = [f"{len(broken)} of {len(rows)} sentence pairs {are} broken:"]
    for row in broken[:ROWS_TO_NAME]:
        of_row = failures[failures["index"] == row]
        # where a column is broken in itself, how it fits the others says nothing new
        own = of_row[of_row["schema_context"] == "Column"]
        told = own if len(own) else of_row[of_row["column"] == of_row["check"].str.split().str[0]]
        reasons = dict.fromkeys(reason(failure, rows) for failure in told.itertuples())
        lines.append(f"  row {row} (key {rows['key'].iloc[row]}): {'; '.join(reasons)}")
    if len(broken) > ROWS_TO_NAME:
        lines.append(f"  and {len(broken) - ROWS_TO_NAME} more")
    return "\n".join([*lines, f"Mend or drop {them}, or {again}"])


def reason(failure: Any, rows: pd.DataFrame) -> str:
    """Give the reason of one failure case, and what was got."""
    column, rule, got = failure.column, failure.check, failure.failure_case
    if rule == "column_in_dataframe":
        return f"{got} is missing"
    if rule == "column_in_schema":
        return f"{got} is unknown"
    if rule.startswith("dtype("):
        return f"{column} must be {rule[7:-2]}, but is {rows[column].dtype}"
    if rule == "not_nullable":
        return f"{column} is missing"
    if rule == "field_uniqueness":
        return f"{column} must occur once, but {got!r} occurs again"
    return f"{rule}, but is {got!r}"
