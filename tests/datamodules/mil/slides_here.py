"""Made slides for the tests of this folder, and the real ones where they are."""

import os
from pathlib import Path

import pytest

pytest.importorskip("openslide", reason="needs pip install 'discern[slides]'")
pytest.importorskip("tifffile", reason="needs pip install 'discern[slides]'")
pytest.importorskip("imagecodecs", reason="needs pip install 'discern[slides]'")
pytest.importorskip("h5py", reason="needs pip install 'discern[slides]'")

from datamodules.mil.synth_slides import make_slide, write_slide

REAL = Path(os.environ.get("DISCERN_SLIDES", Path(__file__).parents[4] / "shared/data/slides/real_wsi"))
CMU, TCGA, TINY, BROKEN = (
    REAL / name for name in ("cmu-1-small-region.svs", "tcga-cr-7395-01a-01-ts1.svs", "openslide-python-small.svs", "broken.svs")
)
real = pytest.mark.skipif(not CMU.exists(), reason=f"no real slides in {REAL}")


def small(path, seed=0, side=1024, **options):
    """One small made slide as a file."""
    made = {key: options.pop(key) for key in ("tumour", "contrast", "pen", "mpp") if key in options}
    slide = make_slide(side, side, seed, **made)
    return write_slide(path, slide, **options)
