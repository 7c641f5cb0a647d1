"""Typesets a PDF in a separate process: one request per line on stdin, one answer per line on stdout.

Owns the only use of Typst: what a document may read (nothing: all of it comes with the request), which fonts it gets,
and what is done about characters that none of them has.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dtui.reports.output.child import answer_lines, first_line, limit_memory

TEMPLATE = Path(__file__).parent.parent / "templates" / "report.typ"
_SVG_TEXT = re.compile(r"<(?:text|tspan)\b[^>]*>([^<]+)<")


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Carry out one request.

    Args:
        request: {"document": what `dtui.reports.output.pdf.document_data` returns}.

    Returns:
        {"pdf": base64, "missing": the characters that no font has}, or {"error": one line}.
    """
    import typst

    from dtui.reports.output.fonts import CODES, choose_fonts, drawn_by, links_folder, name_of, write_codes

    document = request["document"]
    try:
        with links_folder() as links:
            choice = choose_fonts(set("".join(_texts(document))), Path(links))
            missing = {
                character: {
                    "character": character,
                    "code": f"{ord(character):04X}",
                    "name": name_of(character),
                    "font": drawn_by(character),
                }
                for character in choice.missing
            }
            families, folders = choice.families, choice.folders
            if missing:
                write_codes(missing, Path(links) / "codes.ttf")
                families, folders = (*families, CODES), tuple(dict.fromkeys((*folders, Path(links))))
            document = {**_marked(document, missing), "families": families}
            fonts = typst.Fonts(False, False, list(folders))
            return {"pdf": base64.b64encode(_compiled(document, fonts)).decode("ascii"), "missing": choice.missing}
    except (typst.TypstError, OSError, ValueError, KeyError, TypeError) as error:
        return {"error": first_line(error)}


def _compiled(document: dict[str, Any], fonts: Any) -> bytes:
    """Return the PDF: one for everybody (PDF/UA) where that is possible, else a plain one."""
    import typst

    compiler = typst.Compiler(
        TEMPLATE,
        root=TEMPLATE.parent,
        font_paths=fonts,
        ignore_system_fonts=True,
        sys_inputs={"data": json.dumps(document)},
    )
    try:
        made = compiler.compile(format="pdf", pdf_standards="ua-1")
    except typst.TypstError:
        made = compiler.compile(format="pdf")
    if not isinstance(made, bytes):
        raise ValueError("Typst made no document")
    return made


def _texts(value: object) -> Iterator[str]:
    """Yield every text that is drawn: strings that stand in lists, and the text of pictures."""
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        if not isinstance(one, str):
            yield from _texts(one)
        elif isinstance(value, list):
            yield one
    if isinstance(value, dict) and "svg" in value:
        yield from _svg_texts(value["svg"])


def _svg_texts(svg: str) -> Iterator[str]:
    for found in _SVG_TEXT.finditer(svg):
        yield html.unescape(found[1])


def _marked(value: Any, missing: dict[str, dict[str, str]]) -> Any:
    """Return the document with each missing character as a piece of its own; pictures say which they have."""
    if isinstance(value, list):
        cut = re.compile(f"([{re.escape(''.join(missing))}])") if missing else None
        pieces: list[Any] = []
        for one in value:
            if not isinstance(one, str):
                pieces.append(_marked(one, missing))
            elif cut is None or cut.search(one) is None:
                pieces.append(one)
            else:
                pieces += [missing.get(part, part) for part in cut.split(one) if part]
        return pieces
    if not isinstance(value, dict):
        return value
    marked = {key: _marked(one, missing) for key, one in value.items()}
    if "svg" in value:
        texts = set("".join(_svg_texts(value["svg"])))
        marked["missing"] = [told for character, told in missing.items() if character in texts]
    return marked


if __name__ == "__main__":
    limit_memory()
    answer_lines(answer)
