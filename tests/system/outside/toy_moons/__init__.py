"""An application in a package of its own, as CONTRIBUTING.md says: the smallest that goes the whole way."""
