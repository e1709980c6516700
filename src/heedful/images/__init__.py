"""Images made in bulk: what is asked for, what there is to make, who makes it, and where it lies."""

from heedful.images.cases import Batch, Case, Engine, Load, Make, Result, run_serially
from heedful.images.coco import describe_segments, write_coco, write_mask_images
from heedful.images.existing import maps_of_image, with_words
from heedful.images.gallery import MASKS_NOTE, Entry, Gallery, differences, encode, folder_name, image_name, read_entry
from heedful.images.generate import clear, find_images, make_images, tally_images
from heedful.images.inpainting import Inpainting, keeping_all, read_inpainting
from heedful.images.painter import Painter, PainterLoader
from heedful.images.painting import Painted, paint, rounded, sample, to_pixels
from heedful.images.plan import Plan, load_scores, make_plan
from heedful.images.request import PromptLine, Request, prompt_lines
from heedful.images.sampling import Sampling, at_least, choose_sampling
from heedful.images.seeds import parse_seeds
from heedful.images.sight import MAP_FILES, Sight, check_look, look, look_at, seen_names
from heedful.images.tally import MethodTally, tally
from heedful.images.versions import VERSIONS, version_changes
from heedful.options import InpaintingOptions, SamplingOptions

__all__ = [
    "MAP_FILES",
    "MASKS_NOTE",
    "VERSIONS",
    "Batch",
    "Case",
    "Engine",
    "Entry",
    "Gallery",
    "Inpainting",
    "InpaintingOptions",
    "Load",
    "Make",
    "MethodTally",
    "Painted",
    "Painter",
    "PainterLoader",
    "Plan",
    "PromptLine",
    "Request",
    "Result",
    "Sampling",
    "SamplingOptions",
    "Sight",
    "at_least",
    "check_look",
    "choose_sampling",
    "clear",
    "describe_segments",
    "differences",
    "encode",
    "find_images",
    "folder_name",
    "image_name",
    "keeping_all",
    "load_scores",
    "look",
    "look_at",
    "make_images",
    "make_plan",
    "maps_of_image",
    "paint",
    "parse_seeds",
    "prompt_lines",
    "read_entry",
    "read_inpainting",
    "rounded",
    "run_serially",
    "sample",
    "seen_names",
    "tally",
    "tally_images",
    "to_pixels",
    "version_changes",
    "with_words",
    "write_coco",
    "write_mask_images",
]
