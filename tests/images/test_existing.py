"""Maps of an image that is there: of this image, and of nothing that is generated."""

import torch
from PIL import Image

from heedful.images import maps_of_image
from tests.pipelines import tiny_pipeline


def test_a_denoiser_reads_the_image_with_each_steps_noise() -> None:
    pipe = tiny_pipeline()
    seen: list[torch.Tensor] = []
    pipe.unet.register_forward_pre_hook(lambda _module, args: seen.append(args[0]))
    image = Image.new("RGB", (40, 40), "teal")
    maps = maps_of_image(pipe, image, "a cat and a dog", steps=4, seed=3)
    assert len(maps) == len(seen) == 4 and maps["cat"].shape[:2] == (1, 4)
    # at the last step little noise is left: what the denoiser gets is the image, as the autoencoder has it
    pixels = torch.full((1, 3, *(side * pipe.vae_scale_factor for side in seen[-1].shape[-2:])), 0.0)
    pixels[:, 0], pixels[:, 1], pixels[:, 2] = -1.0, 128 / 127.5 - 1, 128 / 127.5 - 1
    clean = pipe.vae.encode(pixels).latent_dist.mean * pipe.vae.config.scaling_factor
    first, last = ((latents - clean).abs().mean() for latents in (seen[0], seen[-1]))
    assert last < first / 2
    other = maps_of_image(pipe, Image.new("RGB", (40, 40), "white"), "a cat and a dog", steps=4, seed=3)
    assert torch.equal(maps["cat"][:, 0], other["cat"][:, 0])  # noise alone
    assert not torch.equal(maps["cat"][:, 3], other["cat"][:, 3])
