"""Names that are written from right to left stand apart: a number beside them stays where it was put."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dtui.reports.nightly.page import render_page
from dtui.reports.output.markdown import escaped
from dtui.reports.output.pdf import pieces
from dtui.reports.writing_direction import isolated, isolated_page
from tests.reports.browser import Browser
from tests.reports.nightly.test_page import CALM, index, row

DOG, CAT = "כלב גדול", "قطة"
FOUND = f"class {DOG} 12 %, class {CAT} 3 of 9"
ORDER = r"""(text => {
  const host = [...document.querySelectorAll("p")].find(one => one.textContent.includes(text)), range = new Range();
  const walk = document.createTreeWalker(host, NodeFilter.SHOW_TEXT);
  let letters = [];
  for (let node = walk.nextNode(); node; node = walk.nextNode())
    for (let k = 0; k < node.length; k++) {
      range.setStart(node, k); range.setEnd(node, k + 1);
      letters.push([range.getBoundingClientRect().left, node.data[k]]);
    }
  const across = letters.sort((a, b) => a[0] - b[0]).map(one => one[1]).join("").replace(/[\s,.\u00a0]/g, "");
  return across.replace(/[^a-z0-9%]+/gi, "_");
})"""
"""Letters as they stand from left to right, "_" for those of the names."""


def test_marks_stand_around_each_name_and_nowhere_else() -> None:
    assert isolated(FOUND) == f"class \u2068{DOG}\u2069 12 %, class \u2068{CAT}\u2069 3 of 9"
    for text in ("class cat 12 %", "猫 – Überlauf é", "🐈 12 %"):
        assert isolated(text) is text
    assert isolated(f"{DOG}, {CAT}").count("\u2068") == 2, "names in a row keep their order"


def test_a_page_holds_elements_in_text_and_marks_where_none_can_stand() -> None:
    page = (
        f'<title>{CAT} 1</title><a href="x/{CAT}" title="{CAT} 2">{CAT} 3</a><code>dtui {CAT}</code>'
        f'<svg aria-label="{CAT} 4"><text x="1">{CAT} 5</text></svg><script type="application/json">"{CAT} 6"</script>'
    )
    marked, element = f"\u2068{CAT}\u2069", f"<bdi>{CAT}</bdi>"
    assert isolated_page(page) == (
        f'<title>{marked} 1</title><a href="x/{CAT}" title="{marked} 2">{element} 3</a><code>dtui {element}</code>'
        f'<svg aria-label="{marked} 4"><text x="1">{marked} 5</text></svg>'
        f'<script type="application/json">"{marked} 6"</script>'
    )


def test_paper_and_markdown_have_marks() -> None:
    assert f"\u2068{CAT}\u2069 12" in "".join(pieces(f"class {CAT} 12"))
    assert escaped(f"class {CAT} 12") == f"class \u2068{CAT}\u2069 12"


def test_a_browser_shows_numbers_behind_the_names(tmp_path: Path, browser: Browser) -> None:
    page = tmp_path / "index.html"
    page.write_text(render_page(index(row("a", replace(CALM, headline=f"Here {FOUND}.")))), encoding="utf-8")
    browser.open(page)
    assert browser.run(f"{ORDER}('Here class')") == "Hereclass_12%class_3of9"
