"""What every answer about a slide says."""

__all__ = ["NOTICE"]

NOTICE = "Research software: no medical device. Not for diagnosis or treatment; a pathologist decides."
