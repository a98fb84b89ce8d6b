"""Deep-Emotion (arXiv:1902.01019)."""
