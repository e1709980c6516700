"""The denoisers of a pipeline, which take turns by the step: one in most, two in Wan 2.2, whose second ends the run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from torch import nn

from heedful.attention import Reader, held, replaced
from heedful.steering.call import Call
from heedful.steering.run import Run
from heedful.steering.step import Steps, Task

Begin = Callable[[dict[str, Any], int], tuple[Call, Run]]
"""(arguments of a denoiser's call, how many of them came by position) -> the call, and the run that it belongs to."""


class Expert:
    """One denoiser, what it shows, and what guidance does in the steps that it makes."""

    def __init__(self, task: Task, denoiser: nn.Module, begin: Begin):
        self.denoiser: Any = denoiser
        self.reader = Reader(denoiser, task.settings.sites)
        self._steps = Steps(replace(task, denoiser=denoiser), self.reader, self._original_forward)
        self._begin = begin

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Replace the denoiser's forward while the block is open."""
        # compiled code would not see what is replaced
        compiled = held(self.denoiser, "_compiled_call_impl", None)
        with compiled, replaced(self.denoiser, "forward", self.forward) as self._forward:
            yield

    def put_back(self) -> None:
        """Put the replacement back if something else has replaced it in between, such as offloading."""
        self._forward.put_back()

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Move the latents where the method says so, predict the noise there, and read the maps of that pass."""
        call, run = self._begin(self.reader.arguments(*args, **kwargs), len(args))
        return self._steps.predict(call, run)

    def _original_forward(self, *args: Any, **kwargs: Any) -> Any:
        return self._forward.original(*args, **kwargs)
