"""Reads the activations of one run, one validation after the other: where they are read, and the columns for them."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from dtui.model import ActivationPlace, Column, Structure
from dtui.record.network.followers import Followers
from dtui.record.network.layers import LayerProbe
from dtui.record.network.norm_layers import NormProbe
from dtui.record.validation.activations.part import IMAGES_A_FILTER, MEAN, MOST_EXCITING, ZEROS
from dtui.record.validation.activations.places import activation_places, find_readings, in_short
from dtui.record.validation.activations.watch import ActivationWatch, refusal
from dtui.record.writing.warn import warn_once


class Activations:
    """The activations of one run; nothing where they are not asked for."""

    def __init__(self, *, is_asked: bool = False) -> None:
        """Begin without places: they are known when the run begins."""
        self._is_asked = is_asked
        self._is_read = False
        self._probes: list[LayerProbe] = []
        self._places: tuple[ActivationPlace, ...] = ()

    def place(
        self,
        probes: list[LayerProbe],
        norms: Sequence[NormProbe],
        followers: Followers,
        past: Structure | None = None,
    ) -> tuple[ActivationPlace, ...]:
        """Return where the activations of each layer are read; those of a run that goes on stay as they are.

        Args:
            probes: The placed layers.
            norms: The normalisation layers.
            followers: What follows each module.
            past: The structure of the run that goes on.
        """
        self._probes = probes
        if past is not None:
            self._places = past.activations
            if self._is_asked and not past.activations:
                warn_once(
                    "activations past",
                    "activations: the run was begun without them, and goes on without; record into a run of its own",
                )
        elif self._is_asked:
            self._places = activation_places(probes, norms, followers)
            self._tell_lacking()
        return self._places

    def _tell_lacking(self) -> None:
        """Tell which layers have no activations, and why."""
        why: dict[str, list[str]] = {}
        for probe, place in zip(self._probes, self._places, strict=True):
            if place.lacking:
                why.setdefault(place.lacking, []).append(probe.name)
        if why:
            parts = "; ".join(f"{in_short(names)} ({reason})" for reason, names in why.items())
            warn_once("activations lacking", f"activations: some layers have none: {parts}")

    def watch(self, model: nn.Module) -> ActivationWatch | None:
        """Return what reads the activations of a model in a validation; None where they are not recorded.

        Before the first record it is not known where they are read, so a validation of a network that was never trained
        has none.
        """
        if not self._is_asked or not self._places:
            return None
        self._is_read = True
        reason = refusal(model)
        if reason:
            warn_once("activations refused", reason)
            return None
        return ActivationWatch(find_readings(model, self._probes, self._places), self._filters)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns that a validation has for them; none where they are not asked for. Known once the run begins."""
        if not self._is_asked or not self._places:
            return ()
        rows = self._filters
        return (
            Column(ZEROS, "<f4", rows=rows),
            Column(MEAN, "<f4", rows=rows),
            Column(MOST_EXCITING, "<u4", rows=IMAGES_A_FILTER * rows),
        )

    def tell_unread(self) -> None:
        """Tell at the end of the run that there was no validation."""
        if self._is_asked and self._places and not self._is_read:
            warn_once(
                "activations unread",
                "activations: none were recorded, for no validation within `with recorder.validation():` followed the "
                "first update; evaluate there, also where recorder.judge is called, or leave activations out",
            )

    @property
    def _filters(self) -> int:
        return sum(probe.shape[0] for probe in self._probes)
