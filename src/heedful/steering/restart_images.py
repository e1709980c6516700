"""Restart some images of a run: other noises, the same steps, until the maps predict no failure.

Images never mix: each has its own noises, drawn from its own seed. The rest of the batch goes on as if nothing had
happened.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from heedful.prompts import Prompt
from heedful.shapes import Latents, PerItem
from heedful.steering.call import Call
from heedful.steering.past import Commit, graft, input_scale
from heedful.steering.restart import Restart
from heedful.steering.run import Run
from heedful.steering.trace import RestartTrace
from heedful.steering.update import stream

NewRun = Callable[[Sequence[Prompt], Sequence[int], Any], Run]
"""(prompts, seeds, scheduler) -> a run of these images, at its first step."""

Predict = Callable[[Call, Run, Any], tuple[Tensor, Commit]]
"""(a call, its run, what predicted in that step) -> the denoiser's prediction, and what puts the update into the step
of a scheduler."""


def restart_images(
    restart: Restart, call: Call, run: Run, new_run: NewRun, failure: Callable[[Call, Run], PerItem], predict: Predict
) -> Latents:
    """Return the latents with which each image goes on, as the denoiser sees them; `run` and its scheduler follow.

    `failure(call, run)` returns the loss that predicts a failure, one value per image of a run that is about to make
    `call`.
    """
    assert run.past is not None
    latents, loss = call.latents.clone(), failure(call, run).clone()
    losses, chosen = [[value] for value in loss.tolist()], [0] * call.images
    for number in range(1, restart.tries + 1):
        items = [item for item, value in enumerate(loss.tolist()) if value > restart.limit]
        if not items:
            break
        seeds = [run.seeds[item] for item in items]
        scheduler = run.past.scheduler
        again = new_run([run.prompts[item] for item in items], seeds, scheduler)
        drawn = [torch.randn(latents.shape[1:], generator=stream(f"noise {number}", seed)) for seed in seeds]
        made = run.past.repeat(
            scheduler,
            call.for_scheduler(torch.stack(drawn).to(call.dtype_and_device)),
            [stream(f"steps {number}", seed) for seed in seeds],
            lambda timestep, scaled, by, items=items, again=again: predict(
                call.again(items, call.from_scheduler(scaled), timestep), again, by
            ),
        )
        seen = call.from_scheduler(made) * input_scale(call, run.scheduler)
        found = failure(call.again(items, seen, call.time), again)
        for index, item in enumerate(items):
            losses[item].append(float(found[index]))
            if found[index] < loss[item]:
                loss[item], chosen[item] = found[index], number
                latents[item] = seen[index]
                run.take_over(item, again, index)
                graft(scheduler, index, run.scheduler, item)
        run.trace.gradient_rows += again.trace.gradient_rows
        run.trace.backward_rows += again.trace.backward_rows
        run.trace.restart_rows += again.trace.plain_rows
        run.trace.look_rows += again.trace.look_rows
    run.trace.restarts = tuple(
        RestartTrace(len(seen) - 1, (seen[0], least), number, tuple(seen))
        for seen, least, number in zip(losses, loss.tolist(), chosen, strict=True)
    )
    return latents
