"""The parts of a report, in reading order.

Owns the registry: every module in this package that decorates a function with `section` adds one part, and
nothing else needs to change.
"""

from __future__ import annotations

from dtui.reports.sections.registry import SectionBuilder, View, section, section_names, sections_named

__all__ = ["SectionBuilder", "View", "section", "section_names", "sections_named"]
