"""One run and its children: seeds, folds and points of a sweep, trained here, in processes or by a cluster."""
