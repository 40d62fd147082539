"""From whole slides to features: a job, its stages, and what encodes a tile."""
