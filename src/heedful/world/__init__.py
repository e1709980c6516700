"""The embedded world: a small trained Stable-Diffusion-format model, the scenes it was trained on, and their judge."""

from heedful.world.architecture import is_world as is_world
from heedful.world.detector import Detection as Detection
from heedful.world.detector import Detector as Detector
from heedful.world.embedded import WEIGHTS as WEIGHTS
from heedful.world.embedded import load as load
from heedful.world.embedded import load_clip as load_clip
from heedful.world.embedded import load_detector as load_detector
from heedful.world.instance_prompts import InstancePrompt as InstancePrompt
from heedful.world.instances import Instance as Instance
from heedful.world.instances import InstanceImage as InstanceImage
from heedful.world.instances import one_image_concepts as one_image_concepts
from heedful.world.instances import one_image_concepts_three as one_image_concepts_three
from heedful.world.judge import Verdict as Verdict
from heedful.world.judge import judge as judge
from heedful.world.looks import Look as Look
from heedful.world.vocabulary import prompt_kind as prompt_kind
from heedful.world.vocabulary import single_concept_prompts as single_concept_prompts
from heedful.world.vocabulary import two_concept_prompts as two_concept_prompts

__all__ = [
    "WEIGHTS",
    "Detection",
    "Detector",
    "Instance",
    "InstanceImage",
    "InstancePrompt",
    "Look",
    "Verdict",
    "is_world",
    "judge",
    "load",
    "load_clip",
    "load_detector",
    "one_image_concepts",
    "one_image_concepts_three",
    "prompt_kind",
    "single_concept_prompts",
    "two_concept_prompts",
]
