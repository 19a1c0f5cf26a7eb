"""What `doctor` and `examine` both look at, and how they say what they found."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from torch import nn

PADDING = ("[PAD]", "<pad>", "<|pad|>", "<PAD>")  # as most tokenizers call it


class Check(NamedTuple):
    """One thing that was looked at."""

    name: str
    passed: bool | None  # None where it could not be looked at
    finding: str
    mend: str = ""  # what to do, where it did not pass

    def __str__(self) -> str:
        verdict = {True: "ok", False: "FAIL", None: "skip"}[self.passed]
        mend = f": {self.mend}" if self.mend else ""
        return f"{verdict:<6}{self.name:<11}{self.finding}{mend}."


def ok(name: str, finding: str) -> Check:
    """Say that nothing is wrong."""
    return Check(name, passed=True, finding=finding)


def fail(name: str, finding: str, mend: str = "") -> Check:
    """Say what is wrong, and what to do."""
    return Check(name, passed=False, finding=finding, mend=mend)


def skip(name: str, finding: str) -> Check:
    """Say why it could not be looked at."""
    return Check(name, passed=None, finding=finding)


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """All that was looked at; printed, a line each.

    Examples
    --------
    >>> Diagnosis((Check("dropout", False, "it is on", "call model.eval()"),))
    FAIL  dropout    it is on: call model.eval().
    """

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Say whether no fault was found."""
        return not self.failures

    @property
    def failures(self) -> tuple[Check, ...]:
        """The faults that were found."""
        return tuple(check for check in self.checks if check.passed is False)

    def __iter__(self) -> Iterator[Check]:
        return iter(self.checks)

    def __len__(self) -> int:
        return len(self.checks)

    def __repr__(self) -> str:
        return "\n".join(map(str, self.checks))


def check_batch(count: int) -> Check:
    """Look how many sentences there are."""
    if count == 1:
        return ok("sentences", "one")
    return fail(
        "sentences",
        f"a batch of {count}, of which only the first was looked at",
        "pass one, such as `{name: x[:1] for name, x in inputs.items()}` or "
        "`[w[:1] for w in attentions]`",
    )


def check_dropout(model: nn.Module) -> Check:
    """Look whether the model attends at random."""
    rates = [rate for module in model.modules() if module.training for rate in _dropout_of(module)]
    if any(rates):
        return fail(
            "dropout",
            f"it is on, at {max(rates):.3g}, so the model attends at random",
            "call model.eval(), as regard.trace does for its one pass",
        )
    return ok("dropout", "it is off" if not model.training else "the model has none")


def _dropout_of(module: nn.Module) -> list[float]:
    """Give the rates that a module drops at, by whatever name it has for them."""
    is_dropout = "dropout" in type(module).__name__.lower()
    return [
        value
        for name, value in vars(module).items()
        if isinstance(value, float) and ("drop" in name or (is_dropout and name == "p"))
    ]


def implementation_of(model: nn.Module) -> str:
    """Name how a transformers model attends."""
    config = getattr(model, "config", None)
    return str(getattr(config, "_attn_implementation", None) or "an unknown implementation")


def runs(tokens: list[str], pads: Sequence[str], *, kept: int = 0, starts: int = 0) -> list[bool]:
    """Mark the runs of padding at both ends, but for `kept` tokens that end the text itself.

    The first `starts` tokens are none: some decoders start with the padding token.
    """
    ordinary = [at for at, token in enumerate(tokens) if at >= starts and token not in pads]
    if not ordinary:
        return [False] * len(tokens)
    first, last = ordinary[0] - kept, ordinary[-1] + kept
    return [starts <= at and not first <= at <= last for at in range(len(tokens))]


def counted(count: int, noun: str) -> str:
    """Write one row, or two rows."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
