"""Controls: no guidance, a random direction, and the loss of tokens that are no concepts."""

from heedful.guidance.methods.attend_and_excite import ATTEND_AND_EXCITE, WITHOUT_REFINEMENT
from heedful.guidance.methods.method import EMBEDDED, Method
from heedful.losses import Segregation, WrongTokens

NONE = Method(name="none", loss=None, embedded=EMBEDDED)
"""No guidance: the pipeline's own images, bit for bit. The maps are read all the same."""

RANDOM = Method(
    name="random",
    loss=ATTEND_AND_EXCITE.loss,
    settings=WITHOUT_REFINEMENT,
    embedded=ATTEND_AND_EXCITE.embedded,
    direction="random",
)
"""Steps as long as Attend-and-Excite's (without refinement), in a random direction of each image's seed."""

WRONG_TOKENS = Method(
    name="wrong-tokens",
    loss=WrongTokens(Segregation()),
    settings=WITHOUT_REFINEMENT,
    embedded=ATTEND_AND_EXCITE.embedded,
)
"""The control to beat: segregation of tokens that are no concepts, such as an article and "and"."""
