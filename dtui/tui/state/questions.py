"""Frozen questions of the screen to the run, and the answers so far."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from dtui.dataclass_on_use import dataclass
from dtui.model import AnomalySettings, ClassCluster, Missing
from dtui.model.findings.review import Entry, of_anomalies, of_incident

if TYPE_CHECKING:
    from dtui.query import RunQuery
    from dtui.query.compare.others import Others

AnswerT = TypeVar("AnswerT")


class Question(Generic[AnswerT]):
    """A question to the run: a frozen dataclass, asked again only when it or the run has changed.

    There is one question of each type at a time: a newer one replaces it.
    """

    about: ClassVar[str]
    """What it asks for, in a word: for the line that says that it could not be answered."""
    is_slow: ClassVar[bool] = False
    """Whether its answer takes long: the others are answered first."""

    def prepare(self, query: RunQuery, seconds: float) -> bool:
        """Do a part of the work, for about so long; return whether the rest is quick. Others are answered between."""
        return True

    def ask(self, query: RunQuery) -> AnswerT:
        """Return the answer, in the loader's thread."""
        raise NotImplementedError


class OthersQuestion(Question[AnswerT]):
    """A question about other runs beside the open one. It is asked again when one of those has changed."""

    def ask(self, query: RunQuery) -> AnswerT:
        """Return the answer from the runs in the folder of a run; the loader keeps those open, and asks them itself."""
        from dtui.query.compare.others import Others

        with closing(Others(query)) as others:
            return self.ask_others(others)

    def ask_others(self, others: Others) -> AnswerT:
        """Return the answer, in the loader's thread."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class AnomaliesQuestion(Question[tuple[Entry, ...]]):
    """The entries of the anomalies under some settings; RunView keeps them."""

    settings: AnomalySettings
    about = "anomalies"
    is_slow = True

    def prepare(self, query: RunQuery, seconds: float) -> bool:
        """Read labels."""
        return query.prepare_anomalies(self.settings, seconds)

    def ask(self, query: RunQuery) -> tuple[Entry, ...]:
        """Return them."""
        return of_anomalies(query.anomalies(self.settings), query.info().judging)


@dataclass(frozen=True, slots=True)
class NotJudgedQuestion(Question[tuple[Missing, ...]]):
    """The data that detectors lack in the run, under some settings."""

    settings: AnomalySettings
    about = "what can be judged"

    def ask(self, query: RunQuery) -> tuple[Missing, ...]:
        """Return it."""
        return query.not_judged(self.settings)


@dataclass(frozen=True, slots=True)
class IncidentsQuestion(Question[tuple[Entry, ...]]):
    """The entries of the incidents; RunView keeps them."""

    about = "incidents"
    is_slow = True

    def prepare(self, query: RunQuery, seconds: float) -> bool:
        """Look for them."""
        return query.prepare_incidents(seconds)

    def ask(self, query: RunQuery) -> tuple[Entry, ...]:
        """Return them."""
        judging = query.info().judging
        return tuple(of_incident(incident, judging) for incident in query.incidents())


@dataclass(frozen=True, slots=True)
class IncidentsNotJudgedQuestion(Question[tuple[Missing, ...]]):
    """The data that detectors of incidents lack in the run."""

    about = "what can be judged"

    def ask(self, query: RunQuery) -> tuple[Missing, ...]:
        """Return it."""
        return query.incidents_not_judged()


@dataclass(frozen=True, slots=True)
class ClustersQuestion(Question[tuple[ClassCluster, ...]]):
    """The clusters of classes; RunView keeps them."""

    count: int
    method: str = "k-means"
    standardised: bool = False
    sort: str = "error"
    at: int | None = None
    about = "clusters"

    def ask(self, query: RunQuery) -> tuple[ClassCluster, ...]:
        """Return them."""
        return query.clusters(
            self.count, method=self.method, standardised=self.standardised, sort=self.sort, at=self.at
        )


@dataclass(frozen=True, eq=False, slots=True)
class Answers:
    """What the run has answered so far.

    Attributes:
        by_type: The answers, by the type of the question.
        refused: Why there was no answer, by what was asked for, until there is one; data from outside.
    """

    by_type: Mapping[type[Question[Any]], Any] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)

    def get(self, kind: type[Question[AnswerT]]) -> AnswerT | None:
        """Return the last answer to a question of a type; None before the first."""
        answer: AnswerT | None = self.by_type.get(kind)
        return answer

    def having(self, question: Question[AnswerT], answer: AnswerT) -> Answers:
        """Return the answers with one added or replaced."""
        refused = {about: why for about, why in self.refused.items() if about != question.about}
        return Answers({**self.by_type, type(question): answer}, refused)

    def refusing(self, about: str, why: str) -> Answers:
        """Return the answers with the reason why something was not answered."""
        return Answers(self.by_type, {**self.refused, about: why})
