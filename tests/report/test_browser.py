"""The HTML report as people meet it: in a browser, on a desktop and a phone, in light and dark, by keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from repro.report.html import html
from tests.report import browser
from tests.report.test_formats import report

pytestmark = pytest.mark.skipif(browser.missing() is not None, reason=str(browser.missing()))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, str]]:
    folder = tmp_path_factory.mktemp("browser")
    place = folder / "report.html"
    place.write_text(html(report()), encoding="utf-8")
    with browser.browser(folder / "profile") as driver:
        yield driver, place.as_uri()


def test_it_fits_every_screen_and_says_nothing_to_the_console(page: tuple[Any, str], tmp_path: Path) -> None:
    driver, address = page
    for size, (width, height) in browser.SIZES.items():
        browser.resize(driver, size)
        driver.get(address)
        assert driver.execute_script("return document.documentElement.scrollWidth") <= width
        shot = tmp_path / f"{size}.png"
        assert driver.save_screenshot(str(shot))
        assert shot.stat().st_size > 10_000
        seen = driver.execute_script("return document.querySelector('#numbers').getBoundingClientRect().top")
        assert seen < height, "the table of published numbers begins on the first screen"
    assert driver.get_log("browser") == []


def test_tables_sort_both_ways(page: tuple[Any, str]) -> None:
    driver, address = page
    browser.resize(driver, "desktop")
    driver.get(address)
    column = "[...document.querySelectorAll('#numbers table')[0].tBodies[0].rows].map(row => row.cells[2].innerText)"
    head = driver.find_elements("css selector", "#numbers table thead button")[2]
    head.click()
    up = driver.execute_script(f"return {column}")
    assert up == sorted(up, key=lambda text: float(text.split()[0]))
    head.send_keys("\ue007")  # the Enter key: the keyboard does what the mouse does
    assert driver.execute_script(f"return {column}") == up[::-1]
    assert driver.execute_script("return document.querySelectorAll('#numbers th')[2].ariaSort") == "descending"


def test_deep_links_open_what_they_lead_to(page: tuple[Any, str]) -> None:
    driver, address = page
    driver.get("about:blank")
    record = report().evidence[-1].record.removeprefix("records/").removesuffix(".json").replace("/", "-")
    driver.get(f"{address}#{record}")
    assert driver.execute_script("return document.querySelector('details.record:target').open")
    assert driver.execute_script("return document.querySelectorAll('details.record[open]').length") == 1


def test_a_search_leaves_the_records_that_hold_it(page: tuple[Any, str]) -> None:
    driver, address = page
    driver.get("about:blank")
    driver.get(address)
    driver.find_element("css selector", "body").send_keys("/")
    assert driver.switch_to.active_element.get_attribute("id") == "filter"
    driver.switch_to.active_element.send_keys("b-system")
    assert driver.execute_script("return document.querySelectorAll('details.record:not([hidden])').length") == 1


def test_the_theme_can_be_chosen(page: tuple[Any, str]) -> None:
    driver, address = page
    driver.get(address)
    ground = "return getComputedStyle(document.body).backgroundColor"
    before = driver.execute_script(ground)
    driver.find_element("id", "theme").click()
    assert driver.execute_script(ground) != before
    driver.find_element("id", "theme").click()
    assert driver.execute_script(ground) == before


@pytest.mark.skipif(not browser.AXE.is_file(), reason="axe-core is not fetched: npm install --prefix .node axe-core")
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", list(browser.SIZES))
def test_no_serious_fault_of_accessibility(page: tuple[Any, str], theme: str, size: str) -> None:
    driver, address = page
    browser.resize(driver, size)
    driver.get(address)
    driver.execute_script(f"document.documentElement.dataset.theme = '{theme}'")
    driver.execute_script("for (const one of document.querySelectorAll('details')) one.open = true")
    # The page's policy refuses foreign scripts; the driver's own are run beside it.
    driver.execute_script(browser.AXE.read_text(encoding="utf-8"))
    found = driver.execute_async_script("axe.run().then(arguments[0])")
    serious = [
        (one["id"], one["nodes"][0]["html"][:200], one["nodes"][0]["failureSummary"])
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]
    assert serious == []
    assert len(found["passes"]) > 10
