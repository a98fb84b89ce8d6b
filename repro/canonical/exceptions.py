"""x"""
EXCEPTIONS: dict[str, dict[int, int]] = {}
