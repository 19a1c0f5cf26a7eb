"""Sinks: a position that most words read most, whatever the words are."""

import warnings

import torch
from torch import Tensor

MOST = 0.5  # of all answers
BEYOND_CHANCE = 3  # times as many as if all words were read alike


class Sinks:
    """Counts how often each position of a sentence is what a word reads most."""

    def __init__(self) -> None:
        self._answers = torch.zeros(0, dtype=torch.int64)
        self._by_chance = torch.zeros(0, dtype=torch.float64)

    def look(self, found: Tensor, allowed: Tensor) -> None:
        """Look at the answers of one sentence.

        Parameters
        ----------
        found
            What each head reads most, -1 where nothing: (heads, readings).
        allowed
            Which keys could have been the answer: (readings, K).
        """
        num_heads, num_keys = len(found), allowed.size(1)
        longer = num_keys - len(self._answers)
        if longer > 0:
            self._answers = torch.nn.functional.pad(self._answers, (0, longer))
            self._by_chance = torch.nn.functional.pad(self._by_chance, (0, longer))
        self._answers[:num_keys] += torch.bincount(found[found >= 0], minlength=num_keys)
        even = allowed.double() / allowed.sum(dim=1, keepdim=True).clamp(min=1)
        self._by_chance[:num_keys] += num_heads * even.sum(dim=0)

    def warn(self, *, leave_out_first: bool) -> None:
        """Warn where one position takes most of the answers."""
        if not self._answers.any():
            return
        position = int(self._answers.argmax())
        share, by_chance = (
            float(counts[position] / counts.sum()) for counts in (self._answers, self._by_chance)
        )
        if share <= max(MOST, BEYOND_CHANCE * by_chance):
            return
        advice = (
            "put the model's start token in front and hide it, or pass leave_out_first=True"
            if position == 0 and not leave_out_first
            else "hide it, if it is no word"
        )
        warnings.warn(
            f"{share:.1%} of all answers are the word at position {position}, where "
            f"{by_chance:.1%} would be if all words were read alike: such a sink hides what is "
            f"read besides; {advice}.",
            stacklevel=3,
        )
