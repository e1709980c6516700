"""FOCUS (Bill et al. 2025, arXiv 2510.02315)."""

from dataclasses import replace

from heedful import losses
from heedful.guidance.methods.method import EMBEDDED, Method
from heedful.guidance.settings import Settings

FOCUS = Method(name="focus", loss=losses.FOCUS(), settings=Settings(guided=0.5), embedded=replace(EMBEDDED, guided=0.3))
"""The words of a concept look at one location, concepts at different ones.

Published settings belong to flow matching models, which the paper steers; here they are Attend-and-Excite's.
"""
