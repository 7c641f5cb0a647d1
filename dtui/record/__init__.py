"""Records a training. Only this part of dtui imports torch."""

from dtui.record.recorder import Recorder
from dtui.record.validation.thumbnails import Thumbnails
from dtui.record.writing.warn import RecorderWarning

__all__ = ["Recorder", "RecorderWarning", "Thumbnails"]
