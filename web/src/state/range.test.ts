import { describe, expect, test } from "vitest";
import { asQuery, dayOf, daysBetween, isZone, plusDays, readRange, startOf, writeRange } from "./range";

const now = Date.parse("2026-11-25T23:30:00Z");

describe("startOf", () => {
  test.each([
    ["2026-11-25", "UTC", "2026-11-25T00:00:00Z"],
    ["2026-11-25", "Europe/Berlin", "2026-11-24T23:00:00Z"],
    ["2026-03-29", "Europe/Berlin", "2026-03-28T23:00:00Z"], // the clocks go forward on it
    ["2026-10-26", "Europe/Berlin", "2026-10-25T23:00:00Z"], // and back on the day before
    ["2026-11-25", "Pacific/Kiritimati", "2026-11-24T10:00:00Z"],
    ["2026-11-25", "Pacific/Pago_Pago", "2026-11-25T11:00:00Z"],
    ["2018-11-04", "America/Sao_Paulo", "2018-11-04T03:00:00Z"], // it began at 01:00
  ])("%s in %s", (day, zone, want) => {
    expect(new Date(startOf(day, zone)).toISOString()).toBe(new Date(want).toISOString());
  });
  test("is the first instant of each day, in every zone", () => {
    for (const zone of ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo"])
      for (const day of daysBetween("2026-01-01", "2026-12-31")) {
        const start = startOf(day, zone);
        expect(dayOf(start, zone)).toBe(day);
        expect(dayOf(start - 1, zone)).toBe(plusDays(day, -1));
      }
  });
});

test("days go over months, leap days and nothing", () => {
  expect(daysBetween("2028-02-28", "2028-03-01")).toEqual(["2028-02-28", "2028-02-29", "2028-03-01"]);
  expect(daysBetween("2026-03-02", "2026-03-01")).toEqual([]);
});

describe("the address", () => {
  const read = (text: string, own = "Europe/Berlin") => readRange(new URLSearchParams(text), now, own);
  test("without a word is the last 30 days of the reader's zone", () => {
    expect(read("")).toEqual({ days: 30, from: "2026-10-28", to: "2026-11-26", zone: "Europe/Berlin" });
  });
  test.each([["days=7"], ["days=90&zone=America%2FNew_York"], ["from=2026-01-01&to=2026-01-31&zone=UTC"]])(
    "%s is written as it was read",
    (text) => {
      expect(writeRange(read(text), "Europe/Berlin")).toBe(`?${text}`);
    },
  );
  test.each(["days=31", "from=2026-02-30&to=2026-03-01", "from=2026-03-01&to=2026-02-01", "from=x&to=y"])(
    "%s is not understood",
    (text) => expect(read(text)).toEqual(read("")),
  );
  test("a zone that does not exist is the reader's own", () => {
    expect(read("zone=Mars").zone).toBe("Europe/Berlin");
    expect(isZone("Europe/Berlin")).toBe(true);
  });
  test("no more than a year is asked for", () => {
    const r = read("from=1999-01-01&to=2026-01-01");
    expect(daysBetween(r.from, r.to)).toHaveLength(366);
  });
  test("becomes whole days for the API", () => {
    expect(asQuery(read("from=2026-03-29&to=2026-03-29"))).toBe(
      "since=2026-03-28T23%3A00%3A00.000Z&until=2026-03-29T22%3A00%3A00.000Z",
    );
  });
});
