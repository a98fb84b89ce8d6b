"""POSTER V2 (arXiv:2301.12149) and its student reproduction."""
