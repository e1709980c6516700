"""The page in a real browser; `make slow` runs these where Gradio, Selenium and Chromium are installed."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

import heedful
from heedful.world import one_image_concepts
from tests.app.pages import Browser, Open, needs_browser, page, run_command
from tests.app.test_uploads import png_that_claims
from tests.report.little_run import little_run

pytestmark = pytest.mark.slow
SHORT = "steps=4&seeds=0-1"
MARKED = f"{SHORT}&prompt={quote('a [cat] and a blue [clock]')}"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    needs_browser()
    with page(tmp_path_factory.mktemp("page")) as address:
        yield address


@pytest.fixture
def browse(address: str) -> Iterator[Open]:
    """Opens tabs, and closes them after the test: nothing was complained of, and nobody else was asked."""
    with ExitStack() as stack:
        tabs: list[Browser] = []

        def opened(width: int = 1280, height: int = 900, *, is_dark: bool = False) -> Browser:
            tabs.append(stack.enter_context(Browser(address, width, height, is_dark=is_dark)))
            return tabs[-1]

        yield opened
        for tab in tabs:
            assert tab.errors() == [] and tab.asked_elsewhere() == []


def _made_by_the_copied_command(tab: Browser, folder: Path) -> dict[str, bytes]:
    tab.find("#steer [data-copies=command]").click()
    tab.until("document.querySelector('#steer .copy pre').textContent !== ''")
    run_command(folder, tab.find("#steer .copy pre").text)
    return {"/".join(path.parts[-3::2]): path.read_bytes() for path in sorted((folder / "out").rglob("*/*/*.png"))}


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
def test_every_view_fits_its_window(browse: Open, tmp_path: Path, width: int, is_dark: bool) -> None:
    tab = browse(width, is_dark=is_dark)
    for view in ("steer", "see", "teach", "compare"):
        tab.open(f"view={view}")
        assert tab.ask("document.querySelector('nav [aria-current=page]').dataset.view") == view
        if view == "teach":
            tab.until("document.querySelectorAll('.examples button').length > 3")
        tab.shoot(tmp_path, f"{view}-{width}-{'dark' if is_dark else 'light'}")
    paper = [int(part) for part in re.findall(r"\d+", tab.ask("getComputedStyle(document.body).backgroundColor"))[:3]]
    assert (max(paper) < 60) == is_dark


@pytest.mark.parametrize("width", [1280, 390])
def test_images_are_those_of_the_copied_command(browse: Open, tmp_path: Path, width: int) -> None:
    tab = browse(width)
    tab.open(MARKED)
    assert "4 images in" in tab.run("steer")
    tab.shoot(tmp_path, f"steered-{width}")
    made = _made_by_the_copied_command(tab, tmp_path)
    expected = [made[name] for name in ("none/0.png", "heedful/0.png", "none/1.png", "heedful/1.png")]
    assert tab.images() == expected
    assert tab.ask("[...document.querySelectorAll('#steer .verdict')].every((it) => it.textContent)")


def test_the_keyboard_alone_is_enough(browse: Open) -> None:
    from selenium.webdriver.common.keys import Keys

    tab = browse()
    tab.open(SHORT)
    for _ in range(20):  # to the prompt, past the link to the content and the views
        tab.press(Keys.TAB)
        if tab.ask("document.activeElement.tagName") == "TEXTAREA":
            break
    tab.press_with_control("a")
    tab.press("a dog on a red car")
    tab.until("document.querySelector('#steer .words').textContent === 'adogonaredcar'")
    tab.press(Keys.TAB, Keys.TAB, Keys.TAB)
    assert tab.ask("document.activeElement.textContent") == "on"
    tab.press(Keys.ENTER)
    tab.until("document.querySelectorAll('#steer .words .concept').length === 3")
    assert "prompt=a+%5Bdog%5D+%5Bon%5D+a+%5Bred+car%5D" in tab.ask("location.search")
    tab.press(Keys.ENTER)  # the focus stays on the word
    tab.until("document.querySelectorAll('#steer .words .concept').length === 2")
    tab.press_with_control(Keys.ENTER)
    tab.until("document.querySelectorAll('#steer .pair img').length === 4")
    tab.until("!document.querySelector('#steer .primary').disabled")
    tab.ask("document.querySelector('#steer .pair .shot').focus()")
    tab.press(Keys.ENTER)
    tab.until("document.querySelector('.hv-stage input') !== null")
    tab.until("!document.querySelector('#see form .primary').disabled")
    tab.ask("document.querySelector('.hv-stage input').focus()")
    tab.press(Keys.HOME)
    assert tab.find(".hv-stage output").text == "step 1 of 4"
    tab.ask("document.querySelector('.hv-stage canvas').focus()")
    tab.press(Keys.ARROW_RIGHT)
    assert "Words that look there" in tab.find(".hv-reading").text


def test_a_look_shows_maps_by_step_word_and_place(browse: Open, tmp_path: Path) -> None:
    for width, is_dark in ((1280, False), (390, True)):
        tab = browse(width, is_dark=is_dark)
        tab.open(f"view=see&steps=6&seed=0&{urlencode({'prompt': 'a cat and a blue clock'})}")
        tab.run("see")
        tab.until("document.querySelectorAll('#see .cutouts img').length === 2")
        pixels = "document.querySelector('.hv-stage canvas').toDataURL()"
        whole = tab.ask(pixels)
        tab.find(".hv-small button").click()
        one = tab.ask(pixels)
        tab.find(".hv-stage canvas").click()
        assert tab.find(".hv-title").text == "cat" and len({whole, one, tab.ask(pixels)}) == 3
        assert tab.ask("document.querySelectorAll('.hv-share').length") == 5
        tab.shoot(tmp_path, f"seen-{width}-{'dark' if is_dark else 'light'}")
        for name in ("animation.webp", "animation.gif", "masks.json"):
            link = tab.ask(
                "[...document.querySelectorAll('.downloads a')].find((a) => a.href.endsWith(arguments[0])).href", name
            )
            size = "fetch(arguments[0]).then((it) => it.blob()).then((it) => arguments[1](it.size))"
            assert tab.driver.execute_async_script(size, link) > 500


def test_a_lesson_is_learnt_and_its_words_are_used(browse: Open, tmp_path: Path) -> None:
    example = one_image_concepts()[0]
    tab = browse()
    tab.open("view=teach&max_train_steps=12&teacher=textual-inversion&lesson=a+cat+and+a+dog")
    tab.find("#teach input[type=file]").send_keys(str(example.file))
    for place in (1, 4):  # a <cat1> cat and a <dog1> dog
        tab.until(f"document.querySelectorAll('#teach .words button').length > {place}")
        words = tab.ask("[...document.querySelectorAll('#teach .words button')].map((it) => it.textContent)")
        tab.ask(
            f"document.querySelectorAll('#teach .words button')[{words.index('cat' if place == 1 else 'dog')}].click()"
        )
        tab.until(f"document.querySelectorAll('#teach .words .concept').length === {1 if place == 1 else 2}")
    assert tab.run("teach") == "Learnt."
    assert tab.ask("document.querySelectorAll('#teach .sheet figure').length") == 4
    tab.shoot(tmp_path, "taught-1280")
    tab.find("#teach .notes .primary").click()
    tab.find("#steer [data-field=steps]").send_keys("3\t")
    assert "8 images" in tab.run("steer")


@pytest.mark.parametrize("width", [1280, 390])
def test_a_benchmark_is_shown_by_method_and_prompt(browse: Open, tmp_path: Path, width: int) -> None:
    folder = little_run(tmp_path / "bench", ("a cat and a dog", "a red car and a lion"), (0, 1), ("none", "a-star"))
    tab = browse(width)
    tab.open("view=compare")
    tab.find("#compare [data-field=folder]").send_keys(str(folder) + "\t")
    assert "8 images of 2 prompts" in tab.run("compare")
    tab.find("#compare tbody .link").click()
    tab.until("document.querySelectorAll('#compare .shots img').length === 4")
    tab.shoot(tmp_path, f"compared-{width}")


def test_markup_in_a_prompt_is_text(browse: Open) -> None:
    tab = browse()
    text = "<script>alert(1)</script> <img src=x onerror=alert(2)> a cat and a dog"
    tab.open(f"{SHORT}&{urlencode({'prompt': text})}")
    assert tab.find("#steer textarea").get_attribute("value") == text
    assert "images in" in tab.run("steer") or "Expected" in tab.status("steer")
    assert tab.ask("document.querySelectorAll('#steer img[src=x], #steer .words script').length") == 0


def test_a_long_prompt_and_a_bomb_are_refused_in_words(browse: Open, tmp_path: Path) -> None:
    tab = browse()
    tab.open(SHORT)
    box = "const it = document.querySelector('#steer textarea'); it.value = arguments[0];"
    box += "it.dispatchEvent(new Event('change'))"
    for length, where, says in ((10_000, ".status", "tokens"), (10_001, ".hint", "at most 10000 characters")):
        tab.driver.execute_script(box, ("cat " * 3000)[:length])
        if where == ".hint":
            tab.until("document.querySelector('#steer .hint').textContent.includes('10000')")
        else:
            tab.until("document.querySelectorAll('#steer .words button').length > 2000")
            tab.run("steer")
        assert says in tab.find(f"#steer {where}").text
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(png_that_claims(30_000, 30_000))
    tab.open("view=teach")
    tab.find("#teach input[type=file]").send_keys(str(bomb))
    assert "at most 50 million pixels" in tab.run("teach")
    tab.errors()  # the browser notes the refusal, too


def test_two_tabs_take_turns_and_get_the_same_images(browse: Open) -> None:
    first, second = browse(), browse()
    first.open(f"{SHORT.replace('steps=4', 'steps=12')}")
    second.open(SHORT.replace("steps=4", "steps=12"))
    first.find("#steer .primary").click()
    first.until("document.querySelector('#steer progress').value > 0")
    second.find("#steer .primary").click()
    second.until("document.querySelector('#steer .status').textContent.startsWith('Waiting')")
    for tab in (first, second):
        tab.until("!document.querySelector('#steer .primary').disabled")
    assert len(first.images()) == 4 and first.images() == second.images()


def test_after_a_stop_the_next_run_is_that_of_the_command(browse: Open, tmp_path: Path) -> None:
    tab = browse()
    tab.open("steps=300&seeds=0-3")
    tab.find("#steer .primary").click()
    tab.until("document.querySelector('#steer progress').value > 0.01")
    tab.find("#steer .stop").click()
    tab.until("!document.querySelector('#steer .primary').disabled")
    assert tab.status("steer").startswith("Stopped.")
    tab.open(MARKED)
    tab.run("steer")
    made = _made_by_the_copied_command(tab, tmp_path)
    assert set(tab.images()) == set(made.values())


def test_a_tab_that_is_closed_ends_its_run(browse: Open, address: str) -> None:
    tab = browse()
    with Browser(address) as closed:
        closed.open("steps=600&seeds=0-7")
        closed.find("#steer .primary").click()
        closed.until("document.querySelector('#steer progress').value > 0")
    tab.open(SHORT)
    assert "images in" in tab.run("steer")


def test_the_slider_of_notebooks_draws_itself(tmp_path: Path) -> None:
    needs_browser()
    pipe = heedful.world.load()
    with heedful.guide(pipe, "a cat and a blue clock", "none") as guided:
        images = pipe("a cat and a blue clock", num_inference_steps=3).images
    (tmp_path / "cell.html").write_text(guided.maps.show(images).html, encoding="utf-8")
    with Browser("file://") as tab:
        tab.driver.get(f"file://{tmp_path}/cell.html")
        tab.driver.switch_to.frame(tab.find("iframe"))
        tab.until("document.querySelectorAll('.hv-small canvas').length === 2")
        assert tab.find(".hv-stage output").text == "step 3 of 3"
        pixel = "document.querySelector('.hv-stage canvas').getContext('2d').getImageData(9, 9, 1, 1)"
        tab.until(f"{pixel}.data[3] === 255")
        assert tab.errors() == []
        tab.driver.switch_to.default_content()
        tab.shoot(tmp_path, "notebook-1280")
