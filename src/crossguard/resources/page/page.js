"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const STEP = 50;
const form = document.querySelector("form");
const list = document.querySelector("ol");
const count = document.getElementById("count");
const more = document.getElementById("more");
const SEVERITY = { block: 3, review: 2, allow: 1, failed: 0 };
let found = [];

function element(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

function highest(row, label) {
  const scores = label ? [row.labels[label]] : Object.values(row.labels);
  return Math.max(-1, ...scores.filter(Boolean).map((entry) => entry[0]));
}

function concerns(row, label) {
  const [score, threshold, action] = row.labels[label] ?? [0, 1, "allow"];
  return score >= threshold || action !== "allow";
}

function bar(name, [score, threshold, action]) {
  const fill = element("i");
  fill.style.width = `${score * 100}%`;
  const mark = element("b");
  mark.style.left = `${threshold * 100}%`;
  const box = element("div", { className: `bar ${action}`, title: `flagged from ${threshold.toFixed(2)}` }, fill, mark);
  const flagged = score >= threshold;
  return element("tr", { className: flagged ? "flagged" : "" },
    element("td", {}, name), element("td", {}, box), element("td", {}, score.toFixed(2)));
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
  if (row.error) post.append(element("p", { className: "text" }, row.error));
  const texts = [["text", row.text, row.masked], ["words", row.words, row.masked_words]].filter(([, text]) => text);
  const shown = texts.map(([kind, text, masked]) => {
    const said = element(kind === "words" ? "bdi" : "p", { className: kind, dir: "auto" }, masked ?? text);
    post.append(kind === "words" ? element("p", { className: "pictured" }, "In the image: ", said) : said);
    return [said, text, masked];
  });
  if (shown.some(([, , masked]) => masked != null)) {
    post.append(toggle("text", (open) => shown.forEach(([said, text, masked]) => {
      said.textContent = open ? text : masked ?? text;
    })));
  }
  if (row.image) {
    const image = element("img", { src: row.image, alt: "Image of the post, blurred", loading: "lazy" });
    post.append(toggle("image", (open) => {
      image.classList.toggle("shown", open);
      image.alt = open ? "Image of the post" : "Image of the post, blurred";
    }), image);
  } else if (row.no_image) {
    post.append(element("p", { className: "small" }, row.no_image));
  }
  return post;
}

function item(row) {
  const head = element("div", {}, element("span", { className: `action ${row.action}` }, row.action), row.id);
  const asking = Object.entries(row.asked_by ?? {}).map(([name, score]) => `${name} ${score.toFixed(2)}`);
  if (asking.length) head.append(` ${asking.join(", ")}`);
  const scores = element("table", {}, ...Object.entries(row.labels).map(([name, label]) => bar(name, label)));
  return element("li", {}, head, postOf(row), element("div", {}, scores));
}

function show() {
  const start = list.children.length;
  list.append(...found.slice(start, start + STEP).map(item));
  more.hidden = list.children.length >= found.length;
  count.textContent = `${found.length.toLocaleString("en")} of ${data.rows.length.toLocaleString("en")} posts`;
}

function update() {
  const { find, action, label, from, order } = Object.fromEntries(new FormData(form));
  const needle = find.trim().toLowerCase();
  const least = Number(from) || 0;
  found = data.rows.filter((row) =>
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

const labels = new Set(data.rows.flatMap((row) => Object.keys(row.labels)));
form.elements.label.append(...[...labels].map((name) => element("option", { value: name }, name)));
form.addEventListener("input", update);
form.addEventListener("submit", (event) => event.preventDefault());
more.addEventListener("click", show);
new IntersectionObserver((seen) => seen.some((entry) => entry.isIntersecting) && !more.hidden && show()).observe(more);
update();
