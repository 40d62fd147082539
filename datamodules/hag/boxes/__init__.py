"""Boxes of polyps, read from whatever people keep them in: VOC XML, COCO and Kvasir-SEG JSON, CSV, SUN and YOLO text, masks."""

from datamodules.hag.boxes.by_frame import Boxes
from datamodules.hag.boxes.marked import Marked, in_pixels
from datamodules.hag.boxes.read import read_boxes

__all__ = ["Boxes", "Marked", "in_pixels", "read_boxes"]
