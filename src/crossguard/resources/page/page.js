"use strict";
const STEP = 50;
const PRINTED = 1000; // posts on paper at most
const form = document.querySelector("form");
const list = document.querySelector("ol");
const count = document.getElementById("count");
const more = document.getElementById("more");
const SEVERITY = { block: 3, review: 2, allow: 1, failed: 0 };
let rows = [];
let found = [];

function element(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

function read(script) {
  return JSON.parse(script.textContent);
}

function highest(row, label) {
  const scores = label ? [row.labels[label]] : Object.values(row.labels);
  return Math.max(-1, ...scores.filter(Boolean).map((entry) => entry[0]));
}

function concerns(row, label) {
  const [, , action, flagged] = row.labels[label] ?? [0, 1, "allow", false];
  return flagged || action !== "allow";
}

function bar(name, [score, threshold, action, flagged]) {
  const fill = element("i");
  fill.style.width = `${score * 100}%`;
  const mark = element("b");
  mark.style.left = `${threshold * 100}%`;
  const box = element("div", { className: `bar ${action}`, title: `flagged from ${threshold.toFixed(2)}` }, fill, mark);
  const said = element("span", { className: "said" }, `, ${flagged ? "" : "not "}flagged, from ${threshold.toFixed(2)}`);
  return element("tr", { className: flagged ? "flagged" : "" },
    element("td", {}, name), element("td", {}, box), element("td", {}, score.toFixed(2), said));
}

function toggle(words, act) {
  const button = element("button", { type: "button", textContent: `Show ${words}`, ariaPressed: "false" });
  button.addEventListener("click", () => {
    const shown = button.ariaPressed !== "true";
    button.ariaPressed = String(shown);
    button.textContent = `${shown ? "Hide" : "Show"} ${words}`;
    act(shown);
  });
  return button;
}

function postOf(row) {
  const post = element("div", { className: "post" });
  const texts = [["error", row.error, row.masked_error], ["text", row.text, row.masked], ["words", row.words, row.masked_words]];
  const shown = texts.filter(([, text]) => text).map(([kind, text, masked]) => {
    const said = element(kind === "words" ? "bdi" : "p", { className: kind, dir: "auto" }, masked ?? text);
    post.append(kind === "words" ? element("p", { className: "pictured" }, "In the image: ", said) : said);
    return [said, text, masked];
  });
  if (shown.some(([, text, masked]) => masked != null && masked !== text)) {
    post.append(toggle("text", (open) => shown.forEach(([said, text, masked]) => {
      said.textContent = open ? text : masked ?? text;
    })));
  }
  if (row.images != null) post.append(...imagesOf(read(document.getElementById(`images-${row.images}`))));
  if (row.no_image) post.append(element("p", { className: "small" }, row.no_image));
  return post;
}

function imagesOf(sources) {
  const name = (place) => sources.length > 1 ? `Image ${place + 1} of ${sources.length} of the post` : "Image of the post";
  const images = sources.map((src, place) => element("img", { src, alt: `${name(place)}, blurred`, loading: "lazy" }));
  const button = toggle(images.length > 1 ? `${images.length} images` : "image", (open) => images.forEach((image, place) => {
    image.classList.toggle("shown", open);
    image.alt = open ? name(place) : `${name(place)}, blurred`;
  }));
  return [button, ...images];
}

function item(row) {
  const head = element("div", {}, element("span", { className: `action ${row.action}` }, row.action), row.id);
  const asking = Object.entries(row.asked_by ?? {}).map(([name, score]) => `${name} ${score.toFixed(2)}`);
  if (asking.length) head.append(` ${asking.join(", ")}`);
  const scores = element("table", {}, ...Object.entries(row.labels).map(([name, label]) => bar(name, label)));
  return element("li", {}, head, postOf(row), element("div", {}, scores));
}

function show(most = STEP) {
  const start = list.children.length;
  list.append(...found.slice(start, start + most).map(item));
  more.hidden = list.children.length >= found.length;
  tell();
}

function tell(more = "") {
  count.textContent = `${found.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} posts${more}`;
}

function listForPrint() {
  show(Math.max(0, PRINTED - list.children.length));
  if (!more.hidden) tell(`; here are the first ${list.children.length.toLocaleString("en")}`);
}

function update() {
  const { find, action, label, from, order } = Object.fromEntries(new FormData(form));
  const needle = find.trim().toLowerCase();
  const least = Number(from) || 0;
  found = rows.filter((row) =>
    (!action || row.action === action) &&
    (!label || concerns(row, label) || least > 0) &&
    (least <= 0 || highest(row, label) >= least) &&
    (!needle || [row.id, row.text, row.words].some((text) => text?.toLowerCase().includes(needle))));
  const orders = {
    score: (a, b) => highest(b, label) - highest(a, label),
    action: (a, b) => SEVERITY[b.action] - SEVERITY[a.action] || highest(b, label) - highest(a, label),
    id: (a, b) => a.id.localeCompare(b.id, "en", { numeric: true }),
  };
  if (orders[order]) found = found.toSorted(orders[order]);
  list.replaceChildren();
  show();
}

try {
  rows = [...document.querySelectorAll("script.rows")].flatMap(read);
  const labels = new Set(rows.flatMap((row) => Object.keys(row.labels)));
  form.elements.label.append(...[...labels].map((name) => element("option", { value: name }, name)));
  form.addEventListener("input", update);
  form.addEventListener("submit", (event) => event.preventDefault());
  more.addEventListener("click", () => show());
  new IntersectionObserver((seen) => seen.some((entry) => entry.isIntersecting) && !more.hidden && show()).observe(more);
  addEventListener("beforeprint", listForPrint);
  addEventListener("afterprint", () => tell());
  update();
} catch (error) {
  count.textContent = `This browser cannot read the data of this page: ${error.message}`;
  throw error;
}
