"""The models of the page: opened when they are first asked for, and kept as long as they are among the latest."""

from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

from heedful.app.copies import Usual
from heedful.app.state import State
from heedful.options import LoadOptions, ModelOptions, SamplingOptions

if TYPE_CHECKING:
    from heedful.models import Model

KEPT = 2
"""Models that are kept open: a machine's memory holds few of the large ones."""


class Models:
    """What `open_model` has opened, by what was asked for; used by the thread of the worker alone."""

    def __init__(self) -> None:
        self._opened: OrderedDict[ModelOptions, Model] = OrderedDict()

    def is_open(self, options: ModelOptions) -> bool:
        """Return whether a model is there already."""
        return options in self._opened

    def open(self, options: ModelOptions) -> "Model":
        """Return the model, opened if it is not; raises what `open_model` raises."""
        from heedful.models import open_model

        if options not in self._opened:
            while len(self._opened) >= KEPT:  # before the next one needs the room
                self._opened.popitem(last=False)
            self._opened[options] = open_model(options)
        self._opened.move_to_end(options)
        return self._opened[options]

    def open_anew(self, options: ModelOptions) -> "Model":
        """Return the model opened for one use alone, which may change it; the others make room for it."""
        from heedful.models import open_model

        while len(self._opened) >= KEPT:
            self._opened.popitem(last=False)
        return open_model(options)

    def usual(self, options: ModelOptions) -> Usual | None:
        """Return what a model takes where nobody says otherwise; None if that is not known before it is open."""
        if options.model is None or options.model.startswith("world:"):
            return Usual()
        model = self._opened.get(options)
        return None if model is None else Usual(
            steps=model.steps, guidance_scale=model.guidance_scale, batch_size=model.batch_size
        )  # fmt: skip


def model_options(state: State) -> ModelOptions:
    """Return which model a state names, and what is on top of it."""
    return ModelOptions(
        model=state.model,
        device=state.device,
        dtype=state.dtype,
        scheduler=state.scheduler,
        concepts_from=tuple(Path(folder) for folder in state.concepts_from),
        lora=state.lora,
    )


def bare_options(state: State) -> ModelOptions:
    """Return which model a state names, without what is on top: what `heedful teach` opens."""
    bare = LoadOptions(model=state.model, device=state.device, dtype=state.dtype)
    return ModelOptions(**vars(bare))


def sampling_options(state: State, *, batch: bool = True) -> SamplingOptions:
    """Return how the images of a state are sampled; without `batch`, a single one."""
    return SamplingOptions(
        steps=state.steps,
        guidance_scale=state.guidance_scale,
        width=state.width,
        height=state.height,
        batch_size=state.batch_size if batch else None,
    )
