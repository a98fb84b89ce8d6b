"use strict";
// Sorting: a click on a column's head sorts by it, a second one turns the order round.
const key = (row, column) => row.cells[column] ? row.cells[column].innerText.trim() : "";
const number = (text) => { const found = text.match(/-?\d+(?:\.\d+)?/); return found ? parseFloat(found[0]) : NaN; };
function sort(table, column, head) {
  const up = head.getAttribute("aria-sort") !== "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const numeric = table.querySelector(`tbody td:nth-child(${column + 1}).number`) !== null;
  const rows = [...table.tBodies[0].rows].map((row, place) => ({ row, place, key: key(row, column) }));
  rows.sort((a, b) => {
    let order = 0;
    if (numeric) {
      const [x, y] = [number(a.key), number(b.key)];
      if (isNaN(x) || isNaN(y)) return isNaN(x) - isNaN(y) || a.place - b.place;
      order = x - y;
    } else order = a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
    return (up ? order : -order) || a.place - b.place;
  });
  table.tBodies[0].append(...rows.map((one) => one.row));
}
for (const table of document.querySelectorAll("table.sortable"))
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => sort(table, column, head));
  });
// Deep links: what is linked to is opened first.
function reveal() {
  let place = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!place) return;
  const goal = place;
  if (place.hidden) place.hidden = false;
  for (; place; place = place.parentElement) if (place.tagName === "DETAILS") place.open = true;
  goal.scrollIntoView();
}
addEventListener("hashchange", reveal);
reveal();
// Theme: the system's, until one is chosen.
const root = document.documentElement, button = document.getElementById("theme");
const remembered = (value) => {
  try { return value === undefined ? localStorage.getItem("repro-theme") : localStorage.setItem("repro-theme", value); }
  catch { return null; } // a page from a file may not store anything
};
function show(theme) {
  root.dataset.theme = theme;
  button.textContent = theme === "dark" ? "Light" : "Dark";
  button.setAttribute("aria-pressed", String(theme === "dark"));
}
show(remembered() || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
button.addEventListener("click", () => {
  show(root.dataset.theme === "dark" ? "light" : "dark");
  remembered(root.dataset.theme);
});
// Keys: "/" goes to the search for a record.
const filter = document.getElementById("filter");
filter.addEventListener("input", () => {
  for (const one of document.querySelectorAll("details.record"))
    one.hidden = !one.textContent.toLowerCase().includes(filter.value.toLowerCase());
});
addEventListener("keydown", (event) => {
  if (event.key !== "/" || /^(INPUT|TEXTAREA)$/.test(event.target.tagName)) return;
  event.preventDefault();
  filter.focus();
});
