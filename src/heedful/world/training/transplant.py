"""Begin a narrower denoiser with the weights of a wider one: what does not fit is thinned out evenly.

Every other channel, or two of three, are kept, so that groups of normalisation and heads of attention stay together.
"""

import torch
from torch import Tensor, nn


def begin_with(denoiser: nn.Module, trained: nn.Module, translation: Tensor | None = None) -> None:
    """Copy the weights that both have; where `denoiser` has fewer channels, keep some; new output projections are zero.

    So parts that only `denoiser` has change nothing at first. `translation` (own text width, trained text width) is
    what `translate` makes, if the two read different text encoders.
    """
    given, own = trained.state_dict(), denoiser.state_dict()
    wide: tuple[int, ...] = trained.config.block_out_channels  # pyright: ignore[reportAttributeAccessIssue, reportAssignmentType]
    narrow: tuple[int, ...] = denoiser.config.block_out_channels  # pyright: ignore[reportAttributeAccessIssue, reportAssignmentType]
    widths = tuple(zip(wide, narrow, strict=True))
    for name, value in own.items():
        if name in given:
            is_text = name.endswith(("attn2.to_k.weight", "attn2.to_v.weight"))
            old = given[name] @ translation.T if is_text and translation is not None else given[name]
            value.copy_(_thinned(old, value.shape, widths))
        elif ".proj_out." in name:
            value.zero_()
    denoiser.load_state_dict(own)


@torch.no_grad()
def translate(own: Tensor, trained: Tensor) -> Tensor:
    """The matrix that turns one text encoder's states into another's, as nearly as a linear map can.

    Both are states of the same captions: (caption, token, width). -> (own width, trained width)
    """
    given, wanted = own.flatten(0, 1).double(), trained.flatten(0, 1).double()
    square = given.T @ given + torch.eye(given.shape[1], dtype=torch.float64, device=given.device)
    return torch.linalg.solve(square, given.T @ wanted).float()


def _thinned(value: Tensor, shape: torch.Size, widths: tuple[tuple[int, int], ...]) -> Tensor:
    for axis, (have, want) in enumerate(zip(value.shape, shape, strict=True)):
        if have != want:
            value = value.index_select(axis, _kept(have, want, widths))
    return value


def _kept(have: int, want: int, widths: tuple[tuple[int, int], ...]) -> Tensor:
    """Which of `have` channels are kept: an even choice, or such a choice of the first ones, and all that follow."""
    for wide, narrow in widths:
        if wide == narrow:
            continue
        times, rest = divmod(have, wide)
        if rest == 0 and want == times * narrow:
            return _even(have, want)
        # skip connections: channels of the wide level, then those of another
        if 0 < have - wide == want - narrow:
            return torch.cat([_even(wide, narrow), torch.arange(wide, have)])
    raise ValueError(f"cannot thin {have} channels to {want} where levels go {widths}")


def _even(have: int, want: int) -> Tensor:
    return (torch.arange(want) * have / want).long()
