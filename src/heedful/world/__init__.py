"""The embedded worlds: small trained models in the format of diffusers, the scenes they learnt from, their judge."""

from heedful.world.architecture import is_world
from heedful.world.detector import NATURAL, Detection, Detector
from heedful.world.embedded import (
    DEFAULT,
    NAME,
    WEIGHTS,
    WORLDS,
    detector_folder,
    folder_of,
    is_embedded,
    load,
    load_clip,
    load_detector,
)
from heedful.world.instance_prompts import InstancePrompt
from heedful.world.instance_recipe import write_instances
from heedful.world.instances import (
    INSTANCES,
    Instance,
    InstanceImage,
    one_image_concepts,
    one_image_concepts_three,
    read_instances,
)
from heedful.world.judge import Verdict, expectations, judge
from heedful.world.looks import Look
from heedful.world.recognition import Sighting, ground_of, make_templates, recognise
from heedful.world.render import box, layer, render
from heedful.world.scene import CANVAS, NEAR_NATURAL, Item, Scene, is_held_out, random_scene, usual_colour
from heedful.world.sprites import font_is_installed
from heedful.world.style import APART, CROWDED, Style
from heedful.world.tones import Box
from heedful.world.vocabulary import (
    ANIMALS,
    BACKGROUNDS,
    CLASSES,
    COLOURS,
    prompt_kind,
    single_concept_prompts,
    split_prompts,
    split_three_concept_prompts,
    three_concept_prompts,
    two_concept_prompts,
)

__all__ = [
    "ANIMALS",
    "APART",
    "BACKGROUNDS",
    "CANVAS",
    "CLASSES",
    "COLOURS",
    "CROWDED",
    "DEFAULT",
    "INSTANCES",
    "NAME",
    "NATURAL",
    "NEAR_NATURAL",
    "WEIGHTS",
    "WORLDS",
    "Box",
    "Detection",
    "Detector",
    "Instance",
    "InstanceImage",
    "InstancePrompt",
    "Item",
    "Look",
    "Scene",
    "Sighting",
    "Style",
    "Verdict",
    "box",
    "detector_folder",
    "expectations",
    "folder_of",
    "font_is_installed",
    "ground_of",
    "is_embedded",
    "is_held_out",
    "is_world",
    "judge",
    "layer",
    "load",
    "load_clip",
    "load_detector",
    "make_templates",
    "one_image_concepts",
    "one_image_concepts_three",
    "prompt_kind",
    "random_scene",
    "read_instances",
    "recognise",
    "render",
    "single_concept_prompts",
    "split_prompts",
    "split_three_concept_prompts",
    "three_concept_prompts",
    "two_concept_prompts",
    "usual_colour",
    "write_instances",
]
