"""Many sentence pairs, and what a reader of their source says of them."""

import pandas as pd
import pytest

from regard.model.pairs import generate_synthetic_data
from tests.model.source_reader import Reader


@pytest.fixture(scope="session")
def pairs() -> pd.DataFrame:
    return generate_synthetic_data(num_sentences=3000, vocab_size=300, max_length=24, seed=1)


@pytest.fixture(scope="session")
def readers(pairs: pd.DataFrame) -> list[Reader]:
    return [Reader(text) for text in pairs["source"]]
