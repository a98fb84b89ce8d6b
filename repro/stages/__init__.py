"""The stages: inputs in, one record out."""
