"""Heads that a probe has found reach OSI and its control; what is no list of heads is refused in words."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from headroom_rules import parse_setting
from key_heads import read_heads, with_heads
from results import _chosen  # pyright: ignore[reportPrivateUsage]

import heedful
from heedful.attention import find_denoiser
from heedful.errors import SettingsError
from heedful.guidance import Head, guide
from heedful.guidance.methods import OSI
from heedful.images import Sampling, sample

PROMPT = "a cat and a dog"
SITE = "transformer_blocks.2.attn"


def _heads() -> list[Head]:
    direction = tuple([1.0] + [0.0] * 23)
    return [Head(site=SITE, number=number, direction=direction, spread=0.5, score=0.9) for number in range(4)]


def test_the_best_share_of_the_heads_is_read(tmp_path: Path) -> None:
    path = tmp_path / "heads.json"
    path.write_text(json.dumps([asdict(head) for head in _heads()]))
    assert read_heads(path, 0.5) == tuple(_heads()[:2])
    assert len(read_heads(path, 0.01)) == 1


@pytest.mark.parametrize("text", ["", "{}", '[{"site": "a"}]', "[1]"])
def test_what_is_no_list_of_heads_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "heads.json"
    path.write_text(text)
    with pytest.raises(SettingsError, match="Run it for this model first"):
        read_heads(path, 0.5)


def test_osi_and_its_control_move_the_same_keys_as_far_in_other_directions() -> None:
    denoiser = find_denoiser(heedful.world.load("joint"))
    found = {
        name: settings for name, _, settings in _chosen("osi,osi-random", "osi=2@0.3", False, denoiser, tuple(_heads()))
    }
    shifts = {name: settings.key_shift for name, settings in found.items() if settings is not None}
    osi, control = shifts["osi"], shifts["osi-random"]
    assert osi is not None and control is not None
    assert (osi.strength, osi.guided) == (control.strength, control.guided) == (2, 0.3)
    assert osi.heads == tuple(_heads())
    assert [head.number for head in control.heads] == [head.number for head in osi.heads]
    assert all(one.direction != other.direction for one, other in zip(osi.heads, control.heads, strict=True))


def test_osi_changes_images_of_the_joint_model_and_needs_its_heads() -> None:
    pipe = heedful.world.load("joint")
    pipe.set_progress_bar_config(disable=True)
    settings = parse_setting("5@0.5").of(OSI.settings_for(find_denoiser(pipe)))
    sampling = Sampling(steps=2, guidance_scale=3.0, batch_size=1)
    plain = sample(pipe, sampling, [PROMPT], [0])
    with guide(pipe, PROMPT, OSI, settings=with_heads(settings, tuple(_heads()))):
        moved = sample(pipe, sampling, [PROMPT], [0])
    assert abs(moved - plain).max() > 1e-4
    with pytest.raises(SettingsError, match="fit_probes"), guide(pipe, PROMPT, OSI, settings=replace(settings)):
        pass
