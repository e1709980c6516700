"""What a run takes unless another number is given."""

from dataclasses import replace

from heedful.models import ModelOptions, open_model


def test_an_embedded_model_and_others_have_their_usual_numbers() -> None:
    model = open_model(ModelOptions(device="cpu"))
    other = replace(model, is_world=False)
    assert (model.steps, model.guidance_scale, model.batch_size) == (20, 3, 8)
    assert (other.steps, other.guidance_scale, other.batch_size) == (50, 7.5, 1)
