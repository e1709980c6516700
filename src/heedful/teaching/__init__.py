"""Teaching: several concepts from one picture, in one training loop for every method.

Knows how weights and new words of a text-to-image pipeline learn, how they are written, and how they come back. Knows
nothing of guidance and of scores.
"""

from heedful.teaching.captions import check_captions, taught_tokenizer
from heedful.teaching.clear import clear
from heedful.teaching.examples import digest
from heedful.teaching.folder import CARD, DENOISER, LORA, MANIFEST, read_manifest
from heedful.teaching.instance_prompt import NewConcept, check_placeholders, new_concepts
from heedful.teaching.load import TaughtConcepts, load_concepts, load_custom_diffusion
from heedful.teaching.methods import (
    CUSTOM_DIFFUSION,
    DISENDIFF,
    DREAMBOOTH,
    HEEDFUL,
    TEACHING_METHODS,
    TEXTUAL_INVERSION,
    TeachingMethod,
    find_method,
)
from heedful.teaching.prior import CLASS_IMAGES, read_picture, read_pictures
from heedful.teaching.settings import TeachingSettings
from heedful.teaching.teach import LOSSES, teach
from heedful.teaching.training import CHECKPOINT, Callbacks, steps_kept

__all__ = [
    "CARD",
    "CHECKPOINT",
    "CLASS_IMAGES",
    "CUSTOM_DIFFUSION",
    "DENOISER",
    "DISENDIFF",
    "DREAMBOOTH",
    "HEEDFUL",
    "LORA",
    "LOSSES",
    "MANIFEST",
    "TEACHING_METHODS",
    "TEXTUAL_INVERSION",
    "Callbacks",
    "NewConcept",
    "TaughtConcepts",
    "TeachingMethod",
    "TeachingSettings",
    "check_captions",
    "check_placeholders",
    "clear",
    "digest",
    "find_method",
    "load_concepts",
    "load_custom_diffusion",
    "new_concepts",
    "read_manifest",
    "read_picture",
    "read_pictures",
    "steps_kept",
    "taught_tokenizer",
    "teach",
]
