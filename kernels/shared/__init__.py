"""What the Triton forms of several operations share; no operation of its own."""
