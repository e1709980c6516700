import torch

from heedful.attention import Maps
from heedful.guidance.methods import AttendAndExciteLoss
from heedful.losses import TextShares
from heedful.prompts import Prompt
from heedful.world.tokenizer import build_tokenizer

PROMPT = Prompt.parse("a cat and a blue clock", build_tokenizer())


def peaked(cat: float, clock: float) -> Maps:
    """Maps in which each concept has one cell with so much attention; the end token takes the rest."""
    tokens = torch.zeros(1, 16, 6, 6)
    tokens[0, 2, 1, 1] = cat
    tokens[0, 6, 4, 4] = clock
    tokens[0, 7] = 1 - tokens[0].sum(0)
    return Maps(tokens)


def test_loss_is_that_of_the_concept_that_is_heeded_least() -> None:
    loss = AttendAndExciteLoss(shares=TextShares(sigma=None))
    assert float(loss(peaked(1.0, 1.0), [PROMPT])) < 1e-6
    assert float(loss(peaked(1.0, 0.0), [PROMPT])) > 0.99
    tokens = peaked(0.5, 0.45).tokens.requires_grad_()
    loss(Maps(tokens), [PROMPT]).sum().backward()
    assert tokens.grad is not None
    assert float(tokens.grad[0, 6].abs().sum()) > 0
    assert float(tokens.grad[0, 2, 1, 1]) == 0  # where the cat is heeded more, nothing pulls


def test_padding_takes_part_unless_the_columns_end_with_the_text() -> None:
    tokens = torch.full((1, 16, 6, 6), 0.01)
    tokens[0, 10] = 0.5  # padding
    tokens[0, 2] = tokens[0, 6] = 0.2
    maps = Maps(tokens)
    assert float(AttendAndExciteLoss()(maps, [PROMPT])) > 0.99
    assert float(AttendAndExciteLoss(shares=TextShares(columns="text"))(maps, [PROMPT])) < 0.6


def test_start_token_and_last_padding_never_take_part() -> None:
    tokens = torch.full((1, 16, 6, 6), 0.01)
    tokens[0, 0] = tokens[0, 15] = 0.4
    tokens[0, 2] = tokens[0, 6] = 0.2
    assert float(AttendAndExciteLoss()(Maps(tokens), [PROMPT])) < 0.6


def test_concept_of_several_tokens_is_their_mean() -> None:
    prompt = Prompt.parse("a zebra", build_tokenizer(), ["zebra"])
    indices = list(prompt.concepts[0].token_indices)
    assert len(indices) > 1
    maps = peaked(0.5, 0.5)
    shares = (100 * maps.tokens[:, 1:-1]).softmax(1)
    expected = 1 - shares[0, [index - 1 for index in indices]].mean(0).max()
    torch.testing.assert_close(AttendAndExciteLoss(shares=TextShares(sigma=None))(maps, [prompt])[0], expected)


def test_scale_can_be_meant_for_another_number_of_tokens() -> None:
    """Sixteen even tokens get 1/16 each where 77 get 1/77: as sharp relative to that is 100 * 16 / 77."""
    maps = peaked(0.3, 0.2)
    expected = AttendAndExciteLoss(shares=TextShares(scale=100 * 16 / 77))(maps, [PROMPT])
    torch.testing.assert_close(AttendAndExciteLoss(shares=TextShares(reference_tokens=77))(maps, [PROMPT]), expected)
    same = AttendAndExciteLoss(shares=TextShares(reference_tokens=16))(maps, [PROMPT])
    torch.testing.assert_close(same, AttendAndExciteLoss()(maps, [PROMPT]))
