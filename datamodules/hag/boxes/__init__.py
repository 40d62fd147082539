"""Boxes of polyps, read from whatever people keep them in: VOC XML, COCO JSON, CSV, SUN and YOLO text, masks."""

from datamodules.hag.boxes.marked import Marked, in_pixels
from datamodules.hag.boxes.read import read_boxes

__all__ = ["Marked", "in_pixels", "read_boxes"]
