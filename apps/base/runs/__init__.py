"""`discern runs`: what was run here, how runs differ, and what may go."""
