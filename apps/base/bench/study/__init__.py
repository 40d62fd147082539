"""Every mixer in the same small vision transformer, with the same pictures, steps and seeds: what each is worth, and what it costs."""
