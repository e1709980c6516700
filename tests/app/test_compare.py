from pathlib import Path
from urllib.parse import urlencode

import pytest

from heedful.app.service import Service
from heedful.bench import read_results
from heedful.errors import SettingsError
from heedful.report import suite_figures
from tests.report.little_run import little_run

PROMPTS = ("a cat and a dog", "a red car and a lion")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return little_run(tmp_path_factory.mktemp("bench"), PROMPTS, (0, 1), ("none", "a-star"), steps=2)


def _query(**fields: object) -> str:
    return urlencode({"view": "compare", **fields})


def test_the_table_says_what_the_report_says(service: Service, folder: Path) -> None:
    (suite,) = service.compare(_query(folder=folder))["suites"]
    figures = suite_figures(read_results(folder), "world-two")
    assert suite["score"] == "world.success" and suite["baseline"] == "none" and suite["images"] == figures.images == 8
    for row, expected in zip(suite["rows"], figures.rows, strict=True):
        assert row["method"] == expected.method and row["value"]["low"] == expected.value.low
    assert {row["prompt"] for row in suite["by_prompt"]} == set(PROMPTS)
    spreads = [row["spread"] for row in suite["by_prompt"]]
    assert spreads == sorted(spreads, reverse=True)


def test_another_score_can_be_chosen(service: Service, folder: Path) -> None:
    (suite,) = service.compare(_query(folder=folder, score="world.neglect"))["suites"]
    assert suite["score"] == "world.neglect" and suite["is_lower_better"]


def test_a_prompt_has_the_images_of_each_method_and_what_makes_them_again(service: Service, folder: Path) -> None:
    found = service.prompt_images(_query(folder=folder), "world-two", PROMPTS[1])
    assert [(each["method"], each["seed"]) for each in found["images"]] == [
        ("none", 1000), ("none", 1001), ("a-star", 1000), ("a-star", 1001),
    ]  # fmt: skip
    assert all(each["image"].startswith("data:image/png") and each["scores"] for each in found["images"])
    assert found["state"] == {
        "prompt": PROMPTS[1], "model": None, "steps": 2, "guidance_scale": 3.0, "seeds": "1000,1001",
    }  # fmt: skip


def test_a_folder_that_is_none_says_what_to_name(service: Service, tmp_path: Path, folder: Path) -> None:
    for name, says in (("", "got none"), (tmp_path / "no", "there is none"), (tmp_path, "Expected records")):
        with pytest.raises(SettingsError, match=says):
            service.compare(_query(folder=name))
    with pytest.raises(SettingsError, match="a prompt of this benchmark"):
        service.prompt_images(_query(folder=folder), "world-two", "a cow")


def test_a_public_page_opens_no_folder_and_no_other_model(folder: Path) -> None:
    public = Service(is_public=True)
    with pytest.raises(SettingsError, match="no folders of its machine"):
        public.compare(_query(folder=folder))
    for query in ("model=/etc", "lora=/etc/x", "device=cuda"):
        with pytest.raises(SettingsError, match="public"):
            public.steer(query, "key")
    assert public.state("model=world%3Ajoint").model == "world:joint"
