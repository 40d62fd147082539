"""The starter model that comes with the package, its card, and the script that makes both."""
