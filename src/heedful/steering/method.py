"""What a method is: a loss, the settings that were published with it, and those for the embedded world."""

from dataclasses import dataclass, replace
from typing import Any, Literal

from heedful.attention import by_words, layout_of, uncompiled
from heedful.identity import identity
from heedful.losses import AnyLoss, citations_of
from heedful.steering.settings import COARSEST_UP_SITES, EMBEDDED_SITES, PUBLISHED_SITES, Settings
from heedful.world import is_embedded

PUBLISHED = Settings()
EMBEDDED = Settings(sites=EMBEDDED_SITES, step_size=20.0, decay=(1.0, 0.5), guided=0.5)
"""Attend-and-Excite's published step sizes, for every method on the embedded models unless it has its own.

Numbers for these models were chosen on 40 prompts of the development half of the two-concept prompts x 4 seeds, by
`benchmarks/tuning.py`; docs/tuning.md says what was tried. A gradient scaled to a fixed size was no better for
Attend-and-Excite, and much worse for segregation, because it moves images whose loss is low already as far as others.
"""


@dataclass(frozen=True, kw_only=True)
class Method:
    """A loss and how to follow its gradient. Make your own, or pass a loss alone to `heedful.guide`."""

    name: str
    """As in folders and on the command line."""
    loss: AnyLoss | None
    """None reads the maps and changes nothing."""
    settings: Settings = PUBLISHED
    """As published, where it was."""
    embedded: Settings | None = None
    """Used instead on the embedded models, whose maps are smaller and whose words are few. All of them have the same;
    None uses `settings` there too."""
    direction: Literal["gradient", "random"] = "gradient"
    """"random" takes steps of the same size in a random direction: a control."""

    @property
    def citations(self) -> tuple[str, ...]:
        """Keys of the papers behind it, for `heedful.cite`."""
        own = self.settings
        sources = (self.loss, own.initial_noise, own.key_shift, own.text_edit, own.restart and own.restart.loss)
        return tuple(dict.fromkeys(key for source in sources for key in citations_of(source)))

    def settings_for(self, denoiser: Any) -> Settings:
        """Return the settings that suit `denoiser`.

        Published sites, and those of up blocks, are those of U-Nets; where there are none, the family's usual ones
        are read. Where joint attention has rows of the text that can be read, they are, in place of
        `COARSEST_UP_SITES` and by methods without a loss, which only look.
        """
        settings = self.settings
        if self.embedded is not None and is_embedded(denoiser):
            settings = self.embedded
        usual = layout_of(denoiser).usual_sites(uncompiled(denoiser))
        if usual is None or settings.sites not in (PUBLISHED_SITES, COARSEST_UP_SITES, EMBEDDED_SITES):
            return settings
        if settings.sites == COARSEST_UP_SITES or self.loss is None:
            usual = by_words(denoiser, usual)
        return replace(settings, sites=usual)

    def identity(self, denoiser: Any) -> dict[str, Any]:
        """Return what the method does on `denoiser`, as plain JSON; its name does not count."""
        return identity(replace(self, settings=self.settings_for(denoiser), embedded=None), "name", "class")
