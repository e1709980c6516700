"""An update of the latents, said in the prediction instead: no scheduler can drop it there.

The scheme `prediction`. FOCUS (arXiv 2510.02315) subtracts a gradient from the prediction of a flow-matching model;
here the weight is derived for every kind of prediction and of scheduler.
"""

from typing import Any

from torch import Tensor

from heedful.steering.levels import Arguments, Level, Prediction, interval_of, prediction_of


def prediction_weight(scheduler: Any, arguments: Arguments) -> float:
    """Return what an update of the latents is multiplied by so that it can be added to the prediction instead.

    Latents are y = a x0 + s e, and become y' = a' x0 + k s' e + new noise, where k is the share of the noise that the
    scheduler keeps. With the estimate D of x0, e = (y - a D) / s, so that a first-order step is

        y' = r y + (a' - r a) D,    r = k s' / s.

    A model's prediction p gives D = c y + d p:

        epsilon        D = (y - s p) / a
        v_prediction   D = (a y - n s p) / n^2,   n = sqrt(a^2 + s^2), which is 1 but for latents x0 + s e
        sample         D = p
        flow           D = (y - s p) / (a + s),   a + s = 1
        edm            D = (w^2 y + w s n p) / n^2,   n = sqrt(w^2 + s^2), w the deviation of the data
        trigflow       D = y / (a + s) - s p,   where y is not moved in p (`steering.trigflow`)

    so the step is linear in both, y' = A y + B p, with A = r + (a' - r a) c and B = (a' - r a) d. An update u of the
    latents, with the prediction as it was, arrives as A u. The same arrives if B dp = A u: the weight is **A / B**.

    - Flow matching, without new noise: A = 1 and B = s' - s, so the prediction, a velocity, is changed by u / (s' - s):
      what moves the latents by u in the time of the step.
    - Epsilon, without new noise, in the latents x0 + s e: the same.
    - The last step of a model that predicts x0 forgets the latents: A = 0, and the update is lost in either way.

    Under schedulers of higher order a prediction is used in several steps, by weights whose sum is that of a
    first-order step, so the update arrives in parts. An interval of no length has weight 0. Tested for each scheduler.
    """
    interval = interval_of(scheduler, arguments)
    start, end = interval.start, interval.end
    if start.sigma == 0:
        return 0.0
    kept = interval.kept * end.sigma / start.sigma
    rest = end.alpha - kept * start.alpha
    of_latents, of_prediction, divisor = _estimate(prediction_of(scheduler), start, scheduler)
    moved_by = rest * of_prediction
    return (kept * divisor + rest * of_latents) / moved_by if moved_by else 0.0


def shifted(prediction: Tensor, update: Tensor, weight: float) -> Tensor:
    """Return a prediction with an update of the latents in it; channels beyond those of the latents stay."""
    shift = weight * update
    channels = update.shape[1]
    whole = prediction.to(shift.dtype)
    if whole.shape[1] > channels:  # a variance is predicted next to the noise
        whole = whole.clone()
        whole[:, :channels] += shift
    else:
        whole = whole + shift
    return whole.to(prediction.dtype)


def _estimate(kind: Prediction, level: Level, scheduler: Any) -> tuple[float, float, float]:
    """Return (c, d, n) of D = (c y + d p) / n, the estimate of x0 by a prediction."""
    alpha, sigma = level.alpha, level.sigma
    norm = (alpha**2 + sigma**2) ** 0.5
    match kind:
        case "epsilon":
            return 1.0, -sigma, alpha
        case "v_prediction":
            return alpha, -sigma * norm, norm**2
        case "sample":
            return 0.0, 1.0, 1.0
        case "flow_prediction":
            return 1.0, -sigma, alpha + sigma
        case "edm":
            width = scheduler.config.sigma_data
            sign = -1.0 if scheduler.config.prediction_type == "v_prediction" else 1.0
            return width**2, sign * width * sigma * (width**2 + sigma**2) ** 0.5, width**2 + sigma**2
        case "trigflow":
            return 1.0, -sigma * (alpha + sigma), alpha + sigma
