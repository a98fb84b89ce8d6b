"""Takes the README's picture of a report: ``python -m docs.images.screenshot results/report/report.html``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.report import browser


def main(page: Path) -> Path:
    """Save the first screen of a report beside this file and return the picture's path."""
    why = browser.missing()
    if why is not None:
        sys.exit(why)
    picture = Path(__file__).with_name("report.png")
    with tempfile.TemporaryDirectory() as folder, browser.browser(Path(folder)) as driver:
        browser.resize(driver, "desktop")
        driver.get(page.resolve().as_uri())
        driver.save_screenshot(str(picture))
    return picture


if __name__ == "__main__":
    print(main(Path(sys.argv[1])))
