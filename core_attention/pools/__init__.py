"""One file a pool. Importing this package fills the table of pools."""
