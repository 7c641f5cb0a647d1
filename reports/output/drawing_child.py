"""Draws charts in a separate process: one request per line on stdin, one answer per line on stdout.

Owns the only import of vl-convert. V8 ends the whole process when it runs out of memory, so the process that makes the
report must not draw.
"""

from __future__ import annotations

from typing import Any

import vl_convert

from dtui.reports.output.child import answer_lines, first_line, limit_memory


def answer(request: dict[str, Any]) -> dict[str, str]:
    """Carry out one request.

    Args:
        request: {"draw": specification, "mode": "vega" or "vega-lite"} or {"bundle": true}.

    Returns:
        {"result": text}, or {"error": one line}.
    """
    try:
        if "bundle" in request:
            return {"result": vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")}
        draw = vl_convert.vegalite_to_svg if request["mode"] == "vega-lite" else vl_convert.vega_to_svg
        return {"result": draw(request["draw"], allowed_base_urls=[])}
    except (ValueError, KeyError, TypeError, RuntimeError) as error:
        return {"error": first_line(error)}


if __name__ == "__main__":
    limit_memory()
    answer_lines(answer)
