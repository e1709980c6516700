"""The options of `heedful teach`, named as in diffusers' training scripts.

Knows their names and help texts. What was left out is None, and then the method's own number holds.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from heedful.catalogue import TEACHING_METHODS

TEACHING_NAMES = ", ".join(TEACHING_METHODS)
SCHEDULER_NAMES = "constant_with_warmup, constant, linear, cosine, cosine_with_restarts, polynomial"
_TRAINING, _PRIOR, _WATCHING = "How it learns", "Prior preservation", "Seeing it learn"


def _option(name: str, help_text: str, panel: str, **more: Any) -> Any:
    return typer.Option(name, help=help_text, rich_help_panel=panel, show_default=False, **more)


LearningRate = Annotated[float | None, _option("--learning-rate", "Of AdamW.", _TRAINING)]
MaxTrainSteps = Annotated[int | None, _option("--max-train-steps", "Steps of the optimizer.", _TRAINING)]
TrainBatchSize = Annotated[
    int | None,
    _option("--train-batch-size", "Pictures in a pass; as many prior pictures stand beside them.", _TRAINING),
]
AccumulationSteps = Annotated[
    int | None, _option("--gradient-accumulation-steps", "Passes in a step: less memory, more time.", _TRAINING)
]
RateScheduler = Annotated[
    str | None,
    _option("--lr-scheduler", f"How the rate changes: {SCHEDULER_NAMES}.", _TRAINING, metavar="NAME"),
]
WarmupSteps = Annotated[
    int | None, _option("--lr-warmup-steps", "Steps over which the learning rate rises from 0.", _TRAINING)
]
Resolution = Annotated[
    int | None, _option("--resolution", "Side of the square that is learnt, in pixels; the model's own.", _TRAINING)
]
MixedPrecision = Annotated[
    str | None,
    _option("--mixed-precision", "Without it, as the weights were loaded.", _TRAINING, metavar="no|fp16|bf16"),
]
Checkpointing = Annotated[
    bool, _option("--gradient-checkpointing", "Run blocks twice: less memory, more time.", _TRAINING)
]
Initializer = Annotated[
    str | None,
    _option(
        "--initializer-token",
        "What each new word means at first, one token each. Without it: rare tokens, or the nouns.",
        _TRAINING,
        metavar='"ktn,pll"',
    ),
]
Vectors = Annotated[int | None, _option("--num-vectors", "Embeddings of each new word.", _TRAINING)]
LossWeight = Annotated[
    float | None, _option("--loss-weight", "Of the losses on maps beside the denoising loss.", _TRAINING)
]
LossOptions = Annotated[
    list[str] | None,
    _option(
        "--loss-option",
        "A field of the losses on maps: suppressions=2, sigma=None, ratio=true, normalisation=none, reduction=sum.",
        _TRAINING,
        metavar="NAME=VALUE",
    ),
]
Rank = Annotated[
    int | None, _option("--rank", "Learn a LoRA of this rank in place of the denoiser's own weights.", _TRAINING)
]
Masks = Annotated[
    list[Path] | None,
    _option("--mask", "Once for each picture, in order: white where it counts.", _TRAINING, metavar="FILE"),
]
PriorPreservation = Annotated[
    bool | None,
    _option(
        "--with-prior-preservation/--no-prior-preservation",
        "Whether pictures of the class alone are shown too.",
        _PRIOR,
    ),
]
PriorWeight = Annotated[float | None, _option("--prior-loss-weight", "Of their loss.", _PRIOR)]
ClassFolder = Annotated[
    Path | None,
    _option(
        "--class-data-dir",
        "Pictures of the class; what it lacks, the model paints there. Without it: OUT/class_images.",
        _PRIOR,
        metavar="FOLDER",
    ),
]
ClassPrompts = Annotated[
    list[str] | None,
    _option("--class-prompt", "What they show; may be repeated. Without it: the prompt without placeholders.", _PRIOR),
]
ClassImages = Annotated[int | None, _option("--num-class-images", "How many there are.", _PRIOR)]
ValidationPrompts = Annotated[
    list[str] | None,
    _option("--validation-prompt", "Painted on the way; may be repeated. Without it: the prompt.", _WATCHING),
]
ValidationImages = Annotated[
    int, typer.Option("--num-validation-images", help="Of each; 0 for none.", rich_help_panel=_WATCHING)
]
ValidationSteps = Annotated[
    int, typer.Option("--validation-steps", help="Steps from one sheet to the next.", rich_help_panel=_WATCHING)
]
CheckpointingSteps = Annotated[
    int,
    typer.Option(
        "--checkpointing-steps", help="Steps after which a kill loses nothing before.", rich_help_panel=_WATCHING
    ),
]
ReportTo = Annotated[
    str | None,
    _option("--report-to", "Losses and sheets to OUT/logs as well.", _WATCHING, metavar="tensorboard"),
]
