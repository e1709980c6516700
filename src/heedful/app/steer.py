"""Steer: the images of a state, method by method on the same noises, by the painter of the command line."""

from base64 import b64encode
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any

from heedful.app.jobs import News
from heedful.app.models import Models, model_options, sampling_options
from heedful.app.state import State
from heedful.errors import SettingsError

if TYPE_CHECKING:
    from heedful.images import Case, Plan, Result
    from heedful.models import Model

MOST = 64
"""Images that one press of the button makes: a page is no place for thousands."""

FAULTS = {
    "neglect": "something is missing",
    "leakage": "a colour went to the wrong thing",
    "hybrid": "something is mixed up or unclear",
    "duplicate": "something is there too often",
    "extra": "something was not asked for",
}
"""What the judge of the embedded models finds wrong, in plain words."""


def steer(models: Models, state: State, say: Callable[[News], None], check: Callable[[], None]) -> None:
    """Make the images of a state and say each as soon as its batch is made; raises what `make_plan` raises."""
    from heedful.images import Painter

    start = perf_counter()
    model = opened(models, state, say)
    check()
    plan = steer_plan(model, state)
    say(_described(plan))
    total = len(plan)
    before, now = 0, {"method": "", "size": 1, "done": 0.0}

    def on_step(share: float) -> None:
        check()
        now["done"] += share
        step = min(round(now["done"] / now["size"] * plan.sampling.steps), plan.sampling.steps)
        say({"kind": "progress", "method": now["method"], "step": step, "of": plan.sampling.steps,
             "done": min(before + now["done"], total) / total})  # fmt: skip

    painter = Painter(plan.model, plan.sampling, plan.request.scores, catch=False, on_step=on_step)
    for batch in plan.batches():
        check()
        now |= {"method": batch.method.name, "size": len(batch.cases), "done": 0.0}
        for case, result in zip(batch.cases, painter(batch), strict=True):
            say(_image(case, result, is_judged=bool(plan.request.scores)))
        before += len(batch.cases)
    say({"kind": "done", "images": total, "seconds": round(perf_counter() - start, 2)})


def steer_plan(model: "Model", state: State) -> "Plan":
    """Return the plan of `heedful generate` for a state; raises what `make_plan` raises."""
    from heedful.guidance import find_method
    from heedful.images import Request, make_plan, parse_seeds, prompt_lines
    from heedful.scores import verdict_scores

    seeds = parse_seeds(state.seeds)
    if len(seeds) * len(state.methods) > MOST:
        raise SettingsError(
            f"Expected at most {MOST} images at a time, got {len(seeds)} seeds by {len(state.methods)} methods. "
            "Take fewer seeds here, or copy the command, which makes any number."
        )
    request = Request(
        prompts=prompt_lines([state.prompt]),
        methods=[find_method(name) for name in state.methods],
        seeds=seeds,
        sampling=sampling_options(state),
        # the judge knows no looks that were taught
        scores=() if state.concepts_from else verdict_scores(model),
    )
    return make_plan(model, request)


def opened(models: Models, state: State, say: Callable[[News], None]) -> "Model":
    """Return the model of a state; says so if it has to be opened first."""
    options = model_options(state)
    if not models.is_open(options):
        say({"kind": "opening", "model": state.model or ""})
    return models.open(options)


def _described(plan: "Plan") -> News:
    """Return what is about to be made."""
    return {
        "kind": "plan",
        "prompt": plan.prompts[0].text,
        "concepts": [concept.name for concept in plan.prompts[0].concepts],
        "unknown": unknown_words(plan),
        "methods": [method.name for method in plan.methods],
        "seeds": list(plan.request.seeds),
        "steps": plan.sampling.steps,
        "guidance_scale": plan.sampling.guidance_scale,
        "width": plan.sampling.width,
        "height": plan.sampling.height,
        "model": plan.model.name,
        "remarks": list(plan.remarks),
    }


def unknown_words(plan: "Plan") -> list[str]:
    """Return the words that the model cannot show: an embedded one knows 24 things, and what it was taught."""
    from heedful.world import CLASSES

    prompt = plan.prompts[0]
    nouns = [concept.noun for concept in prompt.concepts] if plan.model.is_world and not plan.model.on_top else []
    return list(dict.fromkeys((*prompt.unknown, *(noun for noun in nouns if noun.lower() not in CLASSES))))


def _image(case: "Case", result: "Result", *, is_judged: bool) -> News:
    """Return one image, with what is known of it."""
    return {
        "kind": "image",
        "method": case.method.name,
        "seed": case.seed,
        "png": None if result.png is None else b64encode(result.png).decode(),
        "error": result.error,
        "verdict": verdict(result.scores) if is_judged else None,
        "loss": result.trace.get("last_loss"),
        "restarts": result.trace.get("restarts", 0),
        "cost": result.cost,
        "seconds": None if result.seconds is None else round(result.seconds, 3),
    }


def verdict(scores: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the judge of the embedded models says of an image: right, wrong and why, or None for no opinion."""
    success = scores.get("world.success")
    if success is None:
        return {"is_right": None, "says": "no verdict: the judge knows none of these things"}
    faults = [says for name, says in FAULTS.items() if scores.get(f"world.{name}")]
    return {"is_right": bool(success), "says": "all there, each once" if success else "; ".join(faults)}
