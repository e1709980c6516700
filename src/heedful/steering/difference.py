"""The difference that classifier-free guidance makes, kept from one step for those after it."""

from typing import Any

from torch import Tensor

from heedful.steering.call import Call, like, prediction


class Difference:
    """The unconditional predictions of a run less its conditional ones, as they were when last predicted."""

    def __init__(self, kept: int, first: int):
        self._kept = kept
        """At how many steps, the one that predicts it included, it is the same."""
        self._first = first
        """The first step that need not predict it: in those before it changes too fast."""
        self._value: Tensor | None = None
        self._made = 0

    def serves(self, call: Call, step: int) -> bool:
        """Return whether the rows of `call` that have not the whole condition need not be predicted in `step`."""
        if step < self._first or self._value is None or self._value.shape[0] != call.batch - call.images:
            return False
        return step - self._made < self._kept

    def forget(self) -> None:
        """Let the next step predict it anew: an image goes on from another noise."""
        self._value = None

    def keep(self, call: Call, step: int, output: Any) -> None:
        """Remember the difference in the denoiser's `output` for all rows of `call`."""
        if self._kept < 2 or call.copies < 2 or call.is_joined or isinstance(prediction(output), list):
            return
        whole = prediction(output)
        self._value = whole[call.other_rows] - _repeated(call, whole[call.conditional_rows])
        self._made = step

    def whole(self, call: Call, conditional: Any) -> Any:
        """Return an output for all rows of `call` from that of the conditional ones and what is kept."""
        assert self._value is not None
        others = _repeated(call, prediction(conditional)) + self._value
        return call.whole(conditional, like(conditional, others))


def _repeated(call: Call, conditional: Tensor) -> Tensor:
    """Return the predictions of the conditional rows once for each copy that has not the whole condition."""
    return conditional.repeat(call.copies - 1, *[1] * (conditional.ndim - 1))
