import pytest
import torch
import torch.nn.functional as F

from heedful.attention.tap import Tap, mean_attention

QUERY, KEY, VALUE = (torch.randn(2, 3, n, 4, generator=torch.Generator().manual_seed(n)) for n in (6, 5, 7))
VALUE = VALUE[:, :, :5]


def from_output(**settings: object) -> torch.Tensor:
    """The probabilities that torch uses: attend to values that are the unit vectors."""
    eye = torch.eye(5).expand(2, 3, 5, 5)
    return F.scaled_dot_product_attention(QUERY, KEY, eye, **settings).mean(1)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"scale": 0.3},
        {"attn_mask": torch.randn(2, 1, 6, 5)},
        {"attn_mask": torch.tensor([[True, True, False, True, True]])},
    ],
    ids=["plain", "scale", "mask of numbers", "boolean mask"],
)
def test_tap_reads_what_torch_computes(settings: dict[str, object]) -> None:
    read: list[torch.Tensor] = []
    expected = from_output(**settings)
    with Tap(keys=5, on_read=read.append):
        F.scaled_dot_product_attention(QUERY, KEY, VALUE, **settings)  # type: ignore[arg-type]
    torch.testing.assert_close(read[0], expected)


def test_output_is_bit_for_bit_the_same() -> None:
    plain = F.scaled_dot_product_attention(QUERY, KEY, VALUE)
    with Tap(keys=5, on_read=lambda attention: None):
        assert F.scaled_dot_product_attention(QUERY, KEY, VALUE).equal(plain)


def test_only_the_first_call_with_the_length_of_the_text_is_read() -> None:
    read: list[torch.Tensor] = []
    with Tap(keys=5, on_read=read.append) as tap:
        F.scaled_dot_product_attention(QUERY, QUERY, QUERY)
        assert not tap.has_read
        F.scaled_dot_product_attention(QUERY, KEY, VALUE)
        F.scaled_dot_product_attention(QUERY, 2 * KEY, VALUE)
    assert len(read) == 1
    torch.testing.assert_close(read[0], from_output())


def test_grouped_queries_share_keys() -> None:
    read: list[torch.Tensor] = []
    query, key = torch.randn(1, 4, 6, 8), torch.randn(1, 2, 5, 8)
    with Tap(keys=5, on_read=read.append):
        F.scaled_dot_product_attention(query, key, key, enable_gqa=True)
    torch.testing.assert_close(read[0], mean_attention(query, key.repeat_interleave(2, 1)))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_read_in_float32(dtype: torch.dtype) -> None:
    attention = mean_attention(QUERY.to(dtype) * 30, KEY.to(dtype) * 30)
    assert attention.dtype == torch.float32
    torch.testing.assert_close(attention.sum(-1), torch.ones(2, 6))


def test_callers_autocast_does_not_lower_the_precision() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert mean_attention(QUERY, KEY).equal(mean_attention(QUERY, KEY))
        inside = mean_attention(QUERY, KEY)
    assert inside.equal(mean_attention(QUERY, KEY))
