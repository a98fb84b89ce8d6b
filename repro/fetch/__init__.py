"""Downloads that cannot go wrong quietly: the right file under its final name, or an error and no file."""

from repro.fetch.cache import Cache, Receipt
from repro.fetch.fetcher import Fetcher
from repro.fetch.settings import Call, Settings
from repro.fetch.verify import Measured, measure

__all__ = ["Cache", "Call", "Fetcher", "Measured", "Receipt", "Settings", "measure"]
