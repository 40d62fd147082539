"""What every output about a polyp says, once."""

__all__ = ["NOTICE"]

NOTICE = "Research software: no medical device. Sizes are estimates and decide nothing about a patient; an endoscopist does."
