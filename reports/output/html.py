"""Writes a report as one HTML file that needs no network.

Owns the only place where text becomes HTML: a template with autoescape. Its content security policy lets the browser
run only its own scripts, named by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files

import jinja2
from markupsafe import Markup

from dtui.errors import ReportError
from dtui.number_text import unparted
from dtui.reports.charts import theme
from dtui.reports.charts.rows.filter_maps import map_svg
from dtui.reports.charts.rows.layer_tree import still_tree
from dtui.reports.document import Card, Chart, Drawings, Facts, Gallery, Paragraph, Picture, Report, Spec, Table
from dtui.reports.output.rows_data import rows_data
from dtui.reports.rows import FilterMaps, LayerTree
from dtui.reports.writing_direction import isolated_page
from dtui.safe_text import safe

LONG_WORD = 10
"""A longer word may break behind its dots, slashes and the like."""
LONG_PIECE = 22
"""A longer piece between those has no room in a narrow page, and may break anywhere."""
_BREAKS = re.compile(r"(?<=[./_:,=\-])(?<!\d[.,])(?=[^\s./_:,=\-])|(?<=\d[.,])(?=[^\s\d./_:,=\-])")


def render_html(report: Report, drawings: Drawings, failures: Mapping[str, str], bundle: str) -> str:
    """Return the report as HTML.

    Args:
        report: What to show.
        drawings: The charts as SVG text that vl-convert made; by chart id.
        failures: Why a chart has no drawing, by chart id; shown in its place.
        bundle: The script of `vega_bundle`.

    Returns:
        The same text for the same arguments.

    Raises:
        ReportError: A specification holds NaN or an infinity.

    Source: dtui.
    """
    style = _static("report.css")
    scripts = [
        bundle,
        _static("report.js"),
        _static("pictures.js"),
        _static("rows.js"),
        _static("cube.js"),
        _static("confusion.js"),
        _static("keys.js"),
    ]
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(map(_hash, scripts))}",
            f"style-src-elem {_hash(style)}",
            "style-src-attr 'unsafe-inline'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    return _page(
        "report.html.j2",
        report=report,
        drawings={name: Markup(svg) for name, svg in drawings.items()},
        failures={name: safe(reason, 400) for name, reason in failures.items()},
        policy=policy,
        style=Markup(style),
        scripts=[Markup(script) for script in scripts],
    )


def render_static_page(template: str, style: str, **values: object) -> str:
    """Return a page without scripts: a template, filled with values and one style sheet, which it may not leave.

    Args:
        template: Name of its file.
        style: Name of the file of its style sheet.
        values: For the template, which escapes them.
    """
    sheet = _static(style)
    policy = f"default-src 'none'; style-src {_hash(sheet)}; img-src data:; base-uri 'none'; form-action 'none'"
    return _page(template, policy=policy, style=Markup(sheet), **values)


def _page(template: str, **values: object) -> str:
    return isolated_page(_environment().get_template(template).render(**values))


def _hash(text: str) -> str:
    """Return the name under which a content security policy knows an inline script or style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}'"


@lru_cache(maxsize=8)
def _static(name: str) -> str:
    return files("dtui.reports").joinpath("static", name).read_text(encoding="utf-8")


def _specification(spec: Spec) -> Markup:
    """Return a specification as JSON that may stand inside a script element."""
    try:
        text = json.dumps(spec, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except ValueError as error:
        raise ReportError(f"report: a chart holds a value that JSON has not ({error}); make it null") from None
    for character in "<>&'":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _kind(item: object) -> str:
    """Return which part of the template shows an item of a section."""
    return _KINDS[type(item)]


_KINDS = {
    Card: "card",
    Chart: "chart",
    Facts: "facts",
    FilterMaps: "rows",
    Gallery: "gallery",
    LayerTree: "rows",
    Paragraph: "paragraph",
    Picture: "picture",
    Table: "table",
}


def _pieces(text: str) -> list[str]:
    """Return a text in pieces, between which a line may break beside its spaces."""
    words = re.split("(?<= )(?=[^ ])", unparted(text))
    return [piece for word in words for piece in (_BREAKS.split(word) if len(word) > LONG_WORD else [word])]


def _is_long(text: str) -> bool:
    """Whether a cell holds a piece of a word that may break anywhere, as no narrow page has room for it."""
    return any(len(word) > LONG_PIECE for piece in _pieces(text) for word in piece.split())


def _breaking(text: str) -> Markup:
    """Return a text as HTML whose long words break behind dots and slashes, as names of layers and paths have them."""
    return Markup("<wbr>").join(_pieces(text)).replace(Markup(" <wbr>"), Markup(" "))


def _unparted(value: object) -> object:
    """Return what a template shows, its text with each number on the line of its unit."""
    return unparted(value) if type(value) is str else value


def _still(item: LayerTree | FilterMaps) -> Markup:
    """Return what stands there until the page's script draws, and where none runs."""
    svg = still_tree(item) if isinstance(item, LayerTree) else map_svg(item, item.maps[0], theme.PLOT_WIDTH)
    return Markup(svg)


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=_unparted,
        loader=jinja2.FunctionLoader(
            lambda name: files("dtui.reports").joinpath("templates", name).read_text(encoding="utf-8")
        ),
    )
    environment.filters["specification"] = _specification
    environment.filters["kind"] = _kind
    environment.filters["is_long"] = _is_long
    environment.filters["breaking"] = _breaking
    environment.filters["rows_data"] = rows_data
    environment.filters["still"] = _still
    environment.filters["drawing"] = Markup  # SVG text of our own, whose words its maker escaped
    environment.filters["drawn"] = Markup  # SVG text of our own, whose words its maker escaped
    return environment
