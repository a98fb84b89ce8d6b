"""LHC-Net (arXiv:2111.07224)."""
