"""Opening models: a pipeline by folder or hub id, its scheduler, and what is put on top of it."""

from heedful.models.find import first_line, hub_says, is_path
from heedful.models.model import Model
from heedful.models.offload import begin_offload
from heedful.models.open import find_device, load_tokenizer, open_model
from heedful.models.processes import Processes, find_processes
from heedful.models.push import check_hub_name, push_folder
from heedful.models.weights import refuse_pickles
from heedful.options import ModelOptions
from heedful.world import NAME as EMBEDDED

__all__ = [
    "EMBEDDED",
    "Model",
    "ModelOptions",
    "Processes",
    "begin_offload",
    "check_hub_name",
    "find_device",
    "find_processes",
    "first_line",
    "hub_says",
    "is_path",
    "load_tokenizer",
    "open_model",
    "push_folder",
    "refuse_pickles",
]
