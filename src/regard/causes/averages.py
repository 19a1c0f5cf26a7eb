"""What heads write on average, over the tokens of a reference that are no padding."""

from collections.abc import Collection, Mapping

import torch
from torch import Tensor

from regard.tracing.calls import Call

Place = tuple[str, int]  # a kind and a layer
Means = Mapping[Place, Tensor]  # what each head writes on average: (h, d_v), or (T, h, d_v)


class Averages:
    """Adds up what heads write, call by call.

    Padding is what no query may read. The queries of cross-attention are the decoder's tokens, of
    which its own attention, before, said which may be read.

    Parameters
    ----------
    of_cross
        Is there cross-attention among the layers?
    by_position
        Is each position averaged for itself, over the sentences?
    """

    def __init__(self, *, of_cross: bool, by_position: bool) -> None:
        self._of_cross = of_cross
        self._by_position = by_position
        self._sums: dict[Place, Tensor] = {}
        self._counts: dict[Place, Tensor] = {}
        self._decoders: Tensor | None = None  # which of its tokens may be read: (B or 1, T)

    @property
    def places(self) -> set[Place]:
        """What was averaged."""
        return set(self._sums)

    def note(self, call: Call, places: Collection[Place]) -> None:
        """Add what one call wrote to the layers that it is."""
        if self._of_cross and call.address.kind == "decoder":
            self._decoders = call.is_read()
        if not places:
            return
        output = call.output().double()  # (B, T, h, d_v)
        is_word = self._words(call, output)[..., None, None]  # (B, T, 1, 1)
        over = (0,) if self._by_position else (0, 1)
        for place in places:
            before = self._sums.get(place)
            if self._by_position and before is not None and len(before) != output.size(1):
                raise ValueError(
                    'The mode "position mean" averages sentences of one template, all of one '
                    f"length, but the reference has some of {len(before)} tokens and some of "
                    f'{output.size(1)}: pad them alike, or choose the mode "mean".'
                )
            self._sums[place] = (output * is_word).sum(over) + (0 if before is None else before)
            self._counts[place] = is_word.sum(over) + self._counts.get(place, 0)

    def means(self) -> Means:
        """Give what each head writes on average; zeros where no sentence has a word."""
        return {place: self._sums[place] / self._counts[place].clamp(min=1) for place in self._sums}

    def _words(self, call: Call, output: Tensor) -> Tensor:
        """Say which queries are no padding, as far as that is known: bool (B, T)."""
        num_sentences, num_queries = output.shape[:2]
        read = self._decoders if call.address.kind == "cross" else call.is_read()
        if read is None or read.size(1) < num_queries or read.size(0) not in {1, num_sentences}:
            return torch.ones(output.shape[:2], dtype=torch.bool, device=output.device)
        read = read[:, read.size(1) - num_queries :]  # what was cached stands before
        return read.to(output.device).expand(num_sentences, -1)
