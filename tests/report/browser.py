"""A headless Chromium of its own for one test module, and axe-core if it was fetched."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

AXE = Path(__file__).parents[2] / ".node" / "node_modules" / "axe-core" / "axe.min.js"

SIZES = {"desktop": (1280, 900), "phone": (390, 844)}

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


def missing() -> str | None:
    """Return what keeps a browser from starting, or ``None``."""
    try:
        import selenium  # noqa: F401
    except ImportError:
        return "selenium is not installed in this stack"
    found = {"chromium": _browser(), "chromedriver": shutil.which("chromedriver")}
    absent = [name for name, path in found.items() if path is None]
    return f"{' and '.join(absent)} not found: apt-get install chromium chromium-driver" if absent else None


def _browser() -> str | None:
    return shutil.which("chromium") or shutil.which("google-chrome")


@contextmanager
def browser(folder: Path) -> Iterator[Any]:
    """Start Chromium with a fresh profile in ``folder``; use as a context."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    asked = webdriver.ChromeOptions()
    asked.binary_location = _browser() or ""
    for flag in (*_FLAGS, f"--user-data-dir={folder}"):
        asked.add_argument(flag)
    driver = webdriver.Chrome(options=asked, service=Service(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


def resize(driver: Any, size: str, height: int | None = None) -> None:
    """Give the page the size of a desktop's window or of a phone."""
    width, usual = SIZES[size]
    shape = {"width": width, "height": height or usual, "deviceScaleFactor": 1, "mobile": size == "phone"}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", shape)
