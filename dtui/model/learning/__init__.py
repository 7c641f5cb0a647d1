"""How images were learned and forgotten, what they were taken for, and the anomalies per stage."""

from dtui.model.learning.confusion import (
    Confused,
    Confusion,
    ConfusionChange,
    ConfusionMatrix,
    ConfusionTimes,
    TakenFor,
)
from dtui.model.learning.gallery import (
    GALLERY_SORTS,
    TURNED_WRONG,
    Gallery,
    GalleryRequest,
)
from dtui.model.learning.images import (
    IMAGE_LISTS,
    NEVER,
    ImageHistory,
    ImageLearning,
    ImageList,
    LabelStretch,
    LabelStrips,
    LearnedImage,
)
from dtui.model.learning.stages import (
    StageDensity,
)

__all__ = [
    "GALLERY_SORTS",
    "IMAGE_LISTS",
    "NEVER",
    "TURNED_WRONG",
    "Confused",
    "Confusion",
    "ConfusionChange",
    "ConfusionMatrix",
    "ConfusionTimes",
    "Gallery",
    "GalleryRequest",
    "ImageHistory",
    "ImageLearning",
    "ImageList",
    "LabelStretch",
    "LabelStrips",
    "LearnedImage",
    "StageDensity",
    "TakenFor",
]
