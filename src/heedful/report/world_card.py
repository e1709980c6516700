"""The sections of a model card that programs write: figures that `heedful world evaluate` measured, and samples."""

import re
from collections.abc import Mapping
from textwrap import wrap
from typing import Any

from heedful.lab import POINTING_KINDS, POINTING_THIRDS
from heedful.report.markdown import table, with_interval
from heedful.report.world_sheet import CARD_ROWS

HEADING = "## Figures"
_SAMPLES = "## Samples"
_SUITES = {"single": "156 single concepts", "two": "276 two concepts", "three": "60 three concepts"}
_STEPS = 20
_HEAD = re.compile(r"(?P<block>\S+) \((?P<way>.+), head (?P<head>\d+)\)")
"""Maps of one head of a joint attention (`heedful.lab.joint_maps`)."""
_FAULTS = {"neglect": "missing", "leakage": "leaked", "hybrid": "hybrid", "duplicate": "duplicate", "extra": "extra"}


def with_figures(card: str, figures: Mapping[str, Any]) -> str:
    """Return the card with its section of figures replaced by one that is made from `figures`."""
    return _with_section(card, HEADING, figures_section(figures))


def with_samples(card: str, picture: str, command: str) -> str:
    """Return the card with the file `picture` beside it, which `command` has made, in a section of its own.

    The section takes the place of the one that is there, or stands before all others.
    """
    above, below = (", ".join(f'"{prompt}"' for prompt in row) for row in CARD_ROWS)
    lines = [
        _SAMPLES,
        "",
        f"![Two rows of six images: single concepts, and pairs]({picture})",
        "",
        *wrap(f"Above: {above}. Below: {below}.", 120),
        f"`{command}`; guidance scale 3, no attention guidance, no image chosen.",
    ]
    return _with_section(card, _SAMPLES, "\n".join(lines) + "\n")


def _with_section(card: str, heading: str, section: str) -> str:
    """Return the card with a section in the place of the one with its heading, or before all others."""
    before, found, rest = card.partition(f"{heading}\n")
    if not found:
        before, following, after = card.partition("\n## ")
        return f"{before}\n{section}{following}{after}"
    _, following, after = rest.partition("\n## ")
    return f"{before}{section}{following}{after}"


def figures_section(figures: Mapping[str, Any]) -> str:
    """Return the figures as Markdown, heading included."""
    parts = [HEADING, "", _preamble(figures), "", _suites(figures), "", _parts(figures)]
    if "pointing" in figures:
        parts += ["", _pointing(figures["pointing"])]
    return "\n".join(parts).rstrip() + "\n"


def pointing_table(figures: Mapping[str, Any]) -> str:
    """Return the figures as a Markdown table, one row per site and kind of map, best first; then single heads."""
    lines = ["| site | maps | cells | chance | early | middle | late | all steps [95 %] |", f"|{'---|' * 8}"]
    rows = [(site, says, row) for kind, says in POINTING_KINDS.items() for site, row in figures.get(kind, {}).items()]
    rows = [row for row in rows if _HEAD.fullmatch(row[0]) is None]
    for site, says, row in sorted(rows, key=lambda each: -each[2]["all"]["value"]):
        thirds = " | ".join(
            f"{row['thirds'][third]['value']:.2f}" if "thirds" in row else "" for third in POINTING_THIRDS
        )
        whole = with_interval(row["all"])
        lines.append(f"| {site} | {says} | {row['cells']}x{row['cells']} | {row['chance']:.2f} | {thirds} | {whole} |")
    return "\n".join([*lines, *_heads(figures.get("smoothed_mean", {}))]) + "\n"


def _heads(sites: Mapping[str, Any]) -> list[str]:
    """Return tables of single heads, one per way of reading, a row per block."""
    found = [(match, row["all"]["value"]) for site, row in sites.items() if (match := _HEAD.fullmatch(site))]
    lines: list[str] = []
    for way in dict.fromkeys(match["way"] for match, _ in found):
        cells = {(match["block"], int(match["head"])): value for match, value in found if match["way"] == way}
        heads = sorted({head for _, head in cells})
        blocks = dict.fromkeys(block for block, _ in cells)
        rows = [[block, *(f"{cells[block, head]:.2f}" for head in heads)] for block in blocks]
        title = f"{way[0].upper()}{way[1:]}, by head, smoothed, mean of the steps:"
        lines += ["", title, *table(["block", *(f"head {head}" for head in heads)], rows)[:-1]]
    return lines


def _preamble(figures: Mapping[str, Any]) -> str:
    rows = {suite: _rows(figures, suite) for suite in _SUITES}
    seeds = {suite: rows[suite][0]["images"] // int(name.split()[0]) for suite, name in _SUITES.items()}
    options = " ".join(f"--{suite}-seeds {count}" for suite, count in seeds.items())
    steps = [str(_steps(row)) for row in rows["single"]]
    options += f" --single-steps {','.join(steps)}" if steps != [str(_STEPS)] else ""
    # figures written before there were several models are of the first
    name = f"{figures['world']} " if "world" in figures else ""
    return (
        f"`heedful world evaluate {name}{options} --threads {figures['speed']['threads']}` on a CPU;\n"
        f"{figures.get('sampler', 'DDIM')}, guidance scale 3, no attention guidance. "
        "Right means every concept exactly once, in its\n"
        "colour, and nothing else, by the detector; an image can have several faults. Leaked means that an object\n"
        "holds a colour of another concept, or one that nobody asked for. Intervals are 95 %, over prompts."
    )


def _suites(figures: Mapping[str, Any]) -> str:
    lines = [
        f"| prompts | steps | images | right | {' | '.join(_FAULTS.values())} |",
        f"|{'---|' * (4 + len(_FAULTS))}",
    ]
    for name, row in ((name, row) for suite, name in _SUITES.items() for row in _rows(figures, suite)):
        right = with_interval(row["success"])
        faults = " | ".join(f"{row[fault]:.3f}" for fault in _FAULTS)
        lines.append(f"| {name} | {_steps(row)} | {row['images']} | {right} | {faults} |")
    two = figures["two"]
    kinds = ", ".join(f"{kind} {share:.3f}" for kind, share in two["by_kind"].items())
    lines += [
        "",
        f"Right among the two-concept prompts: {kinds}; class pairs that met in training\n"
        f"{two['seen_pairs']:.3f}, pairs that never did {two['unseen_pairs']:.3f}. "
        f"Worst single prompts: {_worst(_rows(figures, 'single')[0])}.",
    ]
    return "\n".join(lines)


def _rows(figures: Mapping[str, Any], suite: str) -> list[Mapping[str, Any]]:
    """Return what was measured of a suite, one row per number of denoising steps, fewest first."""
    rows = [row for name, row in figures.items() if name == suite or name.startswith(f"{suite}-")]
    return sorted(rows, key=_steps)


def _steps(row: Mapping[str, Any]) -> int:
    """Return the denoising steps of a row; figures written before there was a choice are all of 20."""
    return row.get("steps", _STEPS)


def _worst(suite: Mapping[str, Any]) -> str:
    return ", ".join(f'"{prompt}" {share:.2f}' for prompt, share in list(suite["worst_prompts"].items())[:5])


def _parts(figures: Mapping[str, Any]) -> str:
    speed, loading = figures["speed"], figures["loading"]
    rows: dict[str, str] = {}
    if "detector" in figures:
        detector, objects = figures["detector"], figures["detector"]["objects"]
        rows[f"detector, {detector['renders']} held-out renders"] = (
            f"by object: class {objects['class']:.4f}, colour {objects['colour']:.4f}; by image: count "
            f"{detector['count']:.4f}, everything {detector['exact']:.4f}"
        )
    if "clip" in figures:
        clip = figures["clip"]
        rows[f"CLIP, {clip['sets']:.0f} x {clip['captions']:.0f} held-out captions"] = (
            f"caption to image {clip['caption_to_picture']:.3f}, back {clip['picture_to_caption']:.3f}; "
            f"preferred to a caption with one error {clip['wrong_caption']:.3f}"
        )
    rows |= {
        f"autoencoder, {figures['autoencoder']['renders']} held-out renders": (
            f"encode and decode: {figures['autoencoder']['psnr']:.1f} dB PSNR"
        ),
        "speed": (
            f"{speed['images_per_second']:.2f} images per second, batch of {speed['batch']}, 25 steps with "
            f"classifier-free guidance, {speed['threads']} threads"
        ),
        "loading": f"{loading['seconds']:.1f} s, imports of torch and diffusers apart",
    }
    return "\n".join(["| part | figure |", "|---|---|", *(f"| {part} | {text} |" for part, text in rows.items())])


def _pointing(pointing: Mapping[str, Any]) -> str:
    return (
        f"Does the peak of a concept's map lie in its object? Share of {pointing['objects']} objects, in images\n"
        "where each concept is once, by the third of the run in which the map was read; smoothed maps as\n"
        "Attend-and-Excite smooths them (sigma 0.5, 3x3 cells):\n\n" + pointing_table(pointing)
    )
