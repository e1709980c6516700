import pytest
from transformers import CLIPTokenizer, PreTrainedTokenizerFast

from tests.tokenizers import build_clip, build_t5


@pytest.fixture(scope="session")
def clip() -> CLIPTokenizer:
    return build_clip()


@pytest.fixture(scope="session")
def t5() -> PreTrainedTokenizerFast:
    return build_t5()


@pytest.fixture(scope="session", params=["clip", "t5"])
def tokenizer(request: pytest.FixtureRequest) -> CLIPTokenizer | PreTrainedTokenizerFast:
    return request.getfixturevalue(request.param)
