// Keyboard, and answers that wait in the browser while the server or its database is away.
"use strict";
const KEPT = "crossguard-review-waiting";
const RETRY_MS = 4000;
const SLOW_MS = 1000;
const PATIENCE_MS = 60000; // then it is asked again: an answer that is sent twice counts once
const AWAY = "The server cannot be reached. Your answer is kept in this browser and sent as soon as it can be.";
const SLOW = "The server has not answered yet. Your answer is kept in this browser until it has been taken.";
const OLD = "An answer that waited in this browser";
const meta = (name, page = document) => page.querySelector(`meta[name=${name}]`)?.content ?? "";
const person = () => meta("person");
const csrf = () => meta("csrf");
const parsed = (text) => new DOMParser().parseFromString(text, "text/html");
const ours = (page) => page.querySelector("main") !== null; // else a proxy or firewall in between has answered
const told = (page) => page.querySelector("[role=alert]")?.textContent;
const ask = (url, how) => fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS), ...how });
const post = (url, body) => ask(url, { method: "POST", body, headers: { "content-type": "application/x-www-form-urlencoded" } });
const unreachable = (error) => error instanceof TypeError || error.name === "TimeoutError";
const notice = (text) => { const place = document.getElementById("notice"); if (place) place.textContent = text; };

const kept = {
  read: () => { try { return JSON.parse(localStorage.getItem(KEPT)) ?? []; } catch { return []; } },
  write: (list) => localStorage.setItem(KEPT, JSON.stringify(list)),
  add: (entry) => kept.write([...kept.read().filter((old) => old.body !== entry.body), entry]),
  drop: (entry) => kept.write(kept.read().filter((old) => old.body !== entry.body)),
  has: (entry) => kept.read().some((old) => old.body === entry.body),
};

// Goes on with the login that the same person has begun in another tab; false where there is none.
async function loggedInAgain() {
  const page = parsed(await (await ask("/me")).text());
  const token = meta("csrf", page);
  if (!token || meta("person", page) !== person()) return false;
  document.querySelector("meta[name=csrf]").content = token;
  document.querySelectorAll("input[name=csrf]").forEach((input) => { input.value = token; });
  return true;
}

// Posts a form, under the login of another tab where that of this page has ended; nothing where there is none.
async function postLoggedIn(url, body) {
  for (const last of [false, true]) {
    body.set("csrf", csrf());
    const response = await post(url, body);
    const toLogin = response.redirected && new URL(response.url).pathname === "/login";
    if (!toLogin && response.status !== 401) return response;
    if (last || !(await loggedInAgain())) return undefined;
  }
}

async function send(entry) {
  const response = await postLoggedIn(entry.url, new URLSearchParams(entry.body));
  if (!response) throw new Error("Your login has ended. The answer is kept in this browser: log in again in another tab and it is sent.");
  if (response.status >= 500) throw new Error(AWAY);
  return response;
}

// A page of ours in place of this one, also for answers such as 422 that have no address of their own.
function show(response, page) {
  if (response.redirected) { location.assign(response.url); return; }
  document.querySelector("main").replaceWith(page.querySelector("main"));
  document.querySelector("main").focus();
  if (window.htmx) window.htmx.process(document.body);
}

const reason = (response, page) => told(page) ?? `the server answered ${response.status}.`;

function refusal(entry, response, page) {
  const comment = new URLSearchParams(entry.body).get("comment");
  return `${OLD}, to item ${entry.url.split("/")[2]}, was not taken: ${reason(response, page)}${comment ? ` Your comment was: ${comment}` : ""}`;
}

let sending = false;
async function deliver(entry) {
  const slow = sending ? undefined : setTimeout(() => notice(SLOW), SLOW_MS); // tried again, it has said more already
  sending = true;
  try {
    const response = await send(entry);
    const page = parsed(await response.text());
    if (!ours(page)) throw new Error(`The server answered ${response.status} without a page of the console. Your answer is kept in this browser and sent again.`);
    kept.drop(entry);
    const whole = response.ok || response.redirected || page.getElementById("notice"); // else a refusal without the form
    notice(whole ? "" : `Your answer was not taken: ${reason(response, page)} What you filled in is still here.`);
    if (whole) show(response, page);
  } catch (error) {
    notice(unreachable(error) ? AWAY : error.message);
    setTimeout(() => {
      if (kept.has(entry)) { deliver(entry); return; }
      sending = false;
      notice("Your answer was sent from another tab, which says what became of it. Reload this page to go on.");
    }, RETRY_MS);
    return;
  } finally {
    clearTimeout(slow);
  }
  sending = false;
}

async function deliverOld() {
  if (!csrf()) return;
  const lines = [];
  for (const entry of kept.read().filter((old) => old.person === person())) {
    let response, page;
    try { response = await send(entry); page = parsed(await response.text()); } catch { return; }
    if (!ours(page)) continue;
    kept.drop(entry);
    lines.push(response.ok ? `${OLD} has been sent.` : refusal(entry, response, page));
    notice(lines.join(" "));
  }
}

// A switch changes this page in place where answers wait in its form: a page that is loaded again would lose them.
async function change(form, button) {
  const body = new URLSearchParams(new FormData(form));
  const back = body.get("back");
  body.set(button.name, button.value);
  body.set("back", "/me");
  const response = await postLoggedIn(form.action, body);
  if (!response) throw new Error("Your login has ended. Your answers are still here: log in again in another tab, then press the switch again.");
  const switches = parsed(await response.text()).querySelector(".switches");
  if (!switches) throw new Error("The switch could not be changed. Your answers are still here.");
  switches.querySelectorAll("[name=back]").forEach((input) => { input.value = back; });
  const on = (name) => switches.querySelector(`.switch[name=${name}]`).getAttribute("aria-pressed") === "true";
  document.querySelectorAll("details.text").forEach((text) => { text.open = on("show_text"); });
  document.querySelectorAll(".image input").forEach((input) => { input.checked = on("show_images"); });
  document.querySelectorAll(".image, .thumbnail").forEach((image) => image.classList.toggle("coloured", on("show_colours")));
  document.querySelectorAll(".thumbnail").forEach((image) => image.classList.toggle("clear", on("show_images")));
  document.body.classList.toggle("show-text", on("show_text"));
  document.querySelector(".switches").replaceWith(switches);
  if (!sending) notice("");
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.closest(".switches") && document.getElementById("decide")) {
    event.preventDefault();
    change(form, event.submitter).catch((error) => notice(unreachable(error) ? "The server cannot be reached." : error.message));
    return;
  }
  if (!form.matches("form[data-keep]")) return;
  if (sending) { event.preventDefault(); return; }
  const button = event.submitter;
  const body = new URLSearchParams(new FormData(form));
  if (button?.name) body.set(button.name, button.value);
  const url = button?.hasAttribute("formaction") ? button.getAttribute("formaction") : form.getAttribute("action");
  const entry = { url, body: body.toString(), person: person() };
  try { kept.add(entry); } catch { return; } // the browser keeps nothing more: the form goes as without JavaScript
  event.preventDefault();
  deliver(entry);
});

document.addEventListener("htmx:configRequest", (event) => { event.detail.headers["x-csrf-token"] = csrf(); });

// Says in the place of an explanation what becomes of it; false where something else was asked for.
function explaining({ target }, text, className) {
  if (target?.id !== "explanation") return false;
  target.replaceChildren(Object.assign(document.createElement("p"), { className, textContent: text }));
  return true;
}

document.addEventListener("htmx:beforeRequest", ({ detail }) => { explaining(detail, "The post is scored again without each of its words.", "quiet"); });
document.addEventListener("htmx:sendError", ({ detail }) => { explaining(detail, "The server cannot be reached. Ask again in a moment.", "problem"); });
document.addEventListener("htmx:responseError", async ({ detail }) => {
  const { xhr } = detail;
  if (explaining(detail, `There is no explanation: ${reason(xhr, parsed(xhr.responseText))}`, "problem")) return;
  if (xhr.status === 401) notice((await loggedInAgain().catch(() => false)) ? "" : told(parsed(xhr.responseText)));
});

function cycle(index) {
  const row = document.querySelectorAll("#decide .answers tbody tr, #decide .answers > tr")[index];
  if (!row) return;
  const answers = [...row.querySelectorAll("input")];
  const next = answers[(answers.findIndex((input) => input.checked) + 1) % answers.length];
  next.checked = true;
  next.focus();
}

function flip(query, property) {
  const all = [...document.querySelectorAll(query)];
  const value = !all.some((element) => element[property]);
  all.forEach((element) => { element[property] = value; });
}

const KEYS = {
  "?": () => document.getElementById("shortcuts")?.showModal(),
  s: () => { const form = document.getElementById("skip"); if (form?.reason.value) form.requestSubmit(); else form?.reason.focus(); },
  e: () => document.getElementById("escalate")?.click(),
  u: () => document.getElementById("undo")?.requestSubmit(),
  c: () => document.querySelector("#decide textarea")?.focus(),
  t: () => flip("details.text", "open"),
  i: () => flip(".image input", "checked"),
  g: () => document.querySelectorAll(".image").forEach((image) => image.classList.toggle("coloured")),
  p: () => document.querySelector("#decide select[name=clause]")?.focus(),
  x: () => document.getElementById("explain")?.click(),
  n: () => document.querySelector("form[data-next]")?.requestSubmit(),
};

function keyed(name) {
  if (/^[1-9]$/.test(name)) return () => cycle(Number(name) - 1);
  const action = [...document.querySelectorAll("#decide button.action")].find((button) => button.dataset.key === name);
  return action ? () => action.click() : KEYS[name];
}

// The name of a key by its place: where it types a letter that is not Latin, and of a digit that needs Shift, as on AZERTY.
function placed({ key, code, shiftKey }) {
  const place = /^(Digit|Key)(.)$/.exec(code);
  const unnamed = place?.[1] === "Digit" ? !shiftKey : /^(?!\p{Script=Latin})[\p{L}\p{M}]/u.test(key);
  return place && unnamed ? place[2].toLowerCase() : "";
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("textarea, select, input:not([type=radio], [type=checkbox])");
  const { key = "" } = event; // extensions send events without one
  if (key === "Escape" && typing) { event.target.blur(); return; }
  // Only an action's own key or button decides; the browser would press one for Enter in a field.
  if (key === "Enter" && event.target.matches("#decide input")) { event.preventDefault(); return; }
  // A key that is held down would decide one post after another, unread.
  if (event.repeat || typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const run = keyed(key.toLowerCase()) ?? keyed(placed(event)); // Caps Lock changes nothing
  if (!run) return;
  event.preventDefault();
  run();
});

const help = document.getElementById("help");
if (help) { help.hidden = false; help.addEventListener("click", KEYS["?"]); }
deliverOld();
