"""Ready scores for `Recorder.judge`, one number an item: small pure functions that wait for no device.

Each takes what a validation has at hand and returns a tensor on the same device. Give it to the recorder with the ids
of the items, the same in every validation::

    recorder.judge(ids, mean_iou(outputs, masks), threshold=0.5, name="IoU")
    recorder.judge(*by_class(ids, truth_probability(logits, targets), names), threshold=0.5)
    recorder.judge(ids, token_loss(logits, tokens, shift=True), group=domains, better="lower", name="loss")
"""

from dtui.record.judging.detection import matched_boxes
from dtui.record.judging.items import by_class
from dtui.record.judging.multi_label import share_right, truth_probability
from dtui.record.judging.regression import absolute_error
from dtui.record.judging.segmentation import class_iou, main_class, mean_iou
from dtui.record.judging.tokens import token_loss

__all__ = [
    "absolute_error",
    "by_class",
    "class_iou",
    "main_class",
    "matched_boxes",
    "mean_iou",
    "share_right",
    "token_loss",
    "truth_probability",
]
