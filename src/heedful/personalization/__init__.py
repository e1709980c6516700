"""Teaching: several concepts from one picture, in one training loop for every method.

Knows how weights and new words of a text-to-image pipeline learn, how they are written, and how they come back. Knows
nothing of guidance and of scores.
"""

from heedful.personalization.instance_prompt import NewConcept as NewConcept
from heedful.personalization.load import TaughtConcepts as TaughtConcepts
from heedful.personalization.load import load_concepts as load_concepts
from heedful.personalization.load import load_custom_diffusion as load_custom_diffusion
from heedful.personalization.methods import CUSTOM_DIFFUSION as CUSTOM_DIFFUSION
from heedful.personalization.methods import DISENDIFF as DISENDIFF
from heedful.personalization.methods import DREAMBOOTH as DREAMBOOTH
from heedful.personalization.methods import HEEDFUL as HEEDFUL
from heedful.personalization.methods import TEACHING_METHODS as TEACHING_METHODS
from heedful.personalization.methods import TEXTUAL_INVERSION as TEXTUAL_INVERSION
from heedful.personalization.methods import TeachingMethod as TeachingMethod
from heedful.personalization.methods import TeachingSettings as TeachingSettings
from heedful.personalization.teach import teach as teach
from heedful.personalization.training import Watch as Watch

__all__ = [
    "CUSTOM_DIFFUSION",
    "DISENDIFF",
    "DREAMBOOTH",
    "HEEDFUL",
    "TEACHING_METHODS",
    "TEXTUAL_INVERSION",
    "NewConcept",
    "TaughtConcepts",
    "TeachingMethod",
    "TeachingSettings",
    "Watch",
    "load_concepts",
    "load_custom_diffusion",
    "teach",
]
