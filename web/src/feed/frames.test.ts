import { describe, expect, test } from "vitest";
import { FrameParser } from "./frames";

const text = [
  "retry: 3104\nid: 1-41\nevent: ready\ndata: {}\n\n",
  ": keepalive\n\n",
  "id: 1-42\r\nevent: handoff_claimed\r\ndata: a\r\ndata:b\r\n\r\n",
  "event: nothing\n\n",
  "data\rdata: x\r\r",
].join("");
const frames = [
  { id: "1-41", event: "ready", data: "{}" },
  { id: "1-42", event: "handoff_claimed", data: "a\nb" },
  { id: "1-42", event: "message", data: "\nx" },
];

describe("FrameParser", () => {
  test("reads the same however the text is cut", () => {
    for (let size = 1; size <= text.length; size++) {
      const parser = new FrameParser();
      const got = [];
      for (let at = 0; at < text.length; at += size) got.push(...parser.push(text.slice(at, at + size)));
      got.push(...parser.push("\n: the end\n"));
      expect(got).toEqual(frames);
      expect(parser.retry).toBe(3104);
    }
  });
  test("drops what the stream ended in the middle of", () => {
    expect(new FrameParser().push("data: half")).toEqual([]);
    expect(new FrameParser().push("data: half\n")).toEqual([]);
  });
  test("takes only digits for a wait, and no NUL for an id", () => {
    const parser = new FrameParser();
    expect(parser.push("retry: 5s\nid: a\0b\ndata: x\n\n")).toEqual([{ id: null, event: "message", data: "x" }]);
    expect(parser.retry).toBeNull();
  });
});
