"""How a denoiser's attention is read."""

from heedful.attention.capture import AfterLast, Forward, Reader, Record, capture
from heedful.attention.colours import ANCHORS
from heedful.attention.figures import describe, overlap, peak, retention
from heedful.attention.filters import Convention, gaussian_kernel, otsu_threshold, smooth
from heedful.attention.gradients import frozen, keeping_weights, recomputing
from heedful.attention.intercept import Replaced, held, one_block, replaced
from heedful.attention.keys import text_keys
from heedful.attention.latent_forms import Form
from heedful.attention.layout import GuidanceRows, Layout, Pipeline, Scheduler, by_position
from heedful.attention.layouts import (
    by_words,
    find_denoiser,
    find_denoisers,
    find_sites,
    layout_of,
    published_sites,
    uncompiled,
)
from heedful.attention.maps import Groups, Maps
from heedful.attention.overlay import contact_sheet, heat_map, overlay
from heedful.attention.parts import Parts, attribute, parts_of
from heedful.attention.pipeline import AdaptablePipeline, ImagePipeline, TeachablePipeline
from heedful.attention.quantised import quantised
from heedful.attention.regions import MaskRule, Segment
from heedful.attention.sites import Rows, Site, Sites, SiteSelection, Size
from heedful.attention.tap import full_precision

__all__ = [
    "ANCHORS",
    "AdaptablePipeline",
    "AfterLast",
    "Convention",
    "Form",
    "Forward",
    "Groups",
    "GuidanceRows",
    "ImagePipeline",
    "Layout",
    "Maps",
    "MaskRule",
    "Parts",
    "Pipeline",
    "Reader",
    "Record",
    "Replaced",
    "Rows",
    "Scheduler",
    "Segment",
    "Site",
    "SiteSelection",
    "Sites",
    "Size",
    "TeachablePipeline",
    "attribute",
    "by_position",
    "by_words",
    "capture",
    "contact_sheet",
    "describe",
    "find_denoiser",
    "find_denoisers",
    "find_sites",
    "frozen",
    "full_precision",
    "gaussian_kernel",
    "heat_map",
    "held",
    "keeping_weights",
    "layout_of",
    "one_block",
    "otsu_threshold",
    "overlap",
    "overlay",
    "parts_of",
    "peak",
    "published_sites",
    "quantised",
    "recomputing",
    "replaced",
    "retention",
    "smooth",
    "text_keys",
    "uncompiled",
]
