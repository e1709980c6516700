"""Every form in which denoisers take latents becomes a grid and comes back, with all that is not latents as it was."""

from typing import Any

import pytest
import torch

from heedful.attention.latent_forms import Form

SIZE = (4, 6)


def given(kind: str) -> Any:
    if kind == "packed":
        return torch.randn(2, 4 * 6 + 5, 7)  # cells of another image, channels of a mask
    if kind == "listed":
        return list(torch.randn(2, 7, 1, 4, 6))
    return torch.randn(2, 7, 2, 2, 6) if kind == "frames" else torch.randn(2, 7, 4, 6)


@pytest.mark.parametrize("kind", ["grid", "packed", "listed", "frames"])
def test_latents_become_a_grid_and_come_back(kind: Any) -> None:
    form, latents = Form(kind), given(kind)
    assert form.rows(latents) == 2
    if kind != "packed":
        assert form.size(latents) == SIZE
    grid = form.unpack(latents, SIZE)
    assert grid.shape == (2, 7, 4, 6)
    same = form.put(latents, grid)
    assert all(mine.equal(theirs) for mine, theirs in zip(same, latents, strict=True))
    other = torch.randn(2, 3, 4, 6)
    put = form.put(latents, other)
    assert form.unpack(put, SIZE)[:, :3].equal(other)
    assert form.unpack(put, SIZE)[:, 3:].equal(grid[:, 3:])
    if kind == "packed":
        assert put[:, 24:].equal(latents[:, 24:])


@pytest.mark.parametrize("kind", ["grid", "packed", "listed", "frames"])
def test_scheduler_gets_the_form_that_it_has(kind: Any) -> None:
    form, latents, grid = Form(kind), given(kind), torch.randn(2, 7, 4, 6)
    like = latents if isinstance(latents, torch.Tensor) else torch.stack(latents)
    scheduled = form.for_scheduler(grid, like)
    assert scheduled.shape == {"packed": (2, 24, 7), "frames": (2, 7, 2, 2, 6)}.get(kind, (2, 7, 4, 6))
    assert form.from_scheduler(scheduled, SIZE).equal(grid)


def test_prediction_of_a_list_is_one_tensor_with_the_sign_of_its_pipeline() -> None:
    rows = given("listed")
    assert Form("listed").predicted(rows, 3, SIZE, -1).equal(-torch.stack(rows).squeeze(2)[:, :3])
    packed = given("packed")
    assert Form("packed").predicted(packed, 3, SIZE, 1).equal(packed[:, :24])
