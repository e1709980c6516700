"""Makes the images of a plan in this process; the gallery is the record of what is done."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from heedful.errors import SettingsError
from heedful.image_files import read_image
from heedful.images.cases import Case, Result, run_serially
from heedful.images.gallery import MASKS_NOTE, METADATA, Gallery, read_entry
from heedful.images.painter import Painter
from heedful.images.plan import Plan
from heedful.images.tally import MethodTally, tally
from heedful.images.versions import version_changes, versions_of
from heedful.scores import evaluate


def find_images(plan: Plan, gallery: Gallery) -> Plan:
    """Return `plan` with what is done of it in the gallery; raises `SettingsError` for images made in another way."""
    is_done = bytearray(len(plan))
    other: Counter[str] = Counter()
    versions = {method.name: versions_of(method) for method in plan.methods}
    for position, case in enumerate(plan.cases()):
        entry = gallery.find(case.image, case.settings(plan.settings[case.method.name]))
        if entry is None:
            continue
        if plan.request.masks and MASKS_NOTE not in entry.notes:
            raise SettingsError(
                f"Expected masks in {gallery.folder / case.image}, but it was made without them. "
                "Choose another folder, or overwrite what is there."
            )
        is_done[position] = 1
        other.update(version_changes(entry.notes.get("versions", {}), versions[case.method.name]))
    remarks = [f"{count} images that are there were made with {change}." for change, count in other.items()]
    return replace(plan, is_done=bytes(is_done), remarks=(*plan.remarks, *remarks))


def make_images(
    plan: Plan, gallery: Gallery, on_step: Callable[[float], None] = lambda images: None
) -> Iterator[tuple[Case, Result]]:
    """Make what `plan` leaves to do, and yield each case with its result after its batch was written.

    The caller holds the gallery's lock. `on_step` is called after each denoising step with the share of images that it
    did: the sum over a run is the number of images. Whatever ends this, also Ctrl-C, only whole batches are left;
    metadata.jsonl is made again from them.
    """
    gallery.claim(METADATA)
    painter = Painter(plan.model, plan.sampling, plan.request.scores, plan.request.masks, catch=False, on_step=on_step)
    try:
        for batch, results in run_serially(lambda: painter, plan.batches()):
            pairs = list(zip(batch.cases, results, strict=True))
            gallery.write_images({case.image: result.png for case, result in pairs if result.png is not None})
            yield from pairs
    finally:
        gallery.write_metadata()


def clear(plan: Plan, gallery: Gallery) -> None:
    """Remove the images that `plan` makes again, before the first is made.

    Otherwise an interrupted run would leave old images among the new ones.
    """
    for batch in plan.batches():
        for case in batch.cases:
            gallery.inside(case.image).unlink(missing_ok=True)


def tally_images(plan: Plan, gallery: Gallery, made: Mapping[str, Result]) -> list[MethodTally]:
    """Return a line per method for the images of `plan` that are there.

    `made` holds the results of this run by the keys of their cases; images of earlier runs are opened to be scored.
    """

    def records() -> Iterator[dict[str, Any]]:
        for case in plan.cases():
            result = made.get(case.key) or _earlier(plan, gallery, case)
            if result is not None:
                yield result.record(case)

    return tally(records())


def _earlier(plan: Plan, gallery: Gallery, case: Case) -> Result | None:
    """Return what an image of an earlier run says of itself; None if it is not there."""
    path = gallery.folder / case.image
    entry = read_entry(path) if path.exists() else None
    if entry is None:
        return None
    asked = plan.request.scores
    values = evaluate([read_image(path)], [case.prompt], asked) if asked else {}
    scores = {name: column[0] for name, column in values.items()}
    return Result(png=b"", trace={"last_loss": entry.notes.get("loss")}, scores=scores, seconds=None)
