"""A report as PDF: read back with poppler, as its reader's program reads it."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import typing
from pathlib import Path

import numpy as np
import pytest

from dtui.errors import MissingExtraError, ReportError
from dtui.reports import build, write_report
from dtui.reports.charts.raster import thumbnail
from dtui.reports.charts.vectors import Vectors
from dtui.reports.document import (
    Card,
    Chapter,
    Fact,
    Facts,
    Gallery,
    Item,
    Opening,
    Paragraph,
    Picture,
    Report,
    Row,
    Said,
    Section,
    Table,
    Thumbnail,
)
from dtui.reports.output import pdf
from dtui.reports.output.pdf import Typesetter, pieces
from dtui.reports.sections import section_names
from tests.reports.fake_query import HOSTILE, FakeQuery

ROOT = Path(__file__).parents[2]
TYPST = (
    '#panic("ran") #read("/etc/passwd") #import "@preview/x:1.0.0"',
    "$x^2$ *bold* _slanted_ `raw` <label> @ref \\ \\u{41} // gone /* gone */",
    "a-very-long.name_of/a:layer" + ".conv1" * 12 + "w" * 90,
    "</text><script>alert(1)</script> &amp; &#65;",
)


def require_poppler(name: str) -> str:
    """Return a program of poppler; without it, fail where CI runs and skip elsewhere."""
    found = shutil.which(name)
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no {name} on PATH: apt-get install poppler-utils")
    return found


def read(path: Path, *options: str, program: str = "pdftotext") -> str:
    command = [require_poppler(program), *options, str(path), *(["-"] if program == "pdftotext" else [])]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def squeezed(text: str) -> str:
    """Return a text without any space, as lines break where they like."""
    return re.sub(r"\s", "", text)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with every section on two runs."""
    out = tmp_path_factory.mktemp("pdf") / "both.pdf"
    queries = {
        "a": FakeQuery(name="first-run"),
        "b": FakeQuery(name="second-run", invented=True, reason="no more power"),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "open_run", lambda path: queries[path.name])
        chosen = [name for name in section_names() if name not in TURNED]
        result = write_report([Path("a"), Path("b")], out, sections=chosen)
    assert (result.charts, result.problems) == (6, ())
    return out


def test_a_pdf_holds_what_the_page_holds(whole: Path) -> None:
    text = read(whole)
    for words in ("What happened", "Layers", "Classes", "Anomaly iterations", "How it was made", "validation error"):
        assert len(re.findall(rf"^{words}", text, re.M)) >= 2, words
    assert text.count("INVENTED") == 1
    assert "the training ended early: no more power" in text
    assert "scale by row" not in text, "what asks for a pointer"
    assert "Point at a row" not in text


def test_pages_have_numbers_and_the_name_of_the_report(whole: Path) -> None:
    pages = read(whole).split("\f")[:-1]
    assert len(pages) >= 5
    for number, page in enumerate(pages, 1):
        assert re.search(rf"^{number} ?/ ?{len(pages)}$", page, re.M)
    assert all(page.lstrip().startswith("2 runs") for page in pages[1:])


def test_the_contents_link_to_the_sections(whole: Path) -> None:
    links = re.findall(r'href="[^"#]*#(\d+)">([^<]+)', read(whole, "-xml", "-i", "-stdout", program="pdftohtml"))
    first = [page for page, words in links if words.startswith("first-run")]
    second = [page for page, words in links if words.startswith("second-run")]
    assert first
    assert second
    assert int(first[0]) < int(second[0])
    assert sum(words.startswith("How it was made") for _, words in links) >= 2


def test_every_letter_is_at_least_8_points_high(whole: Path) -> None:
    """What poppler calls the height of a word is 0.938 of the size of its letters in Liberation Sans."""
    place = r'<word xMin="([\d.]+)" yMin="([\d.]+)" xMax="([\d.]+)" yMax="([\d.]+)">(.*)</word>'
    heights = []
    for left, top, right, bottom, word in re.findall(place, read(whole, "-bbox")):
        sides = [float(bottom) - float(top), float(right) - float(left)]
        heights.append(max(sides) if len(word) < 3 else sides[0])  # one or two letters of a turned name, which lie
    assert len(heights) > 300
    assert min(heights) >= 8 * 0.938


def test_the_date_is_that_of_the_run(whole: Path) -> None:
    told = read(whole, "-isodates", program="pdfinfo")
    assert re.search(r"^Title: +2 runs$", told, re.M)
    assert re.search(r"^CreationDate: +2026-11-23T12:00:00Z$", told, re.M)
    assert re.search(r"^Tagged: +yes$", told, re.M)


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    """In two processes that differ in hash seed, time zone, language and folder."""
    program = (
        "import sys; from pathlib import Path; from dtui.reports import build\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "from tests.reports.fake_query import FakeQuery\n"
        "build.open_run = lambda path: FakeQuery(records=20)\n"
        "build.write_report([Path('a')], Path(sys.argv[1]), sections=['layers', 'anomalies'])"
    )
    digests = set()
    places = (("1", "UTC", "C.UTF-8", ROOT), ("2", "Asia/Tokyo", "de_DE.UTF-8", tmp_path))
    for seed, zone, language, folder in places:
        out = tmp_path / f"{seed}.pdf"
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "LANG": language}
        subprocess.run([sys.executable, "-c", program, out], check=True, env=environment, cwd=folder)
        digests.add(hashlib.sha256(out.read_bytes()).hexdigest())
    assert len(digests) == 1


def every_place(name: str) -> Report:
    """A report that has a name from outside in every place of a document."""
    table = Table((name,), (False,), (Row((name,), kind="lost"),), f"note {name}", f"title {name}")
    facts = (Fact(f"fact {name}", f"value {name}", f"detail {name}"),)
    drawing = Vectors.picture(300, 60, name)
    drawing.words(5, 30, "drawn")
    small = Picture("p", f"picture {name}", f"shows {name}", drawing.svg(), 300)
    card = Card("run1-c", 1, 5, f"incident {name}", f"tag {name}", "flagged", facts, (small,), f"command {name}")
    thumbnails = (Thumbnail("", f"image {name}", (f"line {name}",), name), Thumbnail(PIXEL, "dot", (), name))
    gallery = Gallery(f"gallery {name}", thumbnails, f"below {name}")
    items = (table, Paragraph(f"paragraph {name}"), Facts(facts, f"list {name}"), card, gallery, small)
    worst = (Said(f"worst {name}", "run1-c", 1), Said(f"elsewhere {name}", f"no such {name}", 0))
    opening = Opening("look", f"headline {name}", worst, (f"remark {name}",), (f"since {name}",), f"last {name}", small)
    section = Section("s", f"section {name}", f"caption {name}", items)
    chapter = Chapter("run1", name, "done", False, facts, (section,), (f"finding {name}",), opening, "soon")
    return Report(name, (chapter,))


TURNED = ("correlation", "cube", "comparing")
"""Sections with letters that are turned, of which poppler tells no height; and one that these runs have not."""
PLACES = (
    *("fact", "value", "detail", "finding", "caption", "paragraph", "section", "title", "note", "picture", "shows"),
    *("incident", "tag", "command", "image", "line", "gallery", "below", "list", "worst", "elsewhere", "headline"),
    *("remark", "since", "last"),
)
PIXEL = thumbnail(np.zeros((2, 2, 3), np.uint8))


@pytest.mark.parametrize("name", [*TYPST, *(name for name in HOSTILE if name.isprintable())])
def test_names_are_text_in_every_place(name: str, tmp_path: Path) -> None:
    out = tmp_path / "a.pdf"
    with Typesetter() as typesetter:
        out.write_bytes(typesetter.render(every_place(name), {}, {}))
    text = squeezed(read(out, "-raw"))
    for words in PLACES:
        assert squeezed(words + name) in text, words


def test_the_name_of_a_run_stands_on_the_page_of_its_verdict_and_below_the_contents(tmp_path: Path) -> None:
    """Forty runs, which begin at as many heights: at the foot of a page none leaves its name behind."""
    chapters = []
    for place in range(40):
        told = tuple(Paragraph("filler") for _ in range(place % 7 + 2))
        opening = Opening("look", f"verdict {place}.", remarks=("a remark",))
        chapters.append(
            Chapter(
                f"run{place}",
                f"name {place}.",
                "done",
                False,
                (),
                (Section(f"s{place}", "all", "", told),),
                (),
                opening,
            )
        )
    out = tmp_path / "a.pdf"
    with Typesetter() as typesetter:
        out.write_bytes(typesetter.render(Report("forty", tuple(chapters)), {}, {}))
    pages = read(out).split("\f")
    for place in range(40):
        (own,) = (page for page in pages if f"verdict {place}." in page)
        assert re.search(rf"^name {place}\.$", own, re.M), place
    words = re.findall(r'yMin="([\d.]+)" xMax="[\d.]+" yMax="([\d.]+)">(name|all)<', read(out, "-bbox", "-l", "1"))
    listed = [float(bottom) for top, bottom, _ in words if float(bottom) - float(top) < 10]
    titles = [float(top) for top, bottom, word in words if word == "name" and float(bottom) - float(top) > 15]
    assert len(listed) == 80
    assert max(listed) <= min(titles)


def test_a_character_that_no_font_has_is_named_under_its_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))  # a font of the person who runs the test
    out = tmp_path / "a.pdf"
    nobody = "\U00012000"  # cuneiform
    with Typesetter() as typesetter:
        out.write_bytes(typesetter.render(every_place(f"ab{nobody}c العربية 🦄 Ж"), {"c": ()}, {}))
    text = read(out, "-raw")
    assert "No font here has: U+12000 CUNEIFORM SIGN A. Install one" in text
    assert "12000" in text.partition("paragraph")[2].split("\n")[0], "a box with its number stands in its place"
    assert "🦄" in text
    assert "Ж" in text


def test_a_picture_shows_a_box_for_such_a_character(runs: dict[str, FakeQuery], tmp_path: Path) -> None:
    runs["a"] = FakeQuery(classes=["cat", "a\U00012000b", "🦄 dog"])
    out = tmp_path / "a.pdf"
    assert write_report([Path("a")], out, sections=["classes"]).problems == ()
    text = read(out)
    assert "a\U00012000b" in text, "drawn as a box with its number, and copied as what it is"
    assert "dtuiCodes" in read(out, program="pdffonts")
    assert "🦄 dog" in text
    assert "No font here has: U+12000 CUNEIFORM SIGN A. Install one" in text


def test_each_kind_of_item_has_its_place_in_the_pdf() -> None:
    """The one that this test misses when a kind is added: a function in pdf.py and a drawer in report.typ."""
    assert set(pdf._KINDS) == set(typing.get_args(Item))
    template = (ROOT / "reports" / "templates" / "report.typ").read_text(encoding="utf-8")
    (drawers,) = re.findall(r"#let drawers = \((.*?)\)", template, re.S)
    code = (ROOT / "reports" / "output" / "pdf.py").read_text(encoding="utf-8")
    assert set(re.findall(r'"kind": "(\w+)"', code)) == set(re.findall(r"(\w+): draw-", drawers))


def test_facts_and_pictures_of_an_incident_stand_on_one_page(tmp_path: Path) -> None:
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="300" height="130"><rect width="300" height="130"/></svg>'
    pictures = tuple(Picture(f"p{k}", f"curve {k}", "what it shows", svg, 300) for k in range(3))
    cards = tuple(
        Card(
            f"c{k}", k, 10 * k, f"title{k}", "over", "new", tuple(Fact("f", "v") for _ in range(k)), pictures, f"end{k}"
        )
        for k in range(1, 9)
    )
    chapter = Chapter("run1", "r", "done", False, (), (Section("s", "What happened", "", cards),))
    with Typesetter() as typesetter:
        (tmp_path / "a.pdf").write_bytes(typesetter.render(Report("r", (chapter,)), {}, {}))
    pages = read(tmp_path / "a.pdf").split("\f")[:-1]
    assert len(pages) > 3
    for k in range(1, 9):
        assert [f"title{k}" in page for page in pages] == [f"end{k}" in page for page in pages]


def test_a_long_word_is_cut_where_it_may_break_and_nothing_is_lost() -> None:
    for text in (*TYPST, "", "short words stay whole", "…" * 50, "a" * 5000):
        assert "".join(pieces(text)) == text
    assert pieces("short words stay whole") == ["short words stay whole"]
    assert pieces("layer3.0.conv1.weight") == ["layer3.", "0.", "conv1.", "weight"]


def python(program: str) -> tuple[str, ...]:
    return (sys.executable, "-P", "-c", program)


def test_a_child_that_hangs_dies_or_eats_memory_is_an_error_message() -> None:
    hanging = python("import signal; signal.pause()")
    with (
        Typesetter(0.3, hanging) as typesetter,
        pytest.raises(ReportError, match=r"PDF of x: not typeset within 0\.3 s"),
    ):
        typesetter.render(every_place("x"), {}, {})
    dying = python("import os, sys; sys.stdin.readline(); os.abort()")
    with (
        Typesetter(60, dying) as typesetter,
        pytest.raises(ReportError, match="PDF of x: the process that draws ended"),
    ):
        typesetter.render(every_place("x"), {}, {})
    eating = python(
        "from dtui.reports.output.child import answer_lines, limit_memory; limit_memory()\n"
        "answer_lines(lambda request: {'pdf': str(len(bytearray(16 << 30)))})"
    )
    with Typesetter(60, eating) as typesetter, pytest.raises(ReportError, match="probably out of memory"):
        typesetter.render(every_place("x"), {}, {})


def test_without_its_packages_a_pdf_is_refused_before_the_work_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pdf, "find_spec", lambda name: None if name == "typst" else "there")
    with pytest.raises(MissingExtraError, match=r"a PDF needs typst, not installed; pip install '\.\[pdf\]'"):
        write_report([tmp_path / "nothing"], tmp_path / "a.pdf")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_gets_a_pdf_a_run_where_that_is_asked_for(runs: dict[str, FakeQuery], tmp_path: Path) -> None:
    runs["a"] = runs["b"] = FakeQuery(records=0)
    result = write_report([Path("a"), Path("b")], tmp_path, format="pdf")
    assert [path.name for path in result.paths] == ["a.pdf", "b.pdf"]
    assert "Nothing has been recorded yet." in read(tmp_path / "a.pdf")
