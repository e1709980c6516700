"""A loss applied to an unmodified pipeline: `guide`, and the methods. How latents are moved is `heedful.steering`."""

from heedful.guidance import methods
from heedful.guidance.guide import Guided, guide
from heedful.guidance.methods import METHODS, find_method
from heedful.steering import (
    EMBEDDED,
    EMBEDDED_SITES,
    PUBLISHED_SITES,
    VIEWER,
    GradientShares,
    Head,
    InitialNoise,
    KeyShift,
    MapHistory,
    Method,
    NoiseTrace,
    Restart,
    RestartTrace,
    Settings,
    StepTrace,
    TextEdit,
    Trace,
    data_url,
    denoiser_of,
    embeddings_of,
    parse_prompt,
    pipeline_shares,
    view_data,
)

NONE: Method = METHODS["none"]
"""No guidance: what everything is compared with."""

__all__ = [
    "EMBEDDED",
    "EMBEDDED_SITES",
    "METHODS",
    "NONE",
    "PUBLISHED_SITES",
    "VIEWER",
    "GradientShares",
    "Guided",
    "Head",
    "InitialNoise",
    "KeyShift",
    "MapHistory",
    "Method",
    "NoiseTrace",
    "Restart",
    "RestartTrace",
    "Settings",
    "StepTrace",
    "TextEdit",
    "Trace",
    "data_url",
    "denoiser_of",
    "embeddings_of",
    "find_method",
    "guide",
    "methods",
    "parse_prompt",
    "pipeline_shares",
    "view_data",
]
