"""The text that a pipeline's denoiser reads, and where a prompt's tokens stand in it."""

import re
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from diffusers.pipelines.pixart_alpha import pipeline_pixart_sigma

from heedful.attention import SiteSelection
from heedful.errors import PromptError, PromptTooLong, SettingsError, UnsupportedPipeline
from heedful.guidance import NONE, Settings, guide
from heedful.guidance.methods import A_STAR, AttendAndExciteLoss
from heedful.prompts import Prompt
from heedful.steering.texts import parse_prompt
from tests.every_pipeline import PIPELINES, PROMPTS
from tests.guidance.test_every_pipeline import settings_of
from tests.pipelines import latents_of, tiny_pipeline, tiny_sdxl_pipeline, tiny_unet
from tests.transformer_pipelines import tiny_flux, tiny_pixart, tiny_sd3

TWO = "a cat and a blue clock"
SETTINGS = Settings(
    sites=settings_of(PIPELINES["StableDiffusionPipeline"](), 0.3).sites, step_rule="rms", step_size=0.3
)


def indices(prompt: Prompt) -> list[tuple[int, ...]]:
    return [concept.token_indices for concept in prompt.concepts]


def test_flux_reads_t5_which_has_no_start_token() -> None:
    prompt = parse_prompt(tiny_flux(), TWO)
    assert indices(prompt) == [(1,), (5,)]
    assert (prompt.has_start, prompt.first) == (False, 0)


def test_stable_diffusion_3_reads_clip_and_behind_it_t5() -> None:
    prompt = parse_prompt(tiny_sd3(), TWO)
    assert indices(prompt) == [(2, 77 + 1), (6, 77 + 5)]
    assert prompt.concepts[1].modifiers[0].token_indices == (5, 77 + 4)
    assert prompt.reach == 77 + 6
    assert indices(parse_prompt(tiny_sd3(t5=False), TWO)) == [(2,), (6,)]


def test_pixart_reads_lower_case() -> None:
    assert parse_prompt(tiny_pixart(), " A Cat and a blue Clock").text == TWO


@pytest.fixture
def cleaning(monkeypatch: pytest.MonkeyPatch) -> None:
    """PixArt's own cleaning with stand-ins for the two packages that it asks for, of which it needs two functions."""
    module: Any = pipeline_pixart_sigma
    monkeypatch.setattr(module, "is_bs4_available", lambda: True)
    monkeypatch.setattr(module, "is_ftfy_available", lambda: True)
    plain = SimpleNamespace(fix_text=lambda text: text)
    monkeypatch.setattr(module, "ftfy", plain, raising=False)
    parse = lambda text, features: SimpleNamespace(text=re.sub("<[^>]*>", "", text))  # noqa: E731
    monkeypatch.setattr(module, "BeautifulSoup", parse, raising=False)


def clean(pipe: Any, prompt: str, clean_caption: bool = True) -> None:
    pipe(
        prompt, height=16, width=16, num_inference_steps=1, use_resolution_binning=False, max_sequence_length=32,
        clean_caption=clean_caption, output_type="latent",
    )  # fmt: skip


@pytest.mark.usefixtures("cleaning")
@pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")
def test_cleaned_caption_is_followed() -> None:
    pipe, written = tiny_pixart(), "A cat/dog and a blue clock"
    cleaned = pipe._text_preprocessing(written, clean_caption=True)[0]
    assert cleaned != written.lower()
    for is_cleaned, text in ((True, cleaned), (False, written.lower())):
        with guide(pipe, written, NONE, concepts=["dog", "blue clock"]) as guided:
            clean(pipe, written, is_cleaned)
        (prompt,) = guided.maps.prompts
        assert indices(prompt) == indices(Prompt.parse(text, pipe.tokenizer, ["dog", "blue clock"]))


@pytest.mark.usefixtures("cleaning")
@pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")
def test_word_that_cleaning_takes_away_is_named() -> None:
    pipe, written = tiny_pixart(), "a <cat1> and a blue clock"
    with (
        guide(pipe, written, NONE, concepts=["<cat1>", "blue clock"]),
        pytest.raises(PromptError, match=r"what the pipeline made of it.*<cat1>.*clean_caption=False"),
    ):
        clean(pipe, written)


def tiny_sd3_for_long_prompts() -> Any:
    pipe: Any = tiny_sd3()
    pipe.tokenizer_3.model_max_length = 256
    return pipe


def test_stable_diffusion_3_reads_by_t5_alone_what_clip_cuts_off() -> None:
    pipe = tiny_sd3_for_long_prompts()
    clip = pipe.tokenizer
    size = clip.model_max_length
    long = "a red car and " * (size // 4 - 1) + "a cat and a blue clock"
    first, cat, clock = parse_prompt(pipe, long, ["red car", "cat", "blue clock"]).concepts
    whole = clip(long, verbose=False).input_ids
    assert len(whole) > size
    assert (len(first.token_indices), len(cat.token_indices), len(clock.token_indices)) == (2, 2, 1)
    assert whole[cat.token_indices[0]] == clip.convert_tokens_to_ids("cat</w>")
    assert clock.token_indices[0] == cat.token_indices[1] + 4 and clock.token_indices[0] > size
    (blue,) = clock.modifiers
    assert blue.token_indices == (clock.token_indices[0] - 1,)
    short = parse_prompt(pipe, long)
    assert (len(short.tokens), short.tokens[-1], short.end) == (size, clip.eos_token, size - 1)


@pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")
def test_stable_diffusion_3_is_guided_by_a_word_that_clip_cuts_off() -> None:
    pipe = tiny_sd3_for_long_prompts()
    long = "a red car and " * (pipe.tokenizer.model_max_length // 4) + "a blue clock"
    losses = []
    for step_size in (0.0, 0.3):
        settings = Settings(step_rule="rms", step_size=step_size, guided=1.0, sites=SiteSelection())
        with guide(pipe, long, AttendAndExciteLoss(), ["blue clock"], settings=settings) as guided:
            pipe(long, height=16, width=24, num_inference_steps=2, max_sequence_length=128, output_type="latent",
                 generator=torch.Generator().manual_seed(0))  # fmt: skip
        losses.append(guided.trace[-1].loss[0])
    assert losses[1] < losses[0]


def test_stable_diffusion_3_without_t5_says_what_cuts_its_prompt() -> None:
    with pytest.raises(PromptTooLong, match="beyond the limit") as caught:
        parse_prompt(tiny_sd3(t5=False), "a cat " * 40)
    assert "with its T5" in str(caught.value)
    assert "chunked" not in str(caught.value)


def test_refiner_reads_its_second_tokenizer() -> None:
    pipe = tiny_sdxl_pipeline()
    pipe.tokenizer = None
    assert indices(parse_prompt(pipe, TWO)) == [(2,), (6,)]


def test_pipeline_without_a_tokenizer_is_refused() -> None:
    pipe = tiny_pipeline()
    loop = SimpleNamespace(unet=pipe.unet, scheduler=pipe.scheduler)
    with pytest.raises(UnsupportedPipeline, match="with a tokenizer"), guide(loop, TWO, NONE):
        pass


def test_denoiser_without_attention_to_text_is_refused_on_entry() -> None:
    pipe = tiny_pipeline()
    blind = {"down_block_types": ("DownBlock2D",) * 3, "up_block_types": ("UpBlock2D",) * 3, "mid_block_type": None}
    loop = SimpleNamespace(unet=tiny_unet(**blind), scheduler=pipe.scheduler, tokenizer=pipe.tokenizer)
    with pytest.raises(UnsupportedPipeline, match="no such attention"), guide(loop, TWO, NONE):
        pass


@pytest.mark.parametrize("method", [NONE, AttendAndExciteLoss()], ids=["none", "loss"])
def test_text_that_the_pipeline_cut_off_is_noticed(method: Any) -> None:
    pipe = tiny_flux()
    long = "a red car on the mat with the dog and a cat"
    with (
        guide(pipe, long, method, concepts=["cat"]),
        pytest.raises(SettingsError, match=r"among the 4 that the denoiser reads.*max_sequence_length"),
    ):
        pipe(long, height=16, width=16, num_inference_steps=2, max_sequence_length=4, output_type="latent")


def embeddings(pipe: Any, *texts: str) -> dict[str, torch.Tensor]:
    """`prompt_embeds` as tools for weighted or long prompts make them: in chunks of what the text encoder reads."""

    def encode(text: str, chunks: int) -> torch.Tensor:
        ids = pipe.tokenizer(text, truncation=False, verbose=False).input_ids[1:-1]
        size, start, end = pipe.tokenizer.model_max_length - 2, pipe.tokenizer.bos_token_id, pipe.tokenizer.eos_token_id
        rows = [ids[place : place + size] for place in range(0, size * chunks, size)]
        full = [[start, *row, end, *[end] * (size - len(row))] for row in rows]
        return torch.cat([pipe.text_encoder(torch.tensor([row]))[0] for row in full], dim=1)

    longest = max(len(pipe.tokenizer(text, verbose=False).input_ids) for text in texts)
    chunks = -(-longest // (pipe.tokenizer.model_max_length - 2))
    negative = torch.cat([encode("", chunks)] * len(texts))
    return {"prompt_embeds": torch.cat([encode(text, chunks) for text in texts]), "negative_prompt_embeds": negative}


def test_embeddings_that_are_passed_in_are_guided_by_the_text_that_they_were_made_of() -> None:
    pipe = tiny_pipeline()
    with guide(pipe, TWO, AttendAndExciteLoss(), settings=SETTINGS):
        expected = latents_of(pipe, TWO)
    with guide(pipe, TWO, AttendAndExciteLoss(), settings=SETTINGS):
        torch.testing.assert_close(latents_of(pipe, None, **embeddings(pipe, TWO)), expected)  # type: ignore[arg-type]


def test_prompt_of_several_chunks() -> None:
    pipe = tiny_pipeline()
    long = "a cat and a dog and a bear and a lion and a frog and a blue clock"
    with pytest.raises(PromptTooLong, match=r"chunked=True"), guide(pipe, long, AttendAndExciteLoss()):
        pass
    prompt = Prompt.parse(long, pipe.tokenizer, ["cat", "blue clock"], chunked=True)
    given = embeddings(pipe, long)
    assert given["prompt_embeds"].shape[1] == 2 * 16
    ids = pipe.tokenizer(long, verbose=False).input_ids[1:-1]
    clock = ids.index(pipe.tokenizer.convert_tokens_to_ids("clock</w>"))
    assert indices(prompt) == [(2,), (16 + 1 + clock - 14,)]
    assert prompt.tokens[indices(prompt)[1][0]] == "clock"
    with guide(pipe, prompt, AttendAndExciteLoss(), settings=SETTINGS) as guided:
        latents_of(pipe, None, **given)  # type: ignore[arg-type]
    losses = [sum(step.loss) for step in guided.trace if step.is_guided]
    assert losses[-1] < losses[0]
    assert guided.maps["blue clock"].shape == (1, 4, 4, 4)


def test_prompts_with_different_numbers_of_concepts_share_a_batch() -> None:
    pipe = tiny_pipeline()
    prompts = ["a cat", "a dog and a blue clock", "a bear and a lion and a frog"]
    noise = torch.randn(3, 4, 8, 8, generator=torch.Generator().manual_seed(0))

    def paint(which: list[int]) -> torch.Tensor:
        texts = [prompts[index] for index in which]
        with guide(pipe, texts, AttendAndExciteLoss(), settings=SETTINGS, retry_seeds=which) as guided:
            images = latents_of(pipe, texts, latents=noise[which])
        assert [len(concepts) for concepts in guided.maps.concepts(0)] == [index + 1 for index in which]
        return images

    together = paint([0, 1, 2])
    for index in range(3):
        torch.testing.assert_close(paint([index])[0], together[index], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "usual"),
    [
        ("StableDiffusion3Pipeline", ("transformer_blocks.0.attn",)),
        ("FluxPipeline", ("transformer_blocks.0.attn",)),
        ("PixArtSigmaPipeline", None),
    ],
)
@pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")
def test_published_settings_read_the_usual_sites_of_transformers(name: str, usual: tuple[str, ...] | None) -> None:
    run = PIPELINES[name]()
    with guide(run.pipe, PROMPTS, A_STAR) as guided:
        run()
    assert guided.settings.sites == (SiteSelection(depth=(0.0, 0.5)) if usual is None else SiteSelection(names=usual))
    assert guided.maps["cat"].shape == (4, 3, 4, 6)
