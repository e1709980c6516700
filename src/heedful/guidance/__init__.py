"""A loss applied to an unmodified pipeline."""

from heedful.guidance import methods
from heedful.guidance.cost import GradientShares, pipeline_shares
from heedful.guidance.guide import Guided, denoiser_of, guide
from heedful.guidance.history import MapHistory
from heedful.guidance.initial_noise import InitialNoise
from heedful.guidance.key_shift import Head, KeyShift
from heedful.guidance.method import EMBEDDED, Method
from heedful.guidance.methods import METHODS, find_method
from heedful.guidance.notebook import VIEWER
from heedful.guidance.restart import Restart
from heedful.guidance.settings import EMBEDDED_SITES, PUBLISHED_SITES, Settings
from heedful.guidance.texts import parse_prompt
from heedful.guidance.trace import NoiseTrace, RestartTrace, StepTrace, Trace
from heedful.guidance.view_data import data_url, view_data

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
    "Trace",
    "data_url",
    "denoiser_of",
    "find_method",
    "guide",
    "methods",
    "parse_prompt",
    "pipeline_shares",
    "view_data",
]
