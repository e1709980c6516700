"""Teaching: several concepts from one image, in one training loop for every method."""

from heedful.teaching.card import command_of
from heedful.teaching.checkpoint import steps_kept
from heedful.teaching.class_images import CLASS_IMAGES, read_image_folder
from heedful.teaching.concepts import NewConcept, check_captions, check_placeholders, new_concepts, taught_tokenizer
from heedful.teaching.dataset import TrainingImages, digest
from heedful.teaching.families import find_family
from heedful.teaching.folder import CARD, CHECKPOINT, DENOISER, LORA, LOSSES, MANIFEST, read_manifest
from heedful.teaching.load import TaughtConcepts, load_concepts, load_custom_diffusion
from heedful.teaching.methods import METHODS, TeachingMethod, find_method
from heedful.teaching.photos import Photo, read_photos
from heedful.teaching.reading import taught_reader
from heedful.teaching.regions import concept_maps
from heedful.teaching.settings import TeachingSettings
from heedful.teaching.teach import teach
from heedful.teaching.training import VALIDATION, Callbacks

__all__ = [
    "CARD",
    "CHECKPOINT",
    "CLASS_IMAGES",
    "DENOISER",
    "LORA",
    "LOSSES",
    "MANIFEST",
    "METHODS",
    "VALIDATION",
    "Callbacks",
    "NewConcept",
    "Photo",
    "TaughtConcepts",
    "TeachingMethod",
    "TeachingSettings",
    "TrainingImages",
    "check_captions",
    "check_placeholders",
    "command_of",
    "concept_maps",
    "digest",
    "find_family",
    "find_method",
    "load_concepts",
    "load_custom_diffusion",
    "new_concepts",
    "read_image_folder",
    "read_manifest",
    "read_photos",
    "steps_kept",
    "taught_reader",
    "taught_tokenizer",
    "teach",
]
