"""The sections of a report, in reading order.

To add one, decorate a function in a module of this package with `section`; nothing else needs to change.
"""

from __future__ import annotations

from dtui.reports.sections.registry import SectionBuilder, View, section, section_names, sections_named

__all__ = ["SectionBuilder", "View", "section", "section_names", "sections_named"]
