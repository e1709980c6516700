"""How the latents of an unmodified pipeline are moved while it runs: two-point interception, and what a step does.

Which loss moves them, and what a person calls, is `heedful.guidance`.
"""

from heedful.steering.admission import admit, denoiser_of
from heedful.steering.clip_text import check_text, has_clip_text
from heedful.steering.cost import GradientShares, pipeline_shares
from heedful.steering.history import MapHistory
from heedful.steering.initial_noise import InitialNoise
from heedful.steering.interception import Steering
from heedful.steering.key_shift import Head, KeyShift
from heedful.steering.method import EMBEDDED, Method
from heedful.steering.notebook import VIEWER, paragraph
from heedful.steering.restart import Restart
from heedful.steering.run import Run
from heedful.steering.settings import COARSEST_UP_SITES, EMBEDDED_SITES, PUBLISHED_SITES, Settings
from heedful.steering.step import Task
from heedful.steering.text_edit import ReadTexts, Text, TextEdit, marked
from heedful.steering.texts import parse_prompt
from heedful.steering.trace import NoiseTrace, RestartTrace, StepTrace, Trace
from heedful.steering.view_data import data_url, view_data
from heedful.steering.weighted import embeddings_of

__all__ = [
    "COARSEST_UP_SITES",
    "EMBEDDED",
    "EMBEDDED_SITES",
    "PUBLISHED_SITES",
    "VIEWER",
    "GradientShares",
    "Head",
    "InitialNoise",
    "KeyShift",
    "MapHistory",
    "Method",
    "NoiseTrace",
    "ReadTexts",
    "Restart",
    "RestartTrace",
    "Run",
    "Settings",
    "Steering",
    "StepTrace",
    "Task",
    "Text",
    "TextEdit",
    "Trace",
    "admit",
    "check_text",
    "data_url",
    "denoiser_of",
    "embeddings_of",
    "has_clip_text",
    "marked",
    "paragraph",
    "parse_prompt",
    "pipeline_shares",
    "view_data",
]
