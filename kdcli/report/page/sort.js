// Sorts the rows of each part of a table by a column, and opens what is folded before the page is printed.
"use strict";
for (const table of document.querySelectorAll("table")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-label", `sort by ${head.textContent.trim() || "name"}`);
    (head.querySelector("span") || head).append(button);
    button.addEventListener("click", () => {
      const rising = head.getAttribute("aria-sort") !== "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", rising ? "ascending" : "descending");
      for (const part of table.tBodies) {
        const rows = [...part.rows].filter((row) => !row.classList.contains("group"));
        rows.sort((a, b) => (rising ? 1 : -1) * compare(value(a, column), value(b, column)));
        part.append(...rows);
      }
    });
  });
}
function value(row, column) {
  const text = row.cells[column].dataset.value;
  return text === "" || isNaN(text) ? { inf: Infinity, "-inf": -Infinity }[text] ?? text : Number(text);
}
function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a < b ? -1 : Number(a > b);
  if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
  return a.localeCompare(b);
}
const closed = () => document.querySelectorAll("details:not([open])");
let opened = [];
addEventListener("beforeprint", () => {
  opened = [...closed()];
  for (const fold of opened) fold.open = true;
});
addEventListener("afterprint", () => {
  for (const fold of opened) fold.open = false;
});
