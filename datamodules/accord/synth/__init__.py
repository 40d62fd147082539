"""Made instances of all six kinds, from a seed: the embedded sets, and the test distributions of section 5.3 of the brief.

generate("tsp", 1000, 20, seed=1234)
generate("jssp", 10, (6, 6), dist="taillard")
"""

from datamodules.accord.synth.draws import VERSION, Draws
from datamodules.accord.synth.examples import write_examples
from datamodules.accord.synth.generate import DISTRIBUTIONS, SIZES, Size, generate
from datamodules.accord.synth.places import CAPACITIES
from datamodules.accord.synth.taillard import taillard_flow_shop, taillard_job_shop

__all__ = [
    "CAPACITIES",
    "DISTRIBUTIONS",
    "SIZES",
    "VERSION",
    "Draws",
    "Size",
    "generate",
    "taillard_flow_shop",
    "taillard_job_shop",
    "write_examples",
]
