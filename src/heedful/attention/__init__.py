"""How a denoiser's attention is read. Knows no loss."""

from heedful.attention.capture import Reader, Record, capture
from heedful.attention.filters import gaussian_kernel
from heedful.attention.layout import Layout
from heedful.attention.layouts import find_denoiser, find_sites, layout_of
from heedful.attention.maps import Groups, Maps
from heedful.attention.overlay import contact_sheet, heat_map, overlay
from heedful.attention.sites import Site, Sites, SiteSelection

__all__ = [
    "Groups",
    "Layout",
    "Maps",
    "Reader",
    "Record",
    "Site",
    "SiteSelection",
    "Sites",
    "capture",
    "contact_sheet",
    "find_denoiser",
    "find_sites",
    "gaussian_kernel",
    "heat_map",
    "layout_of",
    "overlay",
]
