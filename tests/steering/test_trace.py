import json

import pytest

from heedful.guidance import StepTrace, Trace


def trace() -> Trace:
    guided = StepTrace(0, 901.0, 20.0, (0.9, float("nan")), (0, 3), (False, True))
    return Trace(images=2, steps=[guided, StepTrace(1, 801.0)], plain_rows=8, gradient_rows=4)


def test_trace_is_a_sequence_of_steps() -> None:
    assert len(trace()) == 2
    assert trace()[0].is_guided
    assert not trace()[-1].is_guided
    assert [step.timestep for step in trace()] == [901, 801]


def test_cost_weighs_rows_by_what_they_take() -> None:
    assert trace().relative_cost == pytest.approx(1 + 4 * (0.494 + 0.587) / 8)
    assert trace().skipped == 1
    one_pass = Trace(images=2, plain_rows=8, backward_rows=2, restart_rows=1)
    assert one_pass.cost(0.5, 0.6) == pytest.approx(1 + (2 * 0.6 + 1) / 8)


def test_json_holds_everything_and_is_valid() -> None:
    plain = json.loads(trace().to_json())
    assert plain["steps"][0] == {
        "step": 0,
        "timestep": 901.0,
        "step_size": 20.0,
        "loss": [0.9, None],
        "refinements": [0, 3],
        "skipped": [False, True],
    }
    assert plain["relative_cost"] == pytest.approx(1.5405)
    assert (plain["images"], plain["plain_rows"], plain["gradient_rows"]) == (2, 8, 4)


def test_page_is_a_table_of_guided_steps() -> None:
    html = trace()._repr_html_()
    assert html.startswith("<p>Trace of ") and html.count("<tr>") == 1 + sum(step.is_guided for step in trace())


def test_repr_is_a_table() -> None:
    lines = repr(trace()).splitlines()
    assert lines[0].startswith("Trace of 2 images, 2 steps, 1 guided, 1 updates skipped, 1.54 times")
    assert lines[2].split() == ["0", "901", "20", "0.9000", "nan", "(3)"]
    assert len(lines) == 3
