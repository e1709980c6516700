"""The one-image concepts as originals, which images of taught concepts are compared with."""

from collections.abc import Sequence

from heedful.errors import SettingsError
from heedful.scores.alignment import Original
from heedful.world import InstanceImage


def instance_originals(image: InstanceImage, nouns: Sequence[str]) -> tuple[Original, ...]:
    """Return the originals for prompts that ask for `nouns`, which are among the concepts of `image`.

    The figure `image` then compares with the whole taught image where all of its concepts are asked for, and with the
    segmented reference where one is, as DisenDiff does (Zhang et al. 2024); `concept` with the reference of each.
    Raises `SettingsError`.
    """
    known = {each.noun: each.reference for each in image.instances}
    if not nouns or not set(nouns) <= set(known):
        raise SettingsError(f"Expected some of the concepts {', '.join(known)} of {image.name}, got {list(nouns)}.")
    wholes = [image.file] if set(nouns) == set(known) else [known[noun] for noun in nouns]
    return (
        *(Original(image=whole) for whole in wholes),
        *(Original(image=known[noun], concept=noun) for noun in nouns),
    )
