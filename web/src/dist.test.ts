// Holds what is committed of the build to what was promised of it.
import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";

const dist = resolve(import.meta.dirname, "../dist");
const page = readFileSync(`${dist}/index.html`, "utf8");

test("the script of a first load is under 60 kB compressed", () => {
  // What the page names itself, and the worker; pages that are opened later bring scripts of their own.
  const scripts = readdirSync(`${dist}/assets`).filter(
    (f) => /\.js$/.test(f) && (page.includes(f) || /^worker/.test(f)),
  );
  expect(scripts.length).toBeGreaterThan(1);
  const bytes = scripts.map((f) => gzipSync(readFileSync(`${dist}/assets/${f}`), { level: 9 }).length);
  expect(bytes.reduce((a, b) => a + b)).toBeLessThan(60_000);
});

test("the page has nothing inline and asks no other host", () => {
  expect(page).not.toMatch(/<style|<script(?![^>]*\bsrc=)| on\w+=| style=/);
  expect(page).not.toMatch(/(src|href)="(?!\/)/);
});
