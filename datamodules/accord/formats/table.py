"""All formats, by name. What is least mistaken comes first."""

from datamodules.accord.formats.bpplib import BPPLIB
from datamodules.accord.formats.csv_ours import CSV
from datamodules.accord.formats.cutting_stock import CUTTING_STOCK
from datamodules.accord.formats.cvrplib import CVRPLIB, SOL
from datamodules.accord.formats.fjsplib import FJSPLIB
from datamodules.accord.formats.florida import FLORIDA
from datamodules.accord.formats.format import Format
from datamodules.accord.formats.job_shop import JOB_SHOP
from datamodules.accord.formats.knapsack_text import KNAPSACK_TEXT
from datamodules.accord.formats.kplib import KPLIB
from datamodules.accord.formats.or_library_bins import OR_LIBRARY_BINS
from datamodules.accord.formats.or_library_shops import FLOW_SHOPS, JOB_SHOPS
from datamodules.accord.formats.ours import OURS
from datamodules.accord.formats.pisinger_csv import PISINGER_CSV
from datamodules.accord.formats.taillard_flow_shop import TAILLARD_FLOW_SHOP
from datamodules.accord.formats.taillard_job_shop import TAILLARD_JOB_SHOP
from datamodules.accord.formats.text_formats import ACCORD, LISTS, RECORDS
from datamodules.accord.formats.tsplib import TOUR, TSPLIB

__all__ = ["BY_KIND", "FORMATS"]

FORMATS: dict[str, Format] = {
    one.name: one
    for one in (
        OURS, RECORDS, TSPLIB, CVRPLIB, TOUR, SOL, TAILLARD_FLOW_SHOP, TAILLARD_JOB_SHOP, FLOW_SHOPS, JOB_SHOPS, FLORIDA, CSV, PISINGER_CSV,
        ACCORD, LISTS, OR_LIBRARY_BINS, FJSPLIB, JOB_SHOP, KNAPSACK_TEXT, BPPLIB, CUTTING_STOCK, KPLIB,
    )
}  # fmt: skip

# What a .txt is for: one instance, several.
BY_KIND = {
    "tsp": ("tsplib", "ours"),
    "cvrp": ("cvrplib", "ours"),
    "knapsack": ("knapsack", "pisinger-csv"),
    "binpack": ("or-library-bins", "or-library-bins"),
    "pfsp": ("taillard-flow-shop", "taillard-flow-shop"),
    "jssp": ("job-shop", "or-library-job-shop"),
}
