"""The film of training: what every head reads in one sentence, step by step."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from regard.record.door import described, function, whole_number, within
from regard.record.trace import Trace, a_trace
from regard.record.words import Labels

Place = tuple[str, int]  # kind and layer
STEPS = 255  # a weight is kept as a byte, off by at most 1/510


@dataclass(frozen=True)
class Frame:
    """All weights of a probe sentence at one step, in bytes, and what was measured there."""

    step: int
    loss: float
    weights: dict[Place, NDArray[np.uint8]]  # (h, Q, K)
    measures: dict[str, float]


class Film:
    """Films a model while it trains; `watch` gives the loss that `train_model` takes.

    A frame is taken before each of some training steps, at first of each, later of ever fewer, and
    with `take` whenever you like. Training is not changed: no random number is drawn.

    Parameters
    ----------
    look
        From the model to the trace of the probe sentence; of a target that stays the same, else
        frames have different sizes.
    num_steps
        How many steps the training will have.
    num_frames
        How many frames to take in all, the last by `take` when training has ended.
    measure
        Called with the model at each frame; its numbers are kept beside the loss.

    Examples
    --------
    >>> film = Film(lambda model: Trace.from_weights([[1.0, 0.0], [0.25, 0.75]]), num_steps=2)
    >>> loss = film.watch(lambda model, batch: torch.tensor(0.5))
    >>> for batch in ("first", "second"):
    ...     _ = loss(nn.Identity(), batch)
    >>> film.to_dataframe()
       step  loss
    0     0   0.5
    1     1   0.5
    >>> film.weights(-1, layer=0, head=0).round(2)
    array([[1.  , 0.  ],
           [0.25, 0.75]], dtype=float32)
    """

    def __init__(
        self,
        look: Callable[[Any], Trace],
        *,
        num_steps: int,
        num_frames: int = 40,
        measure: Callable[[Any], Mapping[str, float]] | None = None,
    ) -> None:
        function("look, a function from the model to a trace,", look)
        if measure is not None:
            function("measure, a function from the model to numbers by name,", measure)
        num_steps, num_frames = (
            whole_number(name, number)
            for name, number in (("num_steps", num_steps), ("num_frames", num_frames))
        )
        if num_steps < 1 or num_frames < 2:
            raise ValueError(
                f"A film needs steps and at least 2 frames, but got {num_steps} steps and "
                f"{num_frames} frames."
            )
        self.look = look
        self.measure = measure
        self.due = set(_spread(num_steps, num_frames - 1))
        self.frames: list[Frame] = []
        self._labels: dict[Place, Labels] = {}

    def watch(self, loss: Callable[[Any, Any], Tensor]) -> Callable[[Any, Any], Tensor]:
        """Give the same loss, which also takes a frame before the steps that are due."""
        function("loss, a function (model, batch),", loss)
        step = 0

        def watched(model: nn.Module, batch: Any) -> Tensor:
            nonlocal step
            value = loss(model, batch)
            if step in self.due:
                self.take(model, step, float(value.detach()))
            step += 1
            return value

        return watched

    def take(self, model: nn.Module, step: int, loss: float = float("nan")) -> None:
        """Take a frame now.

        Raises
        ------
        TypeError
            If the step is no whole number, or `look` gave no trace.
        ValueError
            If the probe sentence has other tokens than in the frames before, the step is not after
            theirs, or a measure is called "step" or "loss".
        """
        step = whole_number("step", step)
        if self.frames and step <= self.frames[-1].step:
            raise ValueError(
                f"A frame of step {step} comes after one of step {self.frames[-1].step}: take "
                "frames in the order of the steps, one a step."
            )
        with torch.no_grad():
            seen = a_trace(self.look(model))
            measures = dict(self.measure(model)) if self.measure else {}
        if {"step", "loss"} & measures.keys():
            raise ValueError('A measure is called "step" or "loss", which the film has itself.')
        weights = {
            (kind, layer): np.rint(seen.weights(layer, kind=kind) * STEPS).astype(np.uint8)
            for kind in seen.kinds
            for layer in seen.layers[kind]
        }
        keys = {(kind, layer): seen.labels(layer, kind=kind).keys for kind, layer in weights}
        if self.frames:
            _check_alike(self.frames[0].weights, weights)
            if keys != {place: labels.keys for place, labels in self._labels.items()}:
                raise ValueError("This frame has other tokens than the first: film one sentence.")
        self._labels = {(kind, layer): seen.labels(layer, kind=kind) for kind, layer in weights}
        self.frames.append(Frame(step, loss, weights, measures))

    @property
    def nbytes(self) -> int:
        """How many bytes the weights of all frames take."""
        return sum(array.nbytes for frame in self.frames for array in frame.weights.values())

    @property
    def steps(self) -> list[int]:
        """The training steps before which frames were taken."""
        return [frame.step for frame in self.frames]

    def weights(
        self, frame: int, layer: int, head: int, *, kind: str = "encoder"
    ) -> NDArray[np.float32]:
        """Give a head's weights (Q, K) in a frame, each off by at most 1/510.

        Raises
        ------
        TypeError
            If a number is no whole number.
        ValueError
            If there is no such frame, kind, layer or head.
        """
        frame = whole_number("frame", frame)
        if not -len(self.frames) <= frame < len(self.frames):
            raise ValueError(f"There is no frame {frame}: there are {len(self.frames)}.")
        of_layer = self.frames[frame].weights[self._place(layer, kind)]
        of_head = of_layer[within("head", head, len(of_layer), owner="this layer")]
        return of_head.astype(np.float32) / STEPS

    def labels(self, layer: int, *, kind: str = "encoder") -> Labels:
        """Give the words of the rows and the columns, or raise as `weights` does."""
        return self._labels[self._place(layer, kind)]

    def _place(self, layer: int, kind: str) -> Place:
        """Take a kind and layer that was filmed, or say which were."""
        place = (kind, whole_number("A layer, counted from 0,", layer))
        if place not in self._labels:
            raise ValueError(
                f"There is no layer {layer} of kind {kind!r} in this film, which has "
                f"{sorted(self._labels)}: choose from these."
            )
        return place

    def to_dataframe(self) -> pd.DataFrame:
        """Give a row a frame: `step`, `loss`, and what was measured."""
        rows = [{"step": f.step, "loss": f.loss, **f.measures} for f in self.frames]
        return pd.DataFrame(rows)

    def locked_on(self, threshold: float = 0.9) -> pd.Series:
        """Give for each measure the step from which on it stays at or above a threshold.

        Returns
        -------
        pandas.Series
            The step by measure; missing where it does not end up there.
        """
        table = self.to_dataframe().drop(columns="loss").set_index("step")
        reached = (table >= threshold)[::-1].cummin()[::-1]  # and in all frames after
        steps = [column.idxmax() if column.any() else pd.NA for _, column in reached.items()]
        return pd.Series(steps, index=reached.columns, dtype="Int64", name="step")


def a_film(got: object) -> Film:
    """Take a film, or say how one is made.

    Raises
    ------
    TypeError
        If it is something else, such as a trace.
    """
    if not isinstance(got, Film):
        raise TypeError(
            f"A film is expected, but got {described(got)}: make one by "
            "`regard.Film(look, num_steps=...)`, and train with `loss=film.watch(loss)`."
        )
    return got


def _spread(num_steps: int, num_frames: int) -> list[int]:
    """Choose steps, the first included, at first all, then ever fewer."""
    steps: list[int] = []
    for at in np.rint(np.geomspace(1, num_steps, num_frames) - 1):
        steps.append(max(int(at), steps[-1] + 1 if steps else 0))  # each only once
    return [step for step in steps if step < num_steps]


def _check_alike(before: Mapping[Place, NDArray[Any]], now: Mapping[Place, NDArray[Any]]) -> None:
    shapes = [{place: x.shape for place, x in weights.items()} for weights in (before, now)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"The first frame has weights {shapes[0]}, but this one {shapes[1]}: film one "
            "sentence, with one target."
        )
