"""The head that maps atoms in RXNMapper's ALBERT, found by the scoreboard's own counting.

Schwaller et al. (2021), *Extraction of organic chemistry grammar from unsupervised learning of
chemical reactions*, publish which: head 5 (from 0), of the last layers. The reactions below are
common ones, in which what becomes of each atom is beyond doubt. The model's files are those of the
package rxnmapper 0.4.3, which asks for old versions of what we use: fetch and unpack it alone,

    pip download rxnmapper==0.4.3 --no-deps -d rxn && unzip rxn/*.whl -d rxn
    PYTHONPATH=rxn python -m benchmarks.reactions
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch
from transformers import AlbertModel

from regard.evidence.answers import collect_answers
from regard.evidence.readings import Reading
from regard.record.layers import GroupedLayer, Layer
from regard.record.trace import Trace
from regard.record.words import Side
from regard.tracing.run import trace

# atoms, bonds and brackets, as in Schwaller et al. (2019), Molecular Transformer, section 2
TOKEN = re.compile(r"\[[^\]]+\]|Br?|Cl?|>>|%\d\d|[NOSPFIbcnops()=#\-+\\/:~@?*$.\d]")
NAME = "product atom reads its reactant atom"


class Reaction(NamedTuple):
    """A reaction in SMILES, and for each atom of the product the place of its reactant atom."""

    smiles: str
    mapping: list[int]


REACTIONS = (
    # a thiol takes the place of a fluorine
    Reaction("CC(C)S.Fc1ncccc1F>>CC(C)Sc1ncccc1F", [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11]),
    # an amine takes the place of a chlorine, at an acyl group
    Reaction("CCCC(=O)Cl.NCCO>>CCCC(=O)NCCO", [0, 1, 2, 3, 4, 6, 7, 8, 9]),
    # an alcohol takes the place of a bromine
    Reaction("OCCC#N.BrCC=C>>C=CCOCCC#N", [8, 7, 6, 0, 1, 2, 3, 4]),
    # a nitrile becomes an amide
    Reaction("N#Cc1ccncc1Cl.O>>NC(=O)c1ccncc1Cl", [0, 1, 9, 2, 3, 4, 5, 6, 7, 8]),
    # an ester is split
    Reaction("COC(=O)c1ccoc1C.O>>OC(=O)c1ccoc1C", [10, 2, 3, 4, 5, 6, 7, 8, 9]),
    # a ketone is reduced
    Reaction("CCC(=O)c1ccsc1>>CCC(O)c1ccsc1", [0, 1, 2, 3, 4, 5, 6, 7, 8]),
)


def installed_folder() -> Path | None:
    """Find the model's files, where the package is installed or on the path."""
    package = find_spec("rxnmapper")
    if package is None or package.origin is None:
        return None
    return Path(package.origin).parent / "models/transformers/albert_heads_8_uspto_all_1310k"


def shares_of_heads(folder: Path) -> pd.DataFrame:
    """Count how many product atoms read their reactant atom most, of all reactant atoms."""
    model, vocabulary = load(folder)
    traces = (atoms_of(reaction, model, vocabulary) for reaction in REACTIONS)
    table = collect_answers(traces, map(readings, REACTIONS)).per_head()
    return table.sort_values("share", ascending=False, kind="stable", ignore_index=True)


def load(folder: Path) -> tuple[AlbertModel, dict[str, int]]:
    """Load the model, and what its tokens are numbered by."""
    model: Any = AlbertModel.from_pretrained(folder, local_files_only=True)
    tokens = (folder / "vocab.txt").read_text("utf-8").split("\n")
    return model, {token: number for number, token in enumerate(tokens)}


def readings(reaction: Reaction) -> list[Reading]:
    """Say which reactant atom each product atom should read."""
    return [(NAME, "cross", query, key) for query, key in enumerate(reaction.mapping)]


def atoms_of(reaction: Reaction, model: AlbertModel, vocabulary: dict[str, int]) -> Trace:
    """Trace a reaction, and keep how its product atoms read its reactant atoms."""
    tokens = ["[CLS]", *TOKEN.findall(reaction.smiles), "[SEP]"]
    ids = torch.tensor([[vocabulary[token] for token in tokens]])
    seen = trace(ids, model, tokens=tokens)
    arrow = tokens.index(">>")
    atoms = list(atom_places(tokens))
    before, after = ([at for at in atoms if (at > arrow) == is_after] for is_after in (False, True))
    layers: dict[int, Layer] = {
        number: GroupedLayer(replace_kind(layer), [[at] for at in after], [[at] for at in before])
        for number, layer in seen.layers["encoder"].items()
    }
    source, target = (Side.of_names(tokens[at] for at in places) for places in (before, after))
    return Trace(source, target, [], {"cross": layers}, {"cross": len(layers)}, how=seen.how)


def atom_places(tokens: list[str]) -> Iterator[int]:
    """Say where atoms stand: letters, or what is in square brackets, but for [CLS] and [SEP]."""
    for at, token in enumerate(tokens):
        if token not in {"[CLS]", "[SEP]"} and (token.isalpha() or token.startswith("[")):
            yield at


def replace_kind(layer: Any) -> Layer:
    """Let a block of self-attention, from one side to the other, be cross-attention."""
    return replace(layer, kind="cross")
