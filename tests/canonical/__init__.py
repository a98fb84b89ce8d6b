"""Tests of the arithmetic whose bits no machine can change."""
