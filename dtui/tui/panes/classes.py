"""The classes pane: clusters that fold, with their classes below them, each with its error over time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from dtui.model import ClassErrors, TimeAxis
from dtui.model.review import Entry
from dtui.query import RunQuery
from dtui.safe_text import safe
from dtui.tui.panes.rows import ListPane
from dtui.tui.renderables.panes.classes import TITLE, ClassesPicture, class_row_height
from dtui.tui.renderables.panes.classes import ClassRow as DrawnClass
from dtui.tui.renderables.panes.message import MessagePicture
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.state.actions import SHOWN, Action
from dtui.tui.state.key_steps import cycling
from dtui.tui.state.navigate import select_row
from dtui.tui.state.numbers import Numbers, over_time
from dtui.tui.state.pane import Scene, Shows, Step
from dtui.tui.state.questions import ClustersQuestion, Question
from dtui.tui.state.search import find_matches
from dtui.tui.state.selection import Selection

CLUSTER_COUNTS = (2, 3, 4, 5, 6, 8, 10, 12)
NO_VALIDATION = (
    "No validations in this run",
    "Wrap your validation in the training loop:  with recorder.validation(loader): validate(model)",
)


@dataclass(frozen=True, slots=True)
class ClassesOptions:
    """The choices of this pane: the number of clusters, and the open ones."""

    clusters: int = 4
    opened: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class ErrorsQuestion(Question[ClassErrors]):
    """Error strips of groups of classes."""

    groups: tuple[tuple[int, ...], ...]
    axis: TimeAxis
    about = "errors"

    def ask(self, query: RunQuery) -> ClassErrors:
        """Return a strip for each group."""
        return query.class_errors(self.groups, self.axis)


class ErrorsNowQuestion(ErrorsQuestion):
    """Exact errors at the cursor: the axis is one column of one iteration.

    A column of the screen may hold many validations, and its strip shows the worst of them.
    """

    about = "errors at the cursor"


@dataclass(frozen=True, slots=True)
class ClassRow:
    """A row: a cluster, or a class within an open one."""

    cluster: int
    class_index: int | None


class Classes(ListPane):
    """Clusters that fold, with their classes below them; the Selection holds the selected row."""

    name = "classes"
    title = TITLE
    is_searchable = True
    shows = Shows.CLASSES
    actions = (
        Action("clusters", ("c",), "clusters, colours", "Number of clusters; in Images, colour by wrong label.", SHOWN),
    )
    bar = ((("fold_toggle",), "open"), (("threshold_down", "threshold_up"), "threshold"), (("clusters",), "clusters"))

    @property
    def steps(self) -> Mapping[str, Step]:
        """Step through the numbers of clusters."""
        return {"clusters": cycling(ClassesOptions, "clusters", CLUSTER_COUNTS)}

    # --- what it shows

    def needed(self, scene: Scene) -> int:
        """Return the rows of everything opened."""
        return 1 + 2 * (len(scene.view.classes) + scene.selection.get(ClassesOptions).clusters)

    def tall(self, scene: Scene) -> int:
        """Return 2, or 1 where the pane is low."""
        return class_row_height(self.height(scene))

    def wanted(self, scene: Scene) -> Iterator[Question[Any]]:
        """Ask for clusters, their errors, and the errors at the cursor, also of the classes whose images are shown."""
        selection, view = scene.selection, scene.view
        if len(view.classes):
            yield ClustersQuestion(selection.get(ClassesOptions).clusters)
        if view.clusters and self.height(scene):
            groups = tuple(self._labels(scene, row) for row in self.asked_for(scene))
            yield ErrorsQuestion(groups, scene.axis)
            moment = TimeAxis(selection.cursor, selection.cursor + 1, 1)
            yield ErrorsNowQuestion((*groups, view.group_classes(selection)), moment)

    def picture(self, scene: Scene) -> Picture:
        """Return the rows with the errors that are there."""
        selection, view = scene.selection, scene.view
        if not len(view.classes) or not view.info.validations:
            return MessagePicture(*NO_VALIDATION, self.title)
        if not view.clusters:
            return MessagePicture(title=self.title)
        rows, search = self.items(scene), selection.search_of(self.name)
        opened = selection.get(ClassesOptions).opened
        drawn = tuple(
            DrawnClass(
                name=self._label(scene, row),
                labels=self._labels(scene, row),
                is_open=row.class_index is None and (bool(search) or row.cluster in opened),
                is_cluster=row.class_index is None,
            )
            for row in rows
        )
        here, window = ClassRow(selection.cluster, selection.class_index), self.window(selection)
        return ClassesPicture(
            drawn,
            window.first,
            window.row if rows and rows[window.row] == here else -1,
            scene.answers.get(ErrorsQuestion),
            tuple(anomaly for anomaly in view.anomalies if anomaly.class_index is not None),
            selection.entry,
            view.stages,
            f"/{safe(search, 24)}" if search else f"{len(view.clusters)} clusters by error",
            scene.answers.get(ErrorsNowQuestion),
        )

    @staticmethod
    def _label(scene: Scene, row: ClassRow) -> str:
        if row.class_index is not None:
            return scene.view.classes[row.class_index]
        return next(cluster.label for cluster in scene.view.clusters if cluster.index == row.cluster)

    @staticmethod
    def _labels(scene: Scene, row: ClassRow) -> tuple[int, ...]:
        """Return the classes that a row stands for."""
        if row.class_index is not None:
            return (row.class_index,)
        return next(cluster.classes for cluster in scene.view.clusters if cluster.index == row.cluster)

    # --- its rows

    def items(self, scene: Scene) -> tuple[ClassRow, ...]:
        """Return clusters and classes that are visible."""
        search, opened = scene.selection.search_of(self.name), scene.selection.get(ClassesOptions).opened
        matches = find_matches(search, scene.view.classes)
        rows: list[ClassRow] = []
        for cluster in scene.view.clusters:
            members = [label for label in cluster.classes if label in matches]
            if not members and search:
                continue
            rows.append(ClassRow(cluster.index, None))
            if search or cluster.index in opened:
                rows += [ClassRow(cluster.index, label) for label in members]
        return tuple(rows)

    def select(self, scene: Scene, row: int) -> Selection:
        """Return the selection on a cluster or a class."""
        rows = self.items(scene)
        return self._at(scene.selection, rows[row]) if rows else scene.selection

    def place(self, scene: Scene, items: Sequence[ClassRow]) -> int:
        """Return the row of the selected class or cluster."""
        here = ClassRow(scene.selection.cluster, scene.selection.class_index)
        return items.index(here) if here in items else 0

    def is_foldable(self, scene: Scene) -> bool:
        """Whether a cluster is selected."""
        return scene.selection.class_index is None

    def fold(self, scene: Scene, open_: bool | None) -> Selection:
        """Open or close a cluster; opening a class goes to its images in the next pane."""
        selection, options = scene.selection, scene.selection.get(ClassesOptions)
        is_open = selection.cluster in options.opened
        if selection.class_index is not None:
            return selection.changed(class_index=None) if open_ is False else scene.next_pane()
        if open_ is True and is_open:
            return select_row(scene, self.row(scene) + 1)
        if open_ is False and not is_open:
            return selection
        return selection.put(replace(options, opened=options.opened ^ {selection.cluster}))

    # --- what changes around it

    def answered(self, scene: Scene, question: Question[Any], answer: Any) -> Selection:
        """Select the hardest cluster first, and open the hardest clusters as long as all rows fit."""
        selection = scene.selection
        if not isinstance(question, ClustersQuestion) or scene.view.clusters or not answer:
            return selection
        options = selection.get(ClassesOptions)
        opened, used = set(options.opened), len(answer)
        for cluster in reversed(answer):
            if used + len(cluster.classes) > self.shown(scene):
                break
            opened.add(cluster.index)
            used += len(cluster.classes)
        if selection.class_index is None:
            selection = selection.changed(cluster=answer[-1].index)
        return selection.put(replace(options, opened=frozenset(opened)))

    def show(self, scene: Scene, entry: Entry) -> Selection:
        """Select the worst class of an entry in its opened cluster, and end a search that hides it."""
        label = entry.class_index
        if label is None:
            return scene.selection
        cluster = next((group.index for group in scene.view.clusters if label in group.classes), 0)
        selection = self._opened(scene.selection, cluster).changed(cluster=cluster, class_index=label)
        if label not in find_matches(selection.search_of(self.name), scene.view.classes):
            selection = selection.with_search(self.name, "")
        return selection

    def settle(self, scene: Scene) -> Selection:
        """Open the cluster of the selected class, and move the selection to a visible row."""
        selection, view = scene.selection, scene.view
        if not view.clusters:
            return selection
        if selection.class_index is not None:
            groups = (group.index for group in view.clusters if selection.class_index in group.classes)
            cluster = next(groups, selection.cluster)
            selection = self._opened(selection, cluster).changed(cluster=cluster)
        scene = scene.at(selection)
        rows = self.items(scene)
        if rows and ClassRow(selection.cluster, selection.class_index) not in rows:
            classes = [row for row in rows if row.class_index is not None]
            found = classes[0] if classes and selection.search_of(self.name) else rows[0]
            scene = scene.at(self._at(selection, found))
        return super().settle(scene)

    @staticmethod
    def _at(selection: Selection, row: ClassRow) -> Selection:
        return selection.changed(cluster=row.cluster, class_index=row.class_index)

    @staticmethod
    def _opened(selection: Selection, cluster: int) -> Selection:
        options = selection.get(ClassesOptions)
        return selection.put(replace(options, opened=options.opened | {cluster}))

    def said(self, before: Selection, now: Selection) -> str:
        """Say how many clusters were requested."""
        count = now.get(ClassesOptions).clusters
        return f"{count} clusters of classes" if count != before.get(ClassesOptions).clusters else ""

    def numbers(self, scene: Scene) -> Numbers | None:
        """Return the errors of the rows."""
        errors, classes = scene.answers.get(ErrorsQuestion), scene.view.classes
        if errors is None:
            return None
        clusters = {cluster.classes: cluster.label for cluster in scene.view.clusters}
        names = [classes[group[0]] if len(group) == 1 else clusters.get(group, "cluster") for group in errors.groups]
        return over_time("error, share of wrong images", errors.axis, names, list(errors.values))

    def choices(self, scene: Scene) -> Iterator[tuple[str, str, Step]]:
        """Offer the classes."""
        for label, name in enumerate(scene.view.classes):
            yield f"class {safe(name)}", "Select this class.", partial(_go_to_class, label=label)


def _go_to_class(scene: Scene, label: int) -> Selection:
    return scene.selection.changed(class_index=label)
