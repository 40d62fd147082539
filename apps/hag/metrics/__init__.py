"""How near sizes in mm are, and how well their classes are told apart (section 5.4): frames and polyps, intervals over polyps."""

from apps.hag.metrics.answers import Answers, By, polyps_of
from apps.hag.metrics.auroc import auroc
from apps.hag.metrics.bootstrap import draw_polyps, interval
from apps.hag.metrics.class_table import ClassTable, classified
from apps.hag.metrics.classes import class_metrics, confusion_matrix
from apps.hag.metrics.streaming import ClassCounts, Gathered, SizeSums
from apps.hag.metrics.table import LEVELS, Difference, Level, Table, measured, paired, tables

__all__ = [
    "LEVELS",
    "Answers",
    "By",
    "ClassCounts",
    "ClassTable",
    "Difference",
    "Gathered",
    "Level",
    "SizeSums",
    "Table",
    "auroc",
    "class_metrics",
    "classified",
    "confusion_matrix",
    "draw_polyps",
    "interval",
    "measured",
    "paired",
    "polyps_of",
    "tables",
]  # fmt: skip
