"""From a text to the kind of its problem, with the words that decided it, or a refusal with its reason."""

from apps.accord.router.router import Route, Router

__all__ = ["Route", "Router"]
