"""What accord does besides the verbs that all applications share: a file a verb."""
