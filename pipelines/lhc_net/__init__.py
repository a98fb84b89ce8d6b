"""LHC-Net (arXiv:2111.07224). So far the data that its scripts prepare."""
