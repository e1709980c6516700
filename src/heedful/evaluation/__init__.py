"""Images made in bulk: which, where they lie, how well they did. Knows methods and models, and no command line."""

from heedful.evaluation.gallery import Entry, Gallery, folder_name, read_entry
from heedful.evaluation.generate import Made, make_images
from heedful.evaluation.judges import Judge, find_judge
from heedful.evaluation.pipelines import Model, load_model
from heedful.evaluation.plan import Case, Plan, Wish, make_plan
from heedful.evaluation.seeds import parse_seeds
from heedful.evaluation.summary import Line, summarize

__all__ = [
    "Case",
    "Entry",
    "Gallery",
    "Judge",
    "Line",
    "Made",
    "Model",
    "Plan",
    "Wish",
    "find_judge",
    "folder_name",
    "load_model",
    "make_images",
    "make_plan",
    "parse_seeds",
    "read_entry",
    "summarize",
]
