"""Which guidance of which large model fits a card, and what it costs there, from what `large_models.py` counts."""

from typing import Any

from counting import GIB

from heedful.steering.settings import SELECTION, Settings

CARDS = (8, 12, 16, 24)
"""GiB."""
RESERVE = 1.0
"""GiB of a card that are left to CUDA, the gaps of the allocator and the desktop: an assumption."""
BITS = {"bf16": 16.0, "int8": 8.1, "int4": 4.5}
"""Bits of a weight of a linear layer, with its scales; all other weights stay in bf16."""
WAYS = ("plain, select", "guided, checkpoint", "guided")

Found = dict[str, Any]


def needs(found: Found, precision: str) -> dict[str, float]:
    """Return the GiB that the denoiser needs at the default sites, by way of guidance."""
    return {way: weights_gib(found, precision) + gib for way, gib in activations(found, precision).items()}


def needs_offloaded(found: Found) -> dict[str, float]:
    """Return the GiB that it needs with its blocks offloaded one by one, in bf16: two of them are there at a time."""
    sizes = found["weights"]
    there = (2 * sizes["block"] + sizes["outside"]) * 2 / GIB
    return {way: there + gib for way, gib in activations(found, "bf16").items() if way != "guided"}


def default(found: Found) -> dict[str, dict[str, float]]:
    """Return the gradient passes up to the default sites."""
    return next(passes for name, passes in found["passes"].items() if name.startswith("default"))


def weights_gib(found: Found, precision: str) -> float:
    """Return the GiB of the denoiser's weights."""
    sizes = found["weights"]
    bits = BITS[precision] * sizes["linear"] + 16 * (sizes["all"] - sizes["linear"])
    return bits / 8 / GIB


def activations(found: Found, precision: str) -> dict[str, float]:
    """Return the GiB that live at once beside the weights, by way of guidance; one weight at a time is dequantised."""
    passes = default(found)
    one = 0.0 if precision == "bf16" else found["weights"]["largest"] * 2 / GIB
    plain = found["rows"] * found["plain_gib"]  # all rows of a step go together
    peaks = {
        "plain, select": plain,
        "guided, checkpoint": max(passes["checkpoint"]["peak_gib"], plain),
        "guided": max(passes["kept"]["peak_gib"], plain),
    }
    return {way: peak + one for way, peak in peaks.items()}


def tables(found: dict[str, Found]) -> str:
    """Return everything as Markdown."""
    return "\n\n".join([_passes(found), _runs(found), _memory(found), _cards(found)])


def _passes(found: dict[str, Found]) -> str:
    lines = [
        "| model | forward TFLOP | sites read | forward | backward | exact | one-pass, prediction "
        "| both, checkpoint | saved GiB | peak GiB | peak, checkpoint |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, counted in found.items():
        for sites, passes in counted["passes"].items():
            one, again = passes["kept"], passes["checkpoint"]
            rows = counted["rows"]
            steps = [
                1 + (one["forward"] + one["backward"]) / rows,
                1 + one["backward"] / rows,
                1 + (again["forward"] + again["backward"]) / rows,
                1 + again["backward"] / rows,
            ]
            lines.append(
                f"| {name} | {counted['flops'] / 1e12:.2f} | {sites}: {one['sites']:.0f} | {one['forward']:.3f} "
                f"| {one['backward']:.3f} | {steps[0]:.2f} | {steps[1]:.2f} | {steps[2]:.2f}, {steps[3]:.2f} "
                f"| {one['saved_gib']:.2f} | {one['peak_gib']:.2f} | {again['peak_gib']:.2f} |"
            )
    return "\n".join(lines)


def _runs(found: dict[str, Found]) -> str:
    lines = [
        "| run of the model, half of it guided | exact | one-pass, prediction | exact, checkpoint | select, five |",
        "|---|---|---|---|---|",
    ]
    for name, counted in found.items():
        steps, rows = counted["steps"], counted["rows"]
        guided = Settings(guided=0.5).guided_steps(steps)
        looked_at = Settings(scheme="select").restart_step(steps) or 0
        one, again = default(counted)["kept"], default(counted)["checkpoint"]
        extra = [
            guided * (one["forward"] + one["backward"]),
            guided * one["backward"],
            guided * (again["forward"] + again["backward"]),
            SELECTION.tries * looked_at,
        ]
        cells = " | ".join(f"{1 + rows_more / (steps * rows):.2f}" for rows_more in extra)
        lines.append(f"| {name}, {guided} of {steps} steps | {cells} |")
    return "\n".join(lines)


def _memory(found: dict[str, Found]) -> str:
    lines = [
        f"| GiB that the denoiser needs | weights | {' | '.join(WAYS)} |",
        f"|---|---|{'---|' * len(WAYS)}",
    ]
    for name, counted in found.items():
        for precision in BITS:
            cells = " | ".join(f"{needs(counted, precision)[way]:.1f}" for way in WAYS)
            lines.append(f"| {name}, {precision} | {weights_gib(counted, precision):.1f} | {cells} |")
        ways = needs_offloaded(counted)
        cells = " | ".join(f"{ways[way]:.1f}" if way in ways else "" for way in WAYS)
        lines.append(f"| {name}, bf16, offloaded block by block | | {cells} |")
    return "\n".join(lines)


def _cards(found: dict[str, Found]) -> str:
    lines = [
        f"| guided, with {RESERVE:g} GiB to spare | {' | '.join(f'{card} GB' for card in CARDS)} |",
        f"|---|{'---|' * len(CARDS)}",
    ]
    lines += [f"| {name} | {' | '.join(best(counted, card) for card in CARDS)} |" for name, counted in found.items()]
    return "\n".join(lines)


def best(found: Found, card: float) -> str:
    """Return the most precise way of guidance by gradients that fits a card, or what else does."""
    room = card - RESERVE
    for precision in BITS:
        ways = needs(found, precision)
        for way, written in (("guided", precision), ("guided, checkpoint", f"{precision}, checkpoint")):
            if ways[way] <= room:
                return written
    offloaded = needs_offloaded(found)
    if offloaded["guided, checkpoint"] <= room:
        return "bf16, offloaded block by block"
    fits = [precision for precision in BITS if needs(found, precision)["plain, select"] <= room]
    if fits:
        return f"{fits[0]}, select"
    return "bf16, offloaded block by block, select" if offloaded["plain, select"] <= room else "none"
