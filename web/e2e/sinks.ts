// Receivers of what Baton sends: a mail server that takes everything, and a program with a webhook.
import { createServer, type IncomingHttpHeaders } from "node:http";
import { type AddressInfo, createServer as createSocketServer } from "node:net";

export interface MailSink {
  port: number;
  mails: string[];
  stop: () => void;
}

/** A mail server without TLS or sign-in, as RFC 5321 has the plainest one. */
export async function mailSink(): Promise<MailSink> {
  const mails: string[] = [];
  const server = createSocketServer((socket) => {
    let text = "";
    let body: string | null = null;
    socket.write("220 sink.test ESMTP\r\n");
    socket.on("error", () => undefined);
    socket.on("data", (data) => {
      text += data;
      for (let end = text.indexOf("\r\n"); end >= 0; end = text.indexOf("\r\n")) {
        const line = text.slice(0, end);
        text = text.slice(end + 2);
        if (body !== null) {
          if (line === ".") {
            mails.push(body);
            body = null;
            socket.write("250 2.0.0 taken\r\n");
          } else body += `${line}\n`;
        } else if (/^DATA/i.test(line)) {
          body = "";
          socket.write("354 go on\r\n");
        } else if (/^QUIT/i.test(line)) socket.end("221 2.0.0 bye\r\n");
        else socket.write("250 2.1.0 ok\r\n");
      }
    });
  });
  await new Promise<void>((ok) => server.listen(0, "127.0.0.1", ok));
  return { port: (server.address() as AddressInfo).port, mails, stop: () => server.close() };
}

export interface Hook {
  url: string;
  /** What the next requests are answered. */
  status: number;
  got: { headers: IncomingHttpHeaders; body: string }[];
  stop: () => void;
}

export async function hook(): Promise<Hook> {
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (data) => (body += data));
    request.on("end", () => {
      it.got.push({ headers: request.headers, body });
      response.writeHead(it.status).end();
    });
  });
  await new Promise<void>((ok) => server.listen(0, "127.0.0.1", ok));
  const it: Hook = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    status: 204,
    got: [],
    stop: () => server.close(),
  };
  return it;
}
