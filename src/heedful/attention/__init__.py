"""How a denoiser's attention is read. Knows no loss."""

from heedful.attention.capture import Forward, Reader, Record, capture
from heedful.attention.figures import describe, overlap, peak, retention
from heedful.attention.filters import Convention, gaussian_kernel, otsu_threshold, smooth
from heedful.attention.gradients import frozen, recomputing
from heedful.attention.intercept import held, replaced
from heedful.attention.layout import Layout, Pipeline, Scheduler
from heedful.attention.layouts import find_denoiser, find_sites, layout_of
from heedful.attention.maps import Groups, Maps
from heedful.attention.overlay import contact_sheet, heat_map, overlay
from heedful.attention.regions import MaskRule, Segment
from heedful.attention.sites import Site, Sites, SiteSelection, Size
from heedful.attention.tap import full_precision
from heedful.attention.transformers import CROSS_ATTENTION_TRANSFORMER, FLUX, STABLE_DIFFUSION_3

__all__ = [
    "CROSS_ATTENTION_TRANSFORMER",
    "FLUX",
    "STABLE_DIFFUSION_3",
    "Convention",
    "Forward",
    "Groups",
    "Layout",
    "Maps",
    "MaskRule",
    "Pipeline",
    "Reader",
    "Record",
    "Scheduler",
    "Segment",
    "Site",
    "SiteSelection",
    "Sites",
    "Size",
    "capture",
    "contact_sheet",
    "describe",
    "find_denoiser",
    "find_sites",
    "frozen",
    "full_precision",
    "gaussian_kernel",
    "heat_map",
    "held",
    "layout_of",
    "otsu_threshold",
    "overlap",
    "overlay",
    "peak",
    "recomputing",
    "replaced",
    "retention",
    "smooth",
]
