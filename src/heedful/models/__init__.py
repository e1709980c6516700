"""Loading: a pipeline by folder or hub id, and what is put on top of it."""

from heedful.models.additions import Additions, add, parse_additions
from heedful.models.pipelines import (
    EMBEDDED,
    Model,
    find_device,
    first_line,
    hub_says,
    is_place,
    load_model,
    load_tokenizer,
    refuse_pickles,
    use_scheduler,
)

__all__ = [
    "EMBEDDED",
    "Additions",
    "Model",
    "add",
    "find_device",
    "first_line",
    "hub_says",
    "is_place",
    "load_model",
    "load_tokenizer",
    "parse_additions",
    "refuse_pickles",
    "use_scheduler",
]
