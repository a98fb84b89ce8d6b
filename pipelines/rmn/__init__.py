"""Residual Masking Network (ICPR 2020) and the models of its benchmark."""
