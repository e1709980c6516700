import numpy as np
import pytest

from heedful.errors import ModelNotFound
from heedful.world import sprites
from heedful.world.render import box, layer, masks, render
from heedful.world.scene import Item, Scene, random_scene
from heedful.world.vocabulary import CLASSES, COLOURS


@pytest.mark.usefixtures("drawn_sprites")
def test_a_render_differs_from_its_background_only_where_objects_are() -> None:
    for seed in range(20):
        scene = random_scene(np.random.default_rng(seed), count=2)
        changed = (render(scene) != np.array(scene.tint, dtype=np.uint8)).any(axis=-1)
        covered = np.any([layer(item, scene.canvas)[0][..., 0] > 0 for item in scene.items], axis=0)
        assert not (changed & ~covered).any()
        assert masks(scene).any(axis=(1, 2)).all()


@pytest.mark.usefixtures("drawn_sprites")
@pytest.mark.parametrize("name", CLASSES)
def test_the_box_holds_the_mask_of_every_class(name: str) -> None:
    item = Item(name, None, 30, 34, 28, mirrored=True, angle=5)
    left, top, right, bottom = box(item, 64)
    rows, columns = np.nonzero(masks(Scene((item,), "gray", (206, 206, 208), ""))[0])
    assert left <= columns.min() < columns.max() < right
    assert top <= rows.min() < rows.max() < bottom


@pytest.mark.usefixtures("drawn_sprites")
def test_painted_sprites_of_two_colours_differ_in_mean_by_a_clear_step() -> None:
    means = {}
    for colour in COLOURS:
        rgba = np.asarray(sprites.sprite("apple", colour), dtype=float)
        means[colour] = rgba[rgba[..., 3] > 128][:, :3].mean(axis=0)
    for one in COLOURS:
        for other in COLOURS:
            assert one == other or np.abs(means[one] - means[other]).max() > 25


def test_without_the_font_the_error_names_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setattr(sprites, "FONT", tmp_path / "missing.ttf")
    with pytest.raises(ModelNotFound, match="apt-get install fonts-noto-color-emoji"):
        sprites._glyph("cat")


def test_white_sprites_have_an_outline_that_others_lack() -> None:
    """The rim is gray, the middle stays white."""
    white, yellow = (np.asarray(sprites.sprite("bowl", colour), dtype=float) for colour in ("white", "yellow"))
    column = white.shape[1] // 2
    seen = np.flatnonzero(white[:, column, 3] > 250)
    rim, middle = white[seen[0] + 1, column, :3], white[seen[len(seen) // 2], column, :3]
    assert rim.max() < 140 < 220 < middle.min()
    assert yellow[seen[0] + 1, column, 0] > 200
