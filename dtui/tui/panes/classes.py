"""The classes pane: clusters that fold, with their classes below them, each with its error over time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from dtui.dataclass_on_use import dataclass
from dtui.model import TimeAxis
from dtui.model.findings.review import Entry
from dtui.model.judging import as_groups, class_called
from dtui.safe_text import safe
from dtui.tui.panes.rows import ListPane
from dtui.tui.panes.validation.classes_here import ErrorsNowQuestion, ErrorsQuestion, WorstQuestion, labels_here
from dtui.tui.panes.validation.inside import INSIDE, open_gallery, without_validations
from dtui.tui.renderables.panes.classes import TITLE, ClassesPicture, class_row_height
from dtui.tui.renderables.panes.classes import ClassRow as DrawnClass
from dtui.tui.renderables.panes.message import MessagePicture, reading
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.renderables.parts.words.class_names import class_name
from dtui.tui.state.actions import SHOWN, Action
from dtui.tui.state.key_steps import cycling, next_pane
from dtui.tui.state.navigate import select_row
from dtui.tui.state.numbers import Numbers, over_time
from dtui.tui.state.pane import Scene, Shows, Step
from dtui.tui.state.places.search import find_matches
from dtui.tui.state.questions import ClustersQuestion, Question
from dtui.tui.state.selection import Selection

CLUSTER_COUNTS = (1, 2, 3, 4, 5, 6, 8, 10, 12)
METHODS = {"k-means": "k-means", "hierarchical": "average linkage", "shape": "k-means of shapes"}
"""How classes are put together, and its words; by shape, level and range of the errors do not count."""
SORTS = {
    "error": "mean error",
    "here": "error here",
    "peak": "time of peak",
    "similarity": "similarity",
    "name": "name",
}
"""Orders of the classes within a cluster, and their words."""
FEWEST_CLASSES = 3
NONE_HERE, NONE_CALLED = "no class has an incident here: a shows all classes", "no class is called that"
"""Rows that the classes of a cluster must have for it to be opened at first."""
NO_VALIDATION = (
    "No validations in this run",
    "Wrap your validation in the training loop:  with recorder.validation(loader): validate(model)",
)


@dataclass(frozen=True, slots=True)
class ClassesOptions:
    """The choices of this pane: number and method of the clusters, order, rows, and the open clusters."""

    clusters: int = 4
    method: str = "k-means"
    sort: str = "error"
    only_here: bool = False
    opened: frozenset[int] = frozenset()


class ClassRow(NamedTuple):
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
        Action("always_wrong", ("A",), "always wrong", "Images that are always wrong, or forgotten most often.", SHOWN),
        Action("confusion", ("C",), "confusion matrix", "Which classes are taken for which at the crosshair.", SHOWN),
    )
    bar = (
        (("fold_toggle",), "its images"),
        (("confusion",), "confusion"),
        (("sort",), "order"),
        (("only_here",), "incident here"),
        (("always_wrong",), "always wrong"),
        (("clusters", "other_view"), "clusters"),
    )

    @property
    def steps(self) -> Mapping[str, Step]:
        """Step through clusters and orders, and open what is inside."""
        return {
            "clusters": cycling(ClassesOptions, "clusters", CLUSTER_COUNTS),
            "other_view": cycling(ClassesOptions, "method", tuple(METHODS)),
            "sort": cycling(ClassesOptions, "sort", tuple(SORTS)),
            "only_here": cycling(ClassesOptions, "only_here", (False, True)),
            **INSIDE,
        }

    # --- what it shows

    def needed(self, scene: Scene) -> int:
        """Return the rows of everything opened, or of the classes with an incident here."""
        if scene.selection.get(ClassesOptions).only_here:
            return 1 + 2 * len(self.items(scene))
        return 1 + 2 * (len(scene.view.classes) + scene.selection.get(ClassesOptions).clusters)

    def tall(self, scene: Scene) -> int:
        """Return 2, or 1 where the pane is low."""
        return class_row_height(self.height(scene))

    def wanted(self, scene: Scene) -> Iterator[Question[Any]]:
        """Ask for clusters, their errors, and the errors at the cursor, also of the classes whose images are shown."""
        selection, view = scene.selection, scene.view
        options = selection.get(ClassesOptions)
        if len(view.classes):
            method = "hierarchical" if options.method == "hierarchical" else "k-means"
            at = selection.cursor if options.sort == "here" else None
            yield ClustersQuestion(options.clusters, method, options.method == "shape", options.sort, at)
        if view.clusters and self.height(scene):
            groups = tuple(self._labels(scene, row) for row in self.asked_for(scene))
            yield ErrorsQuestion(groups, scene.axis)
            moment = TimeAxis(selection.cursor, selection.cursor + 1, 1)
            yield ErrorsNowQuestion((*groups, view.group_classes(selection)), moment)
            yield WorstQuestion(selection.cursor)

    def picture(self, scene: Scene) -> Picture:
        """Return the rows with the errors that are there."""
        selection, view = scene.selection, scene.view
        if not len(view.classes) or not view.info.validations:
            return MessagePicture(*without_validations(scene, *NO_VALIDATION), self.title)
        if not view.clusters:
            return reading("the errors of the classes", self.title)
        rows, options = self.items(scene), selection.get(ClassesOptions)
        is_filtered = bool(selection.search_of(self.name)) or options.only_here
        drawn = tuple(
            DrawnClass(
                name=self._label(scene, row),
                labels=self._labels(scene, row),
                is_open=row.class_index is None and (is_filtered or row.cluster in options.opened),
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
            view.review.class_anomalies,
            selection.entry,
            view.stages,
            self._title(scene),
            scene.answers.get(ErrorsNowQuestion),
            self._worst(scene),
            as_groups(NONE_HERE if options.only_here else NONE_CALLED, view.info.judging),
            as_groups(self.title, view.info.judging),
        )

    def _title(self, scene: Scene) -> str:
        """Return how the classes are chosen, put together and ordered."""
        search, options = scene.selection.search_of(self.name), scene.selection.get(ClassesOptions)
        count = len(scene.view.clusters)
        said = [f"/{safe(search, 24)}"] if search else []
        said += ["with an incident here"] if options.only_here else []
        if not said and count > 1:
            said.append(f"{count} clusters" + ("" if options.method == "k-means" else f", {METHODS[options.method]}"))
        return " ".join((*said, f"by {SORTS[options.sort]}"))

    def _worst(self, scene: Scene) -> tuple[str, float] | None:
        worst = scene.answers.get(WorstQuestion)
        is_alone = sum(len(cluster.classes) for cluster in scene.view.clusters) == 1
        return (class_name(scene.view.classes, worst[0][0]), worst[0][1]) if worst and not is_alone else None

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
        """Return clusters and classes that are visible; a single cluster has no row of its own."""
        return scene.once(f"{self.name} rows", lambda: self._items(scene))

    def _items(self, scene: Scene) -> tuple[ClassRow, ...]:
        search, options = scene.selection.search_of(self.name), scene.selection.get(ClassesOptions)
        matches, is_filtered = find_matches(search, scene.view.classes), bool(search) or options.only_here
        if options.only_here:
            matches &= labels_here(scene)
        clusters, rows = scene.view.clusters, []
        for cluster in clusters:
            members = [label for label in cluster.classes if label in matches] if is_filtered else cluster.classes
            if not members and is_filtered:
                continue
            if len(clusters) > 1:
                rows.append(ClassRow(cluster.index, None))
            if is_filtered or cluster.index in options.opened or len(clusters) == 1:
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
        """Open or close a cluster; Enter on a class looks at its images, and going into it goes to the pane below."""
        selection, options = scene.selection, scene.selection.get(ClassesOptions)
        is_open = selection.cluster in options.opened
        if selection.class_index is not None:
            if open_ is None:
                return open_gallery(scene)
            return next_pane(scene) if open_ else selection.changed(class_index=None)
        if open_ is True and is_open:
            return select_row(scene, self.row(scene) + 1)
        if open_ is False and not is_open:
            return selection
        return selection.put(replace(options, opened=options.opened ^ {selection.cluster}))

    # --- what changes around it

    def answered(self, scene: Scene, question: Question[Any], answer: Any) -> Selection:
        """Select the hardest cluster first; open it, and more of them as long as all rows fit."""
        selection = scene.selection
        if not isinstance(question, ClustersQuestion) or scene.view.clusters or not answer:
            return selection
        options = selection.get(ClassesOptions)
        opened, used = set(options.opened), len(answer)
        for cluster in reversed(answer):
            is_first_with_room = len(opened) == len(options.opened) and used + FEWEST_CLASSES <= self.shown(scene)
            if used + len(cluster.classes) > self.shown(scene) and not is_first_with_room:
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

    def said(self, before: Selection, scene: Scene) -> str:
        """Say how the classes are put together and ordered now."""
        old, new = before.get(ClassesOptions), scene.selection.get(ClassesOptions)
        if (new.clusters, new.method) != (old.clusters, old.method):
            said = (
                "classes without clusters" if new.clusters == 1 else f"{new.clusters} clusters, {METHODS[new.method]}"
            )
        elif new.sort != old.sort:
            said = f"classes by {SORTS[new.sort]}"
        elif new.only_here != old.only_here:
            said = "only classes with an incident at the crosshair" if new.only_here else "all classes"
        else:
            said = ""
        return as_groups(said, scene.view.info.judging)

    def numbers(self, scene: Scene) -> Numbers | None:
        """Return the errors of the rows."""
        errors, classes = scene.answers.get(ErrorsQuestion), scene.view.classes
        if errors is None:
            return None
        clusters = {cluster.classes: cluster.label for cluster in scene.view.clusters}
        names = [classes[group[0]] if len(group) == 1 else clusters.get(group, "cluster") for group in errors.groups]
        what = as_groups("error, share of wrong images", scene.view.info.judging)
        return over_time(what, errors.axis, names, list(errors.values))

    def choices(self, scene: Scene) -> Iterator[tuple[str, str, Step]]:
        """Offer clusters, orders and the classes."""
        for method, words in METHODS.items():
            step = cycling(ClassesOptions, "method", (method,))
            yield f"clusters of classes: {words}", "Put classes together in this way.", step
        for sort, words in SORTS.items():
            yield f"classes by {words}", "Order the classes so.", cycling(ClassesOptions, "sort", (sort,))
        one = as_groups("class", scene.view.info.judging)
        for label, name in enumerate(scene.view.classes):
            yield (
                class_called(safe(name), scene.view.info.judging),
                f"Select this {one}.",
                partial(_go_to_class, label=label),
            )


def _go_to_class(scene: Scene, label: int) -> Selection:
    return scene.selection.changed(class_index=label)
