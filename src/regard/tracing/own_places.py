"""Places that someone gives to the tokens of a model of their own."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from regard.record.door import described, whole_number
from regard.record.places import Box, Media, Place, Stretch
from regard.record.regrouping import sides_of
from regard.record.trace import Trace, a_trace
from regard.tracing.held import pixels_of, samples_of, several


def grid(rows: int, columns: int, over: Any) -> list[Box]:
    """Cut a picture into patches of one size, row by row.

    Parameters
    ----------
    rows, columns
        How many patches lie above and beside each other.
    over
        The picture, as `trace` takes it; or the Box of it that the model saw, where transforms cut
        out a part.

    Returns
    -------
    list of Box
        Each patch's, in pixels of the picture: the first row from left to right, then the next.

    Raises
    ------
    TypeError
        If a number is no whole number, or `over` is neither a picture nor a Box.
    ValueError
        If there is no row or column, or the Box has no area.

    Examples
    --------
    >>> grid(1, 2, over=Box(0, 8, 0, 40, 32))
    [Box(picture=0, left=8.0, top=0.0, right=24.0, bottom=32.0), \
Box(picture=0, left=24.0, top=0.0, right=40.0, bottom=32.0)]
    """
    for name, count in (("rows", rows), ("columns", columns)):
        if whole_number(name, count) < 1:
            raise ValueError(f"A grid has at least one of its {name}, but got {name}={count}.")
    if not isinstance(over, Box):
        height, width, _ = pixels_of(over).shape
        over = Box(0, 0, 0, width, height)
    wide, high = over.right - over.left, over.bottom - over.top
    if wide <= 0 or high <= 0:
        raise ValueError(f"A grid lies over a Box that has an area, but got {over}.")
    lefts = [over.left + wide * at / columns for at in range(columns + 1)]
    tops = [over.top + high * at / rows for at in range(rows + 1)]
    return [
        Box(over.picture, lefts[column], tops[row], lefts[column + 1], tops[row + 1])
        for row in range(rows)
        for column in range(columns)
    ]


def place(
    seen: Trace,
    places: Iterable[Place | None],
    *,
    images: Any = None,
    sound: Any = None,
    kind: str | None = None,
) -> Trace:
    """Say where the tokens of a model of one's own lie, in pictures or in a sound.

    Of a model that has a processor, `trace` asks that.

    Parameters
    ----------
    seen
        From `trace`, of tensors.
    places
        For each token that is read, special ones included, its Box, its Stretch of seconds, or None
        where it lies nowhere, as a class token and registers do: `[None, *grid(14, 14, picture)]`.
    images
        The picture that the model saw, or several, as `trace` takes them; those that the trace has
        already, if not given.
    sound
        What it heard: (samples, rate), or the path of a .wav file.
    kind
        Whose keys these tokens are: one of `.kinds`; the first, if not given. They have their
        places wherever they read or are read.

    Returns
    -------
    Trace
        The same, with places.

    Raises
    ------
    TypeError
        If `seen` is no trace, a place is none, or a picture is none.
    ValueError
        If there are not as many places as tokens, there is no such kind, or a Box lies outside of
        its picture, or a Stretch outside of the sound.

    Examples
    --------
    >>> import numpy as np
    >>> seen = Trace.from_weights([[0.2, 0.5, 0.3]] * 3, tokens=["[CLS]", "left", "right"])
    >>> picture = np.zeros((8, 16), dtype=np.uint8)
    >>> seen = place(seen, [None, *grid(1, 2, picture)], images=picture)
    >>> seen.source.places[1:]
    [Box(picture=0, left=0.0, top=0.0, right=8.0, bottom=8.0), \
Box(picture=0, left=8.0, top=0.0, right=16.0, bottom=8.0)]
    """
    kind = a_trace(seen).kind_or_first(kind)
    media = seen.media if images is None else replace(seen.media, pictures=tuple(several(images)))
    if sound is not None:
        samples, rate = samples_of(sound)
        media = replace(media, sound=samples, rate=rate)
    _, columns = sides_of(seen, kind)
    listed = _checked(places, len(columns.tokens), media)
    placed = replace(columns, places=listed)
    source, target = (placed if side is columns else side for side in (seen.source, seen.target))
    sides = {
        name: (placed if rows is columns else rows, placed if keys is columns else keys)
        for name, (rows, keys) in seen.sides.items()
    }
    return replace(seen, source=source, target=target, sides=sides, media=media)


def _checked(places: Any, count: int, media: Media) -> list[Place | None]:
    """Take a place for each of so many tokens, or say what is wrong with them."""
    if isinstance(places, str | Box | Stretch) or not isinstance(places, Iterable):
        raise TypeError(
            f"places is a list with a place for each token that is read, but got "
            f"{described(places)}: pass such as [None, *regard.grid(14, 14, picture)]."
        )
    listed = list(places)
    if len(listed) != count:
        raise ValueError(
            f"places has {len(listed)} places, but {count} tokens are read: give one for each, and "
            "None for class tokens, registers and words."
        )
    for at, place in enumerate(listed):
        if not isinstance(place, Box | Stretch | None):
            raise TypeError(
                f"The place of token {at} is a Box, a Stretch or None, but got {described(place)}."
            )
        if place is not None and not _lies_in(place, media):
            raise ValueError(
                f"The place of token {at}, {place}, lies outside of {_said(media)}: pass what the "
                "model saw by images=, or heard by sound=; boxes are in pixels of that picture."
            )
    return listed


def _lies_in(place: Place, media: Media) -> bool:
    """Say whether any of a place is there."""
    if isinstance(place, Stretch):
        seconds = 0.0 if media.sound is None else len(media.sound) / media.rate
        return 0 <= place.start < place.end and place.start < seconds
    if not 0 <= place.picture < len(media.pictures):
        return False
    height, width, _ = media.pictures[place.picture].shape
    across = max(place.left, 0) < min(place.right, width)
    return across and max(place.top, 0) < min(place.bottom, height)


def _said(media: Media) -> str:
    sizes = [f"{pixels.shape[1]} x {pixels.shape[0]} pixels" for pixels in media.pictures]
    if media.sound is not None:
        sizes.append(f"{len(media.sound) / media.rate:.3g} seconds of sound")
    return ", ".join(sizes) or "the trace, which has no picture and no sound"
