"""Keys of the concepts that are moved while a pipeline runs."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from heedful.errors import SettingsError
from heedful.guidance import Head, KeyShift, guide
from heedful.guidance.methods import A_STAR, NONE, OSI
from tests.pipelines import latents_of
from tests.transformer_pipelines import tiny_flux, tiny_sd3

TWO = "a cat and a dog"


def head_of(pipe: Any, number: int = 0, block: int = 0) -> Head:
    width = pipe.transformer.config.attention_head_dim
    direction = (1.0, *[0.0] * (width - 1))
    return Head(site=f"transformer_blocks.{block}.attn", number=number, direction=direction, spread=2.0, score=0.9)


def shifted(pipe: Any, **changes: Any) -> Any:
    return replace(NONE.settings_for(pipe.transformer), key_shift=KeyShift(**{"heads": (head_of(pipe),)} | changes))


@pytest.mark.parametrize("make", [tiny_sd3, tiny_flux])
def test_keys_of_the_concepts_move_and_all_is_as_before_afterwards(make: Any) -> None:
    pipe = make()
    plain = latents_of(pipe, TWO)
    with guide(pipe, TWO, OSI, settings=shifted(pipe)):
        moved = latents_of(pipe, TWO)
    assert moved.isfinite().all() and not moved.equal(plain)
    with guide(pipe, TWO, OSI, settings=shifted(pipe, strength=0.0)):
        assert latents_of(pipe, TWO).equal(plain)
    with guide(pipe, TWO, OSI, settings=shifted(pipe, guided=0.0)):
        assert latents_of(pipe, TWO).equal(plain)
    assert latents_of(pipe, TWO).equal(plain)


def test_shift_is_so_many_standard_deviations_of_the_nouns_in_the_chosen_head_and_the_conditional_rows() -> None:
    pipe: Any = tiny_sd3()
    shift = KeyShift(heads=(head_of(pipe, number=1),), strength=3.0)
    keys = torch.zeros(4, 2, 200, pipe.transformer.config.attention_head_dim)
    prompts = []
    with guide(pipe, [TWO, "a frog"], NONE) as guided:
        prompts = list(guided.prompts)

    moved = shift.moved("transformer_blocks.0.attn", keys, (2, 3), prompts)
    expected = torch.zeros_like(keys)
    for row, prompt in zip((2, 3), prompts, strict=True):
        for concept in prompt.concepts:
            expected[row, 1, list(concept.token_indices), 0] = 3.0 * 2.0
    assert moved.equal(expected)
    assert shift.moved("transformer_blocks.1.attn", keys, (2, 3), prompts) is keys


def test_control_has_the_same_heads_and_lengths_in_directions_of_a_seed() -> None:
    shift = KeyShift(heads=(head_of(tiny_sd3()), head_of(tiny_sd3(), number=1)))
    control = shift.randomised(seed=1)
    assert control == shift.randomised(seed=1) != shift.randomised(seed=2)
    assert [(it.site, it.number, it.spread) for it in control.heads] == [
        (it.site, it.number, it.spread) for it in shift.heads
    ]
    assert [sum(value**2 for value in it.direction) for it in control.heads] == pytest.approx([1.0, 1.0])
    assert control.heads[0].direction != control.heads[1].direction


def test_what_cannot_be_moved_is_refused() -> None:
    pipe: Any = tiny_sd3()
    with pytest.raises(SettingsError, match="fit_probes"), guide(pipe, TWO, OSI):
        pass
    stranger = replace(head_of(pipe), site="up_blocks.9.attn2")
    with (
        pytest.raises(SettingsError, match="heads at sites of this denoiser, got up_blocks"),
        guide(pipe, TWO, OSI, settings=shifted(pipe, heads=(stranger,))),
    ):
        pass
    with pytest.raises(SettingsError, match="without a loss"), guide(pipe, TWO, A_STAR, settings=shifted(pipe)):
        pass
