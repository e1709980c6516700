"""Images made in bulk: which, where they lie, how well they did. Knows methods and models, and no command line."""

from heedful.images.coco import describe_segments, write_coco
from heedful.images.gallery import MASKS_NOTE, Entry, Gallery, differences, encode, folder_name, read_entry
from heedful.images.generate import Made, make_images
from heedful.images.inpainting import for_inpainting, read_inpainting
from heedful.images.judges import Judge, find_judge
from heedful.images.painting import VERSIONS, outcomes, paint
from heedful.images.plan import Case, Plan, Wish, clear, make_plan
from heedful.images.request import PromptLine, Request
from heedful.images.sampling import Sampling, at_least, choose_sampling, rehearse, settings_of
from heedful.images.seeds import parse_seeds
from heedful.images.sight import Sight, look, look_at
from heedful.images.summary import Line, summarize
from heedful.options import InpaintingOptions, SamplingOptions

__all__ = [
    "MASKS_NOTE",
    "VERSIONS",
    "Case",
    "Entry",
    "Gallery",
    "InpaintingOptions",
    "Judge",
    "Line",
    "Made",
    "Plan",
    "PromptLine",
    "Request",
    "Sampling",
    "SamplingOptions",
    "Sight",
    "Wish",
    "at_least",
    "choose_sampling",
    "clear",
    "describe_segments",
    "differences",
    "encode",
    "find_judge",
    "folder_name",
    "for_inpainting",
    "look",
    "look_at",
    "make_images",
    "make_plan",
    "outcomes",
    "paint",
    "parse_seeds",
    "read_entry",
    "read_inpainting",
    "rehearse",
    "settings_of",
    "summarize",
    "write_coco",
]
