"""Phase 'detector': learn to name what an image holds, and to call `other` what is no clean object.

Half of the training scenes hold a fake: two sprites blended, two halves joined, a smeared sprite, or a fragment of one.
Some animals are painted, and some objects are painted in two colours, so that leaked colours are recognised too.
Images are bent a little, blurred, shifted in colour and made noisy, as generated ones are.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import affine_grid, cross_entropy, grid_sample, interpolate, l1_loss

from heedful.world.detector import CLASS_LABELS, COLOUR_LABELS, MIXED, NATURAL, OTHER, STRIDE, DetectorNetwork, split
from heedful.world.render import box, layer
from heedful.world.scene import CANVAS, NEAR_NATURAL, Item, Scene, random_scene
from heedful.world.style import APART, Style
from heedful.world.training.batches import step_rng, to_tensor, torch_generator
from heedful.world.training.loop import Phase
from heedful.world.training.recipe import Recipe
from heedful.world.vocabulary import ANIMALS, CLASSES, COLOURS

GRID = CANVAS // STRIDE
Truth = tuple[str, str, tuple[int, int, int, int]]


class DetectorPhase(Phase):
    """Focal loss on centres (Zhou et al. 2019, arXiv 1904.07850, equation 1), cross-entropy on class and colour, L1 on
    the box; a fake has class `other` and no colour to learn.
    """

    def __init__(self, recipe: Recipe, device: torch.device, autoencoder: Any = None) -> None:
        torch.manual_seed(recipe.seed + 2)
        self.name = "detector"
        self.recipe = recipe
        self.device = device
        self.autoencoder = autoencoder
        """If there is one, half of the images are what it makes of slightly wrong latents, as generated ones are."""
        self.network = DetectorNetwork()
        self.modules = nn.ModuleDict({"network": self.network}).to(device)
        self.steps = recipe.detector_steps

    def loss(self, step: int) -> Tensor:
        """Loss of a batch of images with fakes among them."""
        rng = step_rng(self.recipe.seed, self.name, step)
        drawn = [training_image(rng, self.recipe.style) for _ in range(self.recipe.detector_batch)]
        generator = torch_generator(rng)
        images = _spoiled(to_tensor(np.stack([image for image, _ in drawn])), generator)
        with torch.autocast(self.device.type, torch.bfloat16, self.recipe.bfloat16):
            if self.autoencoder is not None:
                images[::2] = _decoded(self.autoencoder, images[::2], generator)
            grid = self.network(images.to(self.device))
        centre, classes, colours, sides = split(grid.float())
        heat, cells, names, paints, distances = (part.to(self.device) for part in _targets([t for _, t in drawn]))
        item, row, column = cells.T
        loss = _focal(centre[:, 0], heat)
        loss = loss + cross_entropy(classes[item, :, row, column], names, label_smoothing=0.02)
        loss = loss + cross_entropy(colours[item, :, row, column], paints, ignore_index=-1, label_smoothing=0.02)
        return loss + 0.1 * l1_loss(sides[item, :, row, column], distances)


def training_image(rng: np.random.Generator, style: Style = APART) -> tuple[np.ndarray, list[Truth]]:
    """An image (64, 64, 3) uint8 and what it holds: (class, colour, box) of every object and fake.

    A box is that of the whole object, also where another object covers a part.
    """
    count = int(rng.choice((0, 1, 2, 3, 4), p=(0.02, 0.34, 0.44, 0.15, 0.05)))
    # a part of the scenes are composed plainly, so that one detector serves both kinds
    is_plain = style == APART or bool(rng.random() < 0.3)
    scene = _crowd(rng, count, APART if is_plain else style)
    canvas = np.empty((CANVAS, CANVAS, 3), dtype=np.float32)
    canvas[:] = scene.tint
    truths: list[Truth] = []
    for item in scene.items:
        kind = str(rng.choice(("clean", "painted", "fake"), p=(0.66, 0.12, 0.22)))
        if kind == "fake":
            truths.append((OTHER, MIXED, _paste_fake(rng, canvas, item)))
        elif kind == "painted":
            truths.append(_paste_painted(rng, canvas, item))
        else:
            _blend(canvas, *layer(item, CANVAS))
            truths.append((item.name, item.colour or NATURAL, box(item, CANVAS)))
    return canvas.round().clip(0, 255).astype(np.uint8), truths


def _crowd(rng: np.random.Generator, count: int, style: Style) -> Scene:
    """A scene like those of training, but pairs kept out there may meet here, and a class may come twice."""
    if count == 0:
        return Scene((), "gray", random_scene(rng, count=1).tint, "")
    unseen = count > 1 and bool(rng.random() < 0.3)
    scene = random_scene(rng, count=min(count, 3), unseen_pairs=unseen, style=style)
    items = list(scene.items)
    if count >= 2 and rng.random() < 0.3:
        twin = items[0]
        items[1] = Item(twin.name, twin.colour, items[1].x, items[1].y, items[1].size, not twin.mirrored)
    return Scene(tuple(items), scene.background, scene.tint, "")


def _paste_painted(rng: np.random.Generator, canvas: np.ndarray, item: Item) -> Truth:
    choices = [colour for colour in COLOURS if colour not in NEAR_NATURAL.get(item.name, ()) and colour != item.colour]
    first = str(rng.choice(choices))
    painted = Item(item.name, first, item.x, item.y, item.size, item.mirrored, item.angle)
    if item.name in ANIMALS and rng.random() < 0.6:
        _blend(canvas, *layer(painted, CANVAS))
        return item.name, first, box(item, CANVAS)
    alpha, one = layer(item, CANVAS)
    _, two = layer(painted, CANVAS)
    _blend(canvas, alpha, np.where(_half(rng, item), one, two))
    return item.name, MIXED, box(item, CANVAS)


def _half(rng: np.random.Generator, item: Item) -> np.ndarray:
    """A half-plane through an item's middle: (64, 64, 1) bool."""
    angle = rng.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[:CANVAS, :CANVAS]
    return ((columns - item.x) * np.cos(angle) + (rows - item.y) * np.sin(angle) > 0)[..., None]


def _paste_fake(rng: np.random.Generator, canvas: np.ndarray, item: Item) -> tuple[int, int, int, int]:
    alpha, colours = layer(item, CANVAS)
    kind = str(rng.choice(("blend", "halves", "smear", "fragment")))
    if kind in ("blend", "halves"):
        name = str(rng.choice([name for name in CLASSES if name != item.name]))
        colour = None if name in ANIMALS else str(rng.choice(COLOURS))
        other = Item(name, colour, item.x, item.y, item.size, item.mirrored, item.angle)
        alpha_two, colours_two = layer(other, CANVAS)
        share = rng.uniform(0.35, 0.65) if kind == "blend" else _half(rng, item).astype(np.float32)
        total = np.maximum(alpha * (1 - share) + alpha_two * share, 1e-6)
        colours = (colours * alpha * (1 - share) + colours_two * alpha_two * share) / total
        alpha = np.minimum(total * (1.6 if kind == "blend" else 1), 1)
    elif kind == "smear":
        alpha, colours = _smeared(rng, alpha, colours)
    else:
        keep = _half(rng, item)
        shift = int(0.12 * item.size)
        keep = np.roll(keep, (int(rng.integers(-shift, shift + 1)), int(rng.integers(-shift, shift + 1))), (0, 1))
        alpha = alpha * keep
    _blend(canvas, alpha, colours)
    rows, columns = np.nonzero(alpha[..., 0] > 0.3)
    if len(rows) == 0:
        return box(item, CANVAS)
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def _smeared(rng: np.random.Generator, alpha: np.ndarray, colours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Move pixels along a smooth random field, strongly enough that the object cannot be named."""
    coarse = torch.from_numpy(rng.normal(0, 1, (1, 2, 8, 8)).astype(np.float32))
    field = interpolate(coarse, size=(CANVAS, CANVAS), mode="bicubic")[0].numpy() * rng.uniform(6, 9)
    rows, columns = np.mgrid[:CANVAS, :CANVAS]
    source = np.clip(np.stack([rows, columns]) + field, 0, CANVAS - 1).round().astype(int)
    return alpha[source[0], source[1]], colours[source[0], source[1]]


def _blend(canvas: np.ndarray, alpha: np.ndarray, colours: np.ndarray) -> None:
    canvas += alpha * (colours - canvas)


def _spoiled(images: Tensor, generator: torch.Generator) -> Tensor:
    """Bends of about a pixel, blur, tint and noise of random strength, each image its own."""
    batch = len(images)
    images = grid_sample(images, _bent_grid(batch, generator), padding_mode="border", align_corners=False)
    small = interpolate(images, scale_factor=0.5, mode="bilinear", antialias=True)
    blurred = interpolate(small, scale_factor=2.0, mode="bicubic")
    share = torch.rand(batch, 1, 1, 1, generator=generator).mul(1.4).sub(0.6).clamp(min=0)
    images = images + share * (blurred - images)
    images = images + 0.06 * torch.randn(batch, 3, 1, 1, generator=generator)
    strength = 0.06 * torch.rand(batch, 1, 1, 1, generator=generator)
    return (images + strength * torch.randn(images.shape, generator=generator)).clamp(-1, 1)


@torch.no_grad()
def _decoded(autoencoder: Any, images: Tensor, generator: torch.Generator) -> Tensor:
    """Encode, add noise of random strength (up to 0.3 of the latents' variance of 1), and decode."""
    latents = autoencoder.encode(images.to(autoencoder.device)).latent_dist.mode()
    strength = 0.3 * torch.rand(len(images), 1, 1, 1, generator=generator)
    noise = strength * torch.randn(latents.shape, generator=generator)
    return autoencoder.decode(latents + noise.to(latents)).sample.clamp(-1, 1).to(images)


def _bent_grid(batch: int, generator: torch.Generator) -> Tensor:
    """Sampling positions (batch, 64, 64, 2) moved along smooth random fields, half of them by up to 1.2 pixels RMS."""
    strength = torch.rand(batch, 1, 1, 1, generator=generator).mul(2.4).sub(1.2).clamp(min=0) * 2 / CANVAS
    field = torch.randn(batch, 2, 9, 9, generator=generator)
    smooth = interpolate(field, size=(CANVAS, CANVAS), mode="bilinear", align_corners=True)
    still = affine_grid(torch.eye(2, 3).expand(batch, 2, 3), [batch, 3, CANVAS, CANVAS], align_corners=False)
    return still + strength * smooth.permute(0, 2, 3, 1)


def _targets(truths: list[list[Truth]]) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Centre heat (batch, 16, 16), and per object: its cell (item, row, column), class, colour and sides in cells."""
    heat = torch.zeros(len(truths), GRID, GRID)
    rows, columns = torch.meshgrid(torch.arange(GRID) + 0.5, torch.arange(GRID) + 0.5, indexing="ij")
    cells, names, paints, distances = [], [], [], []
    for index, truth in enumerate(truths):
        for name, colour, (left, top, right, bottom) in truth:
            x, y = (left + right) / 2 / STRIDE, (top + bottom) / 2 / STRIDE
            row, column = min(int(y), GRID - 1), min(int(x), GRID - 1)
            bump = torch.exp(-((rows - row - 0.5) ** 2 + (columns - column - 0.5) ** 2) / 2)
            heat[index] = torch.maximum(heat[index], bump)
            cells.append((index, row, column))
            names.append(CLASS_LABELS.index(name))
            paints.append(-1 if name == OTHER else COLOUR_LABELS.index(colour))
            middle_x, middle_y = column + 0.5, row + 0.5
            distances.append(
                (
                    middle_x - left / STRIDE,
                    middle_y - top / STRIDE,
                    right / STRIDE - middle_x,
                    bottom / STRIDE - middle_y,
                )
            )
    return heat, torch.tensor(cells).reshape(-1, 3), torch.tensor(names), torch.tensor(paints), torch.tensor(distances)


def _focal(logits: Tensor, heat: Tensor) -> Tensor:
    share = logits.sigmoid()
    at_centre = heat == 1
    hits = -((1 - share) ** 2) * nn.functional.logsigmoid(logits) * at_centre
    misses = (1 - heat) ** 4 * share**2 * nn.functional.softplus(logits)
    return (hits + misses * ~at_centre).sum() / at_centre.sum().clamp(min=1)
