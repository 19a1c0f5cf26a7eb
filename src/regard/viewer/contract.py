"""What Python and the view say to each other: the same names as in `frontend/src/contract.ts`.

A test compares the two, field by field.
"""

from typing import Literal, NotRequired, TypedDict

Raw = bytes  # a field has that name


class Words(TypedDict):
    """A group of tokens for each word."""

    names: list[str]
    groups: list[list[int]]


class Side(TypedDict):
    """What tokens are called, what makes a word, and where each lies.

    A place is a picture's number and a box in its pixels, or a start and an end in seconds.
    """

    names: list[str]
    special: list[bool]
    words: Words | None
    places: list[tuple[int, float, float, float, float] | tuple[float, float] | None] | None


class GivenPicture(TypedDict):
    """A picture that a model saw: its size as it was given, and a smaller one as a data URL."""

    width: int
    height: int
    data: str


class GivenSound(TypedDict):
    """A sound that a model heard: the peaks of even parts, and a WAV if that is small enough."""

    rate: int
    seconds: float
    envelope: list[float]
    data: str | None


class Layer(TypedDict):
    """One layer: which side reads and which is read, and which of the spans says what is masked.

    The path is that of the module that attended, empty if it is not known.
    """

    number: int
    path: str
    heads: list[int]
    rows: int
    columns: int
    shape: tuple[int, int]
    spans: int


class Kind(TypedDict):
    """The layers of one kind; the measures of each head, layer by layer."""

    name: str
    title: str
    layers: list[Layer]
    measures: dict[str, list[float | None]]


class Meta(TypedDict):
    """All that is known before a head is opened."""

    format: int
    sides: list[Side]
    spans: list[list[int]]
    kinds: list[Kind]
    thumbnail: int
    looked: bool
    writes: bool
    hidden: bool
    opened: str
    origin: dict[str, str]
    pictures: list[GivenPicture]
    sound: GivenSound | None


class Selection(TypedDict):
    """The head that is shown."""

    kind: str
    layer: int
    head: int


class Focus(TypedDict):
    """Tokens of one side, summed where they are several: some rows or some columns."""

    role: Literal["rows", "columns"]
    ats: list[int]


class Look(TypedDict):
    """How heads are looked at, whichever is chosen: all that is saved with a view.

    The colours' largest weight, if all heads share one; the measure by which heads are sorted, and
    whether the lowest come first; the tokens and the cell that were clicked; how near, and which
    row and column are in the upper left corner; heads that are compared, "beside" each other or as
    their "mean", the "largest" of each weight or the "difference" of the first two; of the weights,
    the least that is drawn and the most of each row (0: all); one sentence that reads another; and
    what is given token by token in text and lines, such as "picture 1", not as one item; and of
    which patches weights are drawn, where some lie over others (tiles, and the whole).
    """

    words: bool
    hide: bool
    log: bool
    common: float | None
    measure: str
    rising: bool
    locked: Focus | None
    cell: tuple[int, int] | None
    zoom: float
    corner: tuple[float, float]
    pins: list[Selection]
    together: Literal["beside", "mean", "largest", "difference"]
    least: float
    most: int
    pair: tuple[int, int] | None
    unfolded: list[str]
    level: int


class Weights(TypedDict):
    """The weights of the head that is shown, or their pixels: (byte / 255) ** power * scale.

    What each row reads in all, and then what each column gets, are float32.
    """

    kind: str
    layer: int
    head: int
    pixels: tuple[int, int]
    scale: float
    power: int
    bytes: Raw
    sums: Raw


class Anatomy(TypedDict):
    """What makes one weight; a score of None is minus infinity."""

    query_token: str
    key_token: str
    query: list[float]
    key: list[float]
    dot: float
    scale: float
    bias: float
    softcap: float | None
    score: float | None
    log_sum: float
    sink: float | None
    weight: float
    num_keys: int


class ExactReply(TypedDict):
    """The exact weight of a cell, and its place among the columns that are shown of its row."""

    weight: float
    rank: int


class TileReply(TypedDict):
    """A part of a map: pixels that travel as bytes beside it."""

    pixels: tuple[int, int]
    scale: float
    power: int


class StrongestReply(TypedDict):
    """What some tokens read most, or are read most by: places and sums.

    Of a map, the sums of all travel beside it, as float32.
    """

    found: list[tuple[int, float]]
    sum: float


class Off(TypedDict):
    """By how much a number of the query, one of the key, and q k^T may be off, at most."""

    query: float
    key: float
    dot: float


class AnatomyReply(TypedDict):
    """Why a weight is what it is, or why nobody can tell; without `off`, it is exact."""

    anatomy: NotRequired[Anatomy]
    off: NotRequired[Off]
    why_not: NotRequired[str]


class HeadReply(TypedDict):
    """Weights of a head that is not the chosen one; its bytes and sums travel beside it."""

    pixels: tuple[int, int]
    scale: float
    power: int


class VariantReply(TypedDict):
    """Of words, or without special tokens: measures of each kind; thumbnails travel beside."""

    measures: dict[str, dict[str, list[float | None]]]


class TableReply(TypedDict):
    """The weights that are shown of a head, as CSV."""

    text: str


class ProblemReply(TypedDict):
    """Something went wrong; the view shows the text."""

    answer: str
    text: str


Reply = (
    ExactReply | TileReply | StrongestReply | AnatomyReply | HeadReply | VariantReply | TableReply
)
