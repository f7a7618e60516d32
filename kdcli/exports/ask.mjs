// Runs an exported student in a process of its own: reads rows from stdin, writes predictions, in JSON.
import { readFileSync, writeFileSync } from "node:fs";

const student = await import(process.argv.at(-1));
const asked = JSON.parse(readFileSync(0, "utf-8"));
const names = student.COLUMNS;
const rows = names.length
  ? asked.rows.map((row) => new Map(row.map((value, k) => [names[k], value])))
  : asked.rows;
const p = rows.map((row) => student.predictProba(row));
const microseconds = rows.slice(0, asked.timed).map((row) => {
  const start = performance.now();
  student.predictProba(row);
  return 1000 * (performance.now() - start);
});
const predicted = rows.map((row) => student.predict(row));
writeFileSync(1, JSON.stringify({ p: p.map((row) => Array.from(row)), predicted, microseconds }));
