// Server-sent events as text (WHATWG HTML, section 9.2.6). Parsed here instead
// of by EventSource, which hides comments, and so cannot tell a silent stream
// from a dead one, and which gives up for good on a status that is not 200.

export interface Frame {
  id: string | null;
  event: string;
  data: string;
}

export class FrameParser {
  /** The wait that the server asks for before reconnecting, in ms. */
  retry: number | null = null;
  private rest = "";
  private lastId: string | null = null;
  private event = "";
  private data: string[] = [];

  /** Takes the next piece of the stream and returns the events that it completes. */
  push(text: string): Frame[] {
    const frames: Frame[] = [];
    this.rest += text;
    // A CR at the very end may be half of a CRLF.
    const whole = this.rest.endsWith("\r") ? this.rest.slice(0, -1) : this.rest;
    const lines = whole.split(/\r\n|\n|\r/);
    const last = lines.pop() ?? "";
    this.rest = last + this.rest.slice(whole.length);
    for (const line of lines) this.line(line, frames);
    return frames;
  }

  private line(line: string, frames: Frame[]): void {
    if (line === "") {
      if (this.data.length > 0) {
        frames.push({ id: this.lastId, event: this.event || "message", data: this.data.join("\n") });
      }
      this.event = "";
      this.data = [];
      return;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.event = value;
    else if (field === "data") this.data.push(value);
    else if (field === "id" && !value.includes("\0")) this.lastId = value;
    else if (field === "retry" && /^\d+$/.test(value)) this.retry = Number(value);
  }
}
