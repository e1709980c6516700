"""A folder of taught concepts is emptied, so that another training can begin there.

Knows which files a training writes. What a person put beside them stays.
"""

from contextlib import suppress
from pathlib import Path

from heedful.errors import ModelError
from heedful.teaching import folder as files
from heedful.teaching.prior import CLASS_IMAGES, METADATA
from heedful.teaching.training import CHECKPOINT

_WEIGHTS = (files.LORA, files.CUSTOM_DIFFUSION, f"{files.DENOISER}/config.json")


def clear(folder: Path) -> None:
    """Remove what `heedful.teach` has written to `folder`, the manifest first; its prior pictures too."""
    embeddings: list[str] = []
    with suppress(ModelError):
        embeddings = [f"{concept.name}.safetensors" for concept in files.read_manifest(folder).concepts]
    names = [files.MANIFEST, CHECKPOINT, files.CARD, "losses.json", *_WEIGHTS, *embeddings]
    shelf = folder / CLASS_IMAGES
    painted = [path for path in shelf.glob("*.png") if path.stem.isdecimal()]
    shards = (folder / files.DENOISER).glob("diffusion_pytorch_model*")
    for path in [*(folder / name for name in names), *shards, *painted, shelf / METADATA]:
        path.unlink(missing_ok=True)
