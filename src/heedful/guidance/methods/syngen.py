"""SynGen (Rassin et al., NeurIPS 2023, arXiv 2306.08877)."""

from dataclasses import replace

from heedful.attention import SiteSelection
from heedful.guidance.methods.method import EMBEDDED, Method
from heedful.guidance.settings import Settings
from heedful.losses import SynGen

SYNGEN = Method(
    name="syngen",
    loss=SynGen(),
    settings=Settings(decay=(1.0, 1.0), guided=0.5),
    embedded=replace(EMBEDDED, sites=SiteSelection(scale=2), step_size=3.0, guided=0.3),
)
"""Modifiers look where their nouns look, and nothing else does. It has nothing to do for a prompt without modifiers.

- Published, from its code: a constant step in 25 of 50 steps, without refinement.
- Embedded models: every 8x8 site was better than the best one alone.
- Left open: how a word of several tokens is read; here their mean, where the code takes the maximum.
"""
