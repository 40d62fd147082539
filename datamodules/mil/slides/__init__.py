"""From slide files to tiles: reading, resolution, tissue, grids, and the file formats of the field."""
