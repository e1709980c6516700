import torch

from heedful.world.latents import PatchProjection


def test_the_projection_keeps_what_its_components_span() -> None:
    images = torch.rand(64, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    projection = PatchProjection.fit(images)
    latents = projection.encode(images)
    assert latents.shape == (64, 8, 4, 4)
    torch.testing.assert_close(projection.encode(projection.decode(latents)), latents, rtol=1e-4, atol=1e-4)


def test_latents_have_unit_variance_over_all_channels() -> None:
    images = torch.rand(64, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    latents = PatchProjection.fit(images).encode(images)
    assert abs(latents.var(dim=(0, 2, 3)).mean().item() - 1) < 0.02
