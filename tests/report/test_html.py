import re
from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.report.html import to_html
from heedful.report.markdown import code, code_block, escape, table

markdown_it = pytest.importorskip("markdown_it")


def body(markdown: str, pictures: dict[str, bytes] | None = None) -> str:
    return to_html(markdown, pictures or {}, "t").partition("<body>\n")[2].partition("</body>")[0]


def text_of(html: str) -> str:
    stripped = re.sub(r"<[^>]+>", "", html)
    for entity, sign in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&#x27;", "'"), ("&amp;", "&")):
        stripped = stripped.replace(entity, sign)
    return stripped.strip()


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=30))
def test_escaped_text_is_shown_as_it_is_and_never_obeyed(text: str) -> None:
    shown = " ".join(text.split())
    html = body(f"x{escape(text)}x")
    assert text_of(html) == f"x{shown}x"
    assert set(re.findall(r"<(\w+)", html)) <= {"p"}


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=30))
def test_any_text_stays_in_its_cell(text: str) -> None:
    html = body("\n".join(table(["a", "b"], [[escape(text), "1"]])))
    assert html.count("<td") == 2 and html.count("<tr>") == 2


def test_pictures_are_inside_the_page_and_nothing_is_fetched() -> None:
    html = to_html("# T\n\n![a plot](figures/a.svg)\n", {"figures/a.svg": b"<svg/>"}, "T & co")
    source = re.findall(r'src="([^"]+)"', html)
    assert len(source) == 1 and source[0].startswith("data:image/svg+xml;base64,")
    assert b64decode(source[0].partition(",")[2]) == b"<svg/>"
    assert 'alt="a plot"' in html and "<title>T &amp; co</title>" in html
    assert "http" not in html and "<script" not in html and "url(" not in html


def test_html_in_the_markdown_is_shown() -> None:
    assert "<script>" not in body("<script>alert(1)</script>") and "<a" not in body("[x](javascript:alert)")


def test_numbers_are_on_the_right_and_wide_tables_scroll() -> None:
    html = body("\n".join(table(["name", "value"], [["x", "1.5"], ["y" * 60, "2"]])))
    assert '<td style="text-align:right">1.5</td>' in html and '<div class="scroll" tabindex="0"><table>' in html
    assert 'class="long"' in html


def test_code_may_hold_backticks() -> None:
    assert "<code" in body("\n".join(code_block("a ``` b"))) and "a ``` b" in body("\n".join(code_block("a ``` b")))
    assert table(["a"], []) == []


def test_name_in_code_stays_there_whatever_it_is_called() -> None:
    assert code("clip`\n\n# <b>T</b> | x") == "`clip # <b>T</b> x`"
    assert "<b>" not in body(code("clip`\n\n<b>T</b>"))


def test_a_long_page_begins_with_its_sections_and_follows_light_dark_and_print() -> None:
    html = to_html("# T\n\nfirst\n\n## A `b` < c\n\n## D\n\n## E\n\n## F\n\n### G\n", {}, "t")
    assert html.index("first") < html.index("<nav") < html.index("<h2") and html.count("<nav") == 1
    for number, title in enumerate(("A b &lt; c", "D", "E", "F"), 1):
        assert f'<a href="#section-{number}">{title}</a>' in html and f'<h2 id="section-{number}">' in html
    assert "prefers-color-scheme: dark" in html and "@media print" in html
    assert "<nav" not in to_html("# T\n\n## A\n\n## B\n", {}, "t")
