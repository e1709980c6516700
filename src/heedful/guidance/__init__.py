"""A loss applied to an unmodified pipeline."""

from heedful.guidance.cost import GradientShares, pipeline_shares
from heedful.guidance.guide import Guided, denoiser_of, guide
from heedful.guidance.history import MapHistory
from heedful.guidance.initial_noise import InitialNoise
from heedful.guidance.methods import (
    A_STAR,
    ATTEND_AND_EXCITE,
    ATTEND_AND_EXCITE_A_STAR,
    HEEDFUL,
    INITNO,
    METHODS,
    NONE,
    RANDOM,
    WRONG_TOKENS,
    Method,
)
from heedful.guidance.restart import Restart
from heedful.guidance.settings import Settings
from heedful.guidance.texts import parse_prompt
from heedful.guidance.trace import NoiseTrace, RestartTrace, StepTrace, Trace

__all__ = [
    "ATTEND_AND_EXCITE",
    "ATTEND_AND_EXCITE_A_STAR",
    "A_STAR",
    "HEEDFUL",
    "INITNO",
    "METHODS",
    "NONE",
    "RANDOM",
    "WRONG_TOKENS",
    "GradientShares",
    "Guided",
    "InitialNoise",
    "MapHistory",
    "Method",
    "NoiseTrace",
    "Restart",
    "RestartTrace",
    "Settings",
    "StepTrace",
    "Trace",
    "denoiser_of",
    "guide",
    "parse_prompt",
    "pipeline_shares",
]
