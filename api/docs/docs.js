// Renders /openapi.json as a reference. Everything goes into the page as text,
// never as markup.
"use strict";

// el makes an element. Children are nodes or strings; null ones are left out.
function el(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value != null) node.setAttribute(key, value);
  }
  node.append(...children.flat(Infinity).filter((child) => child != null && child !== ""));
  return node;
}

// inline renders the few marks of Markdown that the description uses in a line.
function inline(text) {
  const parts = [];
  const marks = /`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\(([^)\s]+)\)/g;
  let end = 0;
  for (const m of text.matchAll(marks)) {
    parts.push(text.slice(end, m.index));
    if (m[1] != null) parts.push(el("code", null, m[1]));
    else if (m[2] != null) parts.push(el("strong", null, m[2]));
    else parts.push(/^(https:\/\/|#|\/)/.test(m[4]) ? el("a", { href: m[4] }, m[3]) : m[3]);
    end = m.index + m[0].length;
  }
  parts.push(text.slice(end));
  return parts;
}

// prose renders paragraphs and headings.
function prose(text) {
  return (text || "").trim().split(/\n\s*\n|\n(?=## )/).flatMap((block) => {
    const [first, ...rest] = block.split("\n");
    if (first.startsWith("## ")) {
      return [el("h3", null, first.slice(3)), ...(rest.length ? [el("p", null, inline(rest.join(" ")))] : [])];
    }
    return [el("p", null, inline(block.replace(/\n/g, " ")))];
  });
}

// oneParagraph is a description short enough for a list.
const oneParagraph = (text) => inline((text || "").trim().split(/\n\s*\n/)[0].replace(/\n/g, " "));

class Reference {
  constructor(doc) {
    this.doc = doc;
  }

  // resolve follows a $ref. What stands beside the $ref goes before what it
  // refers to.
  resolve(thing) {
    if (!thing || !thing.$ref) return thing;
    const target = thing.$ref.slice(2).split("/").reduce((at, name) => at[name.replace(/~1/g, "/").replace(/~0/g, "~")], this.doc);
    const { $ref, ...beside } = thing;
    return { ...this.resolve(target), ...beside };
  }

  // operations are the operations in the order of the description.
  operations() {
    const all = [];
    for (const [path, item] of Object.entries(this.doc.paths)) {
      for (const method of ["post", "get", "put", "delete"]) {
        if (item[method]) {
          const op = item[method];
          const parameters = [...(item.parameters || []), ...(op.parameters || [])].map((p) => this.resolve(p));
          all.push({ ...op, path, method, parameters });
        }
      }
    }
    return all;
  }

  // type says in words what a schema takes, with links to named schemas.
  type(schema) {
    if (schema.$ref) {
      const name = schema.$ref.split("/").pop();
      return [el("a", { href: "#schema-" + name }, name)];
    }
    const alternatives = schema.oneOf || schema.anyOf;
    if (alternatives) return alternatives.flatMap((s, i) => [i ? " or " : "", ...this.type(s)]);
    if (schema.type === "array" || (Array.isArray(schema.type) && schema.type.includes("array"))) {
      const list = ["list of ", ...this.type(schema.items || {})];
      return Array.isArray(schema.type) ? [...list, " or null"] : list;
    }
    const names = [].concat(schema.type || "any").map((t) => (t === "string" && schema.format) || t);
    return [names.map((n) => ({ uuid: "UUID", "date-time": "time" })[n] || n).join(" or ")];
  }

  // bounds are the limits of a value, in words.
  bounds(schema) {
    const s = this.resolve(schema);
    const number = (n) => n.toLocaleString("en");
    const words = [];
    if (s.enum) words.push(["one of ", ...s.enum.flatMap((v, i) => [i ? ", " : "", el("code", null, String(v))])]);
    if (s.minLength && s.maxLength) words.push([`${number(s.minLength)} to ${number(s.maxLength)} characters`]);
    else if (s.maxLength) words.push([`up to ${number(s.maxLength)} characters`]);
    if (s.minItems && s.maxItems) words.push([`${number(s.minItems)} to ${number(s.maxItems)} items`]);
    else if (s.maxItems) words.push([`up to ${number(s.maxItems)} items`]);
    if (s.minimum != null && s.maximum != null) words.push([`${s.minimum} to ${s.maximum}`]);
    if (s.default != null && s.default !== "") words.push(["default ", el("code", null, String(s.default))]);
    return words.flatMap((w, i) => [i ? "; " : "", ...w]);
  }

  // member describes one member of an object, or one parameter.
  member(name, schema, required, description, place) {
    const bounds = this.bounds(schema);
    const text = description || this.resolve(schema).description;
    return el("div", { class: "member" },
      el("dt", null,
        el("code", null, name),
        el("span", { class: "type" }, this.type(schema), place ? `, in the ${place}` : null),
        required ? el("span", { class: "required" }, "required") : null),
      text || bounds.length
        ? el("dd", null, text ? el("p", null, oneParagraph(text)) : null, bounds.length ? el("p", { class: "bound" }, bounds) : null)
        : null);
  }

  members(schema, request) {
    const s = this.resolve(schema);
    const required = new Set(request ? s.required : []);
    const rows = Object.entries(s.properties || {}).map(([name, p]) => this.member(name, p, required.has(name)));
    return rows.length ? el("dl", { class: "members" }, rows) : null;
  }

  // sample is an example of a schema: its own, or one put together.
  sample(schema, depth = 0) {
    if (schema.example !== undefined) return schema.example;
    const s = this.resolve(schema);
    if (s.examples) return s.examples[0];
    if (s.default !== undefined) return s.default;
    if (s.enum) return s.enum[0];
    if (s.oneOf) return this.sample(s.oneOf[0], depth + 1);
    const type = [].concat(s.type)[0];
    if (type === "array") return depth > 5 ? [] : [this.sample(s.items, depth + 1)];
    if (type === "object") {
      return Object.fromEntries(Object.entries(s.properties || {}).map(([name, p]) => [name, this.sample(p, depth + 1)]));
    }
    if ([].concat(s.type).includes("null")) return null;
    if (type === "integer") return s.minimum || 0;
    if (type === "boolean") return false;
    return { uuid: "0197a3c0-8e10-7d21-93aa-5c7f0b1e2d44", "date-time": "2026-11-04T09:41:07Z" }[s.format] || "…";
  }

  render() {
    const { info, tags } = this.doc;
    const operations = this.operations();
    const main = document.getElementById("reference");
    main.replaceChildren(
      el("section", { id: "overview" },
        el("h1", null, info.title + " API"),
        el("p", { class: "lead" }, info.summary),
        el("div", { class: "prose" }, prose(info.description), el("h3", null, "Trying it"),
          el("p", null, "The samples below take the server's address and your token from the environment."),
          this.figure("Shell", `export BATON=${location.origin}\nexport TOKEN=…`))),
      ...tags.map((tag) => el("section", { class: "group", id: "tag-" + tag.name, "aria-label": tag.name },
        el("header", null, el("h2", null, tag.name), el("p", null, inline(tag.description))),
        operations.filter((op) => op.tags[0] === tag.name).map((op) => this.operation(op)))),
      this.errors(),
      this.schemas());
    document.getElementById("contents").replaceChildren(...this.contents(tags, operations));
  }

  contents(tags, operations) {
    const link = (href, ...children) => el("li", null, el("a", { href }, ...children));
    return [
      el("ul", null, link("#overview", "Overview")),
      ...tags.map((tag) => el("div", null,
        el("h2", null, tag.name),
        el("ul", null, operations.filter((op) => op.tags[0] === tag.name).map((op) =>
          link("#" + op.operationId, el("span", { class: "verb " + op.method }, op.method.toUpperCase()), op.summary))))),
      el("div", null, el("h2", null, "Reference"), el("ul", null, link("#errors", "Error codes"), link("#schemas", "Schemas"))),
    ];
  }

  operation(op) {
    const path = op.path.split(/(\{[^}]+\})/).map((part) => (part.startsWith("{") ? el("var", null, part) : part));
    const body = this.json(op.requestBody);
    const answers = Object.entries(op.responses).map(([status, r]) => [status, this.resolve(r)]);
    const good = answers.filter(([status]) => status < "400");
    const bad = answers.filter(([status]) => status >= "400");
    const shown = op["x-baton-samples"] || [good[0][0]];
    return el("article", { class: "operation", id: op.operationId },
      el("div", null,
        el("h3", null, el("a", { href: "#" + op.operationId }, op.summary)),
        el("p", { class: "address" },
          el("span", { class: "method " + op.method }, op.method.toUpperCase()),
          el("span", { class: "path" }, path)),
        el("div", { class: "prose" }, prose(op.description)),
        el("h4", null, "Who may"),
        el("p", { class: "role" }, this.role(op["x-baton-role"])),
        op.parameters.length
          ? [el("h4", null, "Parameters"),
            el("dl", { class: "members" }, op.parameters.map((p) => this.member(p.name, p.schema, p.required, p.description, p.in)))]
          : null,
        body
          ? [el("h4", null, op.requestBody.required ? "Body" : "Body, if any"),
            this.members(body.schema, true) || el("p", { class: "role" }, inline(op.requestBody.description || this.resolve(body.schema).description || ""))]
          : null,
        el("h4", null, "Answers"),
        el("ul", { class: "answers" }, good.map((a) => this.answer(a))),
        bad.length
          ? el("details", { class: "errors" },
            el("summary", null, bad.length === 1 ? "1 error" : bad.length + " errors"),
            el("ul", { class: "answers" }, bad.map((a) => this.answer(a))))
          : null),
      el("div", { class: "samples" }, this.request(op, body), answers.filter(([status]) => shown.includes(status)).map((a) => this.response(a, op["x-baton-answer"]))));
  }

  // json is the JSON content of a body or an answer.
  json(content) {
    return content && content.content && content.content["application/json"];
  }

  role(role) {
    switch (role) {
      case "public": return ["Anybody, without a token."];
      case "signed-in": return ["Anybody with a valid token."];
      case "owner": return ["Owners."];
    }
    return ["Users with the role ", el("b", null, role), " or a higher one."];
  }

  answer([status, r]) {
    const content = Object.values(r.content || {})[0];
    const schema = content && content.schema && content.schema.$ref ? this.type(content.schema) : null;
    return el("li", null,
      el("span", { class: "status " + (status < "400" ? "ok" : status < "500" ? "refused" : "fault") }, status),
      el("p", null, oneParagraph(r.description), schema && status < "400" ? [" ", schema] : null));
  }

  request(op, body) {
    const address = "$BATON" + op.path.replace("{id}", "$SESSION").replace("{hid}", "$HANDOFF").replace("{token}", "$CALLBACK");
    const lines = ["curl" + (op.operationId === "streamEvents" ? " -N" : "") + (op.method === "get" ? "" : " -X " + op.method.toUpperCase()), address];
    if (op.method === "get") lines.splice(0, 2, lines.join(" "));
    if (op["x-baton-role"] !== "public") lines.push('-H "Authorization: Bearer $TOKEN"');
    if (op.parameters.some((p) => p.name === "Idempotency-Key")) lines.push('-H "Idempotency-Key: $(uuidgen)"');
    const example = body && (body.example || this.sample(body.schema));
    if (example && Object.keys(example).length) {
      lines.push("-H 'Content-Type: application/json'");
      lines.push("-d '" + JSON.stringify(example, null, 2).replace(/'/g, "'\\''").replace(/\n/g, "\n  ") + "'");
    }
    return this.figure("Request", lines.join(" \\\n  "));
  }

  // response shows an answer: what the operation says of it goes before what
  // the schema's example says.
  response([status, r], differs) {
    const [type, content] = Object.entries(r.content || {})[0] || [];
    if (!content) return null;
    const json = type.endsWith("json");
    let example = content.example !== undefined ? content.example : this.sample(content.schema);
    if (differs && status < "400") example = { ...example, ...differs };
    if (json && !Object.keys(example).length) return null;
    return this.figure(`Answer ${status}`, json ? JSON.stringify(example, null, 2) : example, json);
  }

  figure(title, text, json) {
    const copy = el("button", { type: "button" }, "Copy");
    copy.addEventListener("click", async () => {
      await navigator.clipboard.writeText(text);
      copy.textContent = "Copied";
      setTimeout(() => { copy.textContent = "Copy"; }, 1500);
    });
    return el("figure", { class: "sample" },
      el("figcaption", null, title, copy),
      el("pre", { tabindex: "0" }, json ? this.highlight(text) : text));
  }

  highlight(text) {
    const parts = [];
    let end = 0;
    for (const m of text.matchAll(/("(?:[^"\\]|\\.)*")(\s*:)?|\b(?:-?\d[\d.]*|true|false|null)\b/g)) {
      parts.push(text.slice(end, m.index));
      if (m[1] == null) parts.push(el("span", { class: "n" }, m[0]));
      else parts.push(el("span", { class: m[2] ? "k" : "s" }, m[1]), m[2] || "");
      end = m.index + m[0].length;
    }
    parts.push(text.slice(end));
    return parts;
  }

  errors() {
    const codes = Object.entries(this.doc.components.schemas.ProblemCode["x-baton-codes"]);
    return el("section", { class: "group", id: "errors", "aria-label": "Error codes" },
      el("header", null, el("h2", null, "Error codes"),
        el("p", null, "What the member ", el("code", null, "code"), " of a ", el("a", { href: "#schema-Problem" }, "Problem"), " says.")),
      el("table", null,
        el("thead", null, el("tr", null, el("th", { scope: "col" }, "Code"), el("th", { scope: "col" }, "Status"), el("th", { scope: "col" }, "What it means, and what to do"))),
        el("tbody", null, codes.map(([code, { status, means }]) => el("tr", { id: "error-" + code },
          el("td", null, el("code", null, code)),
          el("td", null, el("span", { class: "status " + (status < 500 ? "refused" : "fault") }, String(status))),
          el("td", null, inline(means)))))));
  }

  schemas() {
    // Objects before the lists of values that they use.
    const all = Object.entries(this.doc.components.schemas).sort(([, a], [, b]) => !a.properties - !b.properties);
    return el("section", { class: "group", id: "schemas", "aria-label": "Schemas" },
      el("header", null, el("h2", null, "Schemas"), el("p", null, "The shapes that requests and answers are made of.")),
      all.map(([name, schema]) => el("article", { class: "schema", id: "schema-" + name },
        el("h3", null, el("a", { href: "#schema-" + name }, name)),
        el("div", { class: "prose" }, prose(schema.description), schema.enum ? el("p", { class: "bound" }, this.bounds(schema)) : null),
        this.members(schema, schema.additionalProperties === false),
        schema.examples ? this.figure("Example", JSON.stringify(schema.examples[0], null, 2), true) : null)));
  }
}

// follow marks in the contents what is being read.
function follow() {
  const links = new Map([...document.querySelectorAll("#contents a")].map((a) => [a.getAttribute("href").slice(1), a]));
  const visible = new Set();
  const observer = new IntersectionObserver((entries) => {
    for (const e of entries) e.isIntersecting ? visible.add(e.target.id) : visible.delete(e.target.id);
    const now = [...links.keys()].find((id) => visible.has(id));
    if (!now) return;
    for (const [id, a] of links) id === now ? a.setAttribute("aria-current", "true") : a.removeAttribute("aria-current");
  }, { rootMargin: "-72px 0px -60% 0px" });
  for (const id of links.keys()) observer.observe(document.getElementById(id));
}

// filterOperations hides what does not have the words that were typed.
function filterOperations() {
  const input = document.getElementById("filter");
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const has = (node) => words.every((word) => node.textContent.toLowerCase().includes(word));
    for (const op of document.querySelectorAll(".operation")) {
      op.hidden = !has(op.firstChild);
      document.querySelector(`#contents a[href="#${op.id}"]`).parentNode.hidden = op.hidden;
    }
    for (const group of document.querySelectorAll("#contents div")) {
      group.hidden = [...group.querySelectorAll("li")].every((li) => li.hidden);
    }
    for (const group of document.querySelectorAll(".group:has(.operation)")) {
      group.hidden = [...group.querySelectorAll(".operation")].every((op) => op.hidden);
    }
  });
}

async function start() {
  try {
    const answer = await fetch("/openapi.json");
    if (!answer.ok) throw new Error("the server answered " + answer.status);
    new Reference(await answer.json()).render();
  } catch (e) {
    document.getElementById("state").textContent = "The description could not be loaded: " + e.message + ". Reload the page to try again.";
    return;
  }
  filterOperations();
  follow();
  if (location.hash) location.replace(location.hash); // What it points to is only there now.
}

start();
