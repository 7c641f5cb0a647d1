"""The table of screens, each with a key, a name and panes. To add a screen, add a line here, and its panes."""

from __future__ import annotations

from dtui.tui.panes.bars import Axis, KeyBar, Notice, Ribbon, TopBar
from dtui.tui.panes.batches.batch import SCREEN as BATCH
from dtui.tui.panes.batches.batch import Batch
from dtui.tui.panes.batches.sample_times import SampleTimes
from dtui.tui.panes.cell_course import CellCourse
from dtui.tui.panes.classes import Classes
from dtui.tui.panes.correlation import Correlation
from dtui.tui.panes.cube import Cube
from dtui.tui.panes.curves import Curves
from dtui.tui.panes.entry_detail import EntryDetail
from dtui.tui.panes.images import Images
from dtui.tui.panes.layers.exciting import ExcitingImages
from dtui.tui.panes.layers.filter_inspector import FilterInspector
from dtui.tui.panes.layers.filters import Filters
from dtui.tui.panes.layers.inspected import EXCITED
from dtui.tui.panes.layers.inspected import SCREEN as FILTER
from dtui.tui.panes.layers.structure import SCREEN as STRUCTURE
from dtui.tui.panes.layers.structure import StructurePane
from dtui.tui.panes.layers.tree import Tree
from dtui.tui.panes.looked_for import LookedFor
from dtui.tui.panes.runs.compared_rows import ComparedClasses, ComparedLayers
from dtui.tui.panes.runs.comparing import SCREEN as COMPARING
from dtui.tui.panes.runs.comparing import Comparing
from dtui.tui.panes.runs.picked_run import PickedRun
from dtui.tui.panes.runs.run_list import Runs
from dtui.tui.panes.triage import Triage
from dtui.tui.panes.validation.class_courses import ClassesAtEnd, MarkedClasses
from dtui.tui.panes.validation.confusion import Matrix, Pairs
from dtui.tui.panes.validation.gallery import GalleryPane
from dtui.tui.panes.validation.image import History, Portrait
from dtui.tui.panes.validation.inside import CONFUSION, GALLERY, IMAGE, THRESHOLDS
from dtui.tui.panes.validation.pair_images import PairImages
from dtui.tui.panes.validation.picked_image import PickedHistory, PickedPortrait
from dtui.tui.panes.validation.thresholds import Thresholds
from dtui.tui.state.pane import Screen, Table

CORRELATION = Correlation()
RUNS = Runs()
INSPECTOR = FilterInspector()
BATCHED = Batch()
TILES = GalleryPane()
MATRIX = Matrix()
ADVISOR = Thresholds()
HISTORY, PORTRAIT = History(), Portrait()

SCREENS = (
    Screen("1", "Triage", (Triage(), EntryDetail(), LookedFor(), ClassesAtEnd())),
    Screen("2", "Layers", (Tree(), Filters()), is_wide=True),
    Screen("3", "Validation", (Classes(), Images())),
    Screen("4", "Correlation", (CORRELATION, CellCourse(CORRELATION))),
    Screen("5", "Cube", (Cube(),)),
    Screen("6", "Runs", (RUNS, PickedRun(RUNS))),
)

INNER: tuple[Screen, ...] = (
    Screen("", FILTER, (INSPECTOR,), is_wide=True),
    Screen("", EXCITED, (INSPECTOR, ExcitingImages()), is_wide=True),
    Screen("", STRUCTURE, (StructurePane(),)),
    Screen("", COMPARING, (Comparing(), ComparedLayers(), ComparedClasses())),
    Screen("", GALLERY, (TILES, PickedHistory(TILES, HISTORY), PickedPortrait(TILES, PORTRAIT))),
    Screen("", IMAGE, (HISTORY, PORTRAIT)),
    Screen("", CONFUSION, (Pairs(), MATRIX, PairImages(MATRIX))),
    Screen("", BATCH, (BATCHED, SampleTimes(BATCHED))),
    Screen("", THRESHOLDS, (ADVISOR, MarkedClasses(ADVISOR))),
)
"""Screens without a tab: a pane opens them with `Scene.opened`, and Esc goes back."""

TABLE = Table(SCREENS, inner=INNER, above=(TopBar(), Curves(), Ribbon(), Axis()), below=(Notice(), KeyBar()), runs=RUNS)
"""All that the screen may show. Above and below is the same on every screen."""
