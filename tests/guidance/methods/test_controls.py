import pytest
import torch

from heedful.attention import Maps
from heedful.guidance.methods import EbamaLoss, Segregation, WrongTokens
from heedful.guidance.methods.controls import with_wrong_tokens
from heedful.prompts import Prompt
from heedful.world.tokenizer import build_tokenizer

TOKENIZER = build_tokenizer()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a cat and a dog", [(1, "a"), (3, "and")]),
        ("a red cat and a blue clock", [(1, "a"), (4, "and")]),
        ("cat and dog", [(2, "and")]),
        ("a cat", [(1, "a")]),
    ],
)
def test_other_tokens_take_the_places_of_concepts(text: str, expected: list[tuple[int, str]]) -> None:
    wrong = with_wrong_tokens(Prompt.parse(text, TOKENIZER))
    assert [(concept.token_indices[0], concept.name) for concept in wrong.concepts] == expected


def test_repeated_tokens_come_last() -> None:
    prompt = Prompt.parse("a cat a dog a frog", TOKENIZER, ["cat", "dog"])
    names = [concept.token_indices[0] for concept in with_wrong_tokens(prompt).concepts]
    assert names == [1, 6]  # "a", then "frog", which is no concept here, before the second "a"


def test_loss_is_that_of_the_other_tokens() -> None:
    prompt = Prompt.parse("a cat and a dog", TOKENIZER)
    maps = Maps(torch.randn(1, 16, 4, 4, generator=torch.Generator().manual_seed(1)).softmax(1))
    swapped = Maps(maps.tokens[:, [0, 2, 1, 5, 4, 3, *range(6, 16)]])
    torch.testing.assert_close(WrongTokens(Segregation())(maps, [prompt]), Segregation()(swapped, [prompt]))


def test_prompt_of_concepts_alone_leaves_the_control_idle() -> None:
    prompt = Prompt.parse("cat and dog", TOKENIZER)
    assert WrongTokens(Segregation()).idle_for(prompt)
    assert not WrongTokens(lambda maps, prompts, previous: maps.tokens.sum((1, 2, 3))).idle_for(prompt)


def test_no_gradient_flows_through_the_concepts() -> None:
    prompt = Prompt.parse("a red cat and a dog", TOKENIZER)
    tokens = torch.randn(1, 16, 4, 4, generator=torch.Generator().manual_seed(1)).softmax(1).requires_grad_()
    WrongTokens(EbamaLoss())(Maps(tokens), [prompt]).sum().backward()  # it pushes its nouns from every other word
    assert tokens.grad is not None
    taken = [2, 3, 6]
    assert not tokens.grad[0, taken].any()
    assert tokens.grad[0, 1].any()
    assert tokens.grad[0, 4].any()
