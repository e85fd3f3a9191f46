// Holds what is committed of the build to what was promised of it.
import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";

const dist = resolve(import.meta.dirname, "../dist");
const page = readFileSync(`${dist}/index.html`, "utf8");

const script = (name: string) => readFileSync(`${dist}/assets/${name}`, "utf8");
const compressed = (names: Iterable<string>) =>
  [...names].reduce((sum, name) => sum + gzipSync(script(name), { level: 9 }).length, 0);

/** The scripts that a first load takes: those of the page, what they import at once, and the worker. */
function firstLoad(): Set<string> {
  const found = new Set<string>();
  const add = (name: string) => {
    if (found.has(name)) return;
    found.add(name);
    for (const m of script(name).matchAll(/(?:\bfrom|\bimport)\s*["']\.\/([\w.-]+\.js)["']/g)) add(m[1] ?? "");
  };
  for (const m of page.matchAll(/(?:src|href)="\/assets\/([\w.-]+\.js)"/g)) add(m[1] ?? "");
  for (const f of readdirSync(`${dist}/assets`)) if (/^worker-.*\.js$/.test(f)) add(f);
  return found;
}

test("the script of a first load is under 60 kB compressed", () => {
  const scripts = firstLoad();
  expect(scripts.size).toBeGreaterThan(1);
  const bytes = compressed(scripts);
  if (process.env.MEASURE) console.log(`script of a first load: ${(bytes / 1000).toFixed(1)} kB compressed`);
  expect(bytes).toBeLessThan(60_000);
});

test("each page that is fetched later is under 30 kB compressed", () => {
  const first = firstLoad();
  for (const f of readdirSync(`${dist}/assets`))
    if (f.endsWith(".js") && !first.has(f)) expect(compressed([f]), f).toBeLessThan(30_000);
});

test("the page has nothing inline and asks no other host", () => {
  expect(page).not.toMatch(/<style|<script(?![^>]*\bsrc=)| on\w+=| style=/);
  expect(page).not.toMatch(/(src|href)="(?!\/)/);
});
