// The page: shows the states that come, and sends what is typed, scanned and pressed.

import { follow, send } from "./link.js";
import { LaneView, both, make } from "./lane.js";

const at = (id) => document.getElementById(id);
const typed = at("typed");
const told = at("told");
const lanes = new Map();
let state = null;

function link(name) {
  document.body.dataset.link = name;
  if (name !== "live") wipe();
}

// Nothing of a person stays where nobody keeps it true.
function wipe() {
  state = null;
  lanes.clear();
  at("lanes").replaceChildren();
  told.replaceChildren();
  typed.value = "";
}

function show(next) {
  state = next;
  link("live");
  for (const item of document.querySelectorAll(".tally li")) {
    item.querySelector("b").textContent = state.tally[item.dataset.count];
  }
  document.body.dataset.readers = state.service_down ? "no-service" : state.lanes.length ? "some" : "none";
  const readers = new Set(state.lanes.map((lane) => lane.reader));
  for (const [reader, view] of lanes) {
    if (!readers.has(reader)) {
      view.element.remove();
      lanes.delete(reader);
    }
  }
  at("lanes").dataset.lanes = state.lanes.length;
  for (const lane of state.lanes) {
    if (!lanes.has(lane.reader)) {
      lanes.set(lane.reader, new LaneView(at("lane"), answer));
      at("lanes").append(lanes.get(lane.reader).element);
    }
    lanes.get(lane.reader).show(lane, state.consent ?? "");
  }
  tell();
}

function word(name) {
  return at("words").content.querySelector(`[data-word=${name}]`).cloneNode(true);
}

// What is known of what was scanned or typed.
function tell() {
  const { pending, entry, listed } = state;
  let parts = [];
  if (pending) {
    const kind = make("b");
    kind.append(...both(pending.kind));
    parts = [kind, word("pending")];
  } else if (entry.lines > 0) {
    parts = [make("b", "", String(entry.lines)), word("lines")];
  } else if (entry.error) {
    parts = both(entry.error);
  } else if (listed) {
    parts = [word("listed")];
  }
  const key = JSON.stringify([pending, entry, listed]);
  if (told.dataset.key !== key) {
    told.dataset.key = key;
    told.dataset.tone = entry.error && !pending && entry.lines === 0 ? "bad" : "plain";
    told.replaceChildren(...parts);
  }
}

async function deliver(input) {
  typed.focus();
  if (!(await send(input))) {
    told.dataset.key = "";
    told.dataset.tone = "bad";
    told.replaceChildren(word("unsent"));
  }
}

function submit() {
  const line = typed.value;
  typed.value = "";
  reveal(false);
  deliver({ line });
}

// The answer of the holder of this card, and of no other.
function answer(agreed, { reader, arrival }) {
  deliver({ consent: { agreed, reader, arrival } });
}

// A key says nothing of which card is meant: it counts where one holder alone is asked.
function answerByKey(agreed) {
  const asking = state?.lanes.filter((lane) => lane.asks) ?? [];
  if (asking.length === 1) answer(agreed, asking[0]);
}

function clear() {
  typed.value = "";
  reveal(false);
  deliver({ clear: {} });
}

function reveal(shown) {
  at("reveal").setAttribute("aria-pressed", String(shown));
  typed.classList.toggle("hidden-text", !shown);
}

function key(event) {
  if (event.isComposing) return;
  const inField = document.activeElement === typed;
  const plain = !event.ctrlKey && !event.altKey && !event.metaKey;
  const does = (action) => {
    event.preventDefault();
    action();
  };
  if (event.key === "F2" && plain) does(() => answerByKey(true));
  else if (event.key === "F3" && plain) does(() => answerByKey(false));
  else if (event.key === "Escape") does(clear);
  // Scanners end a line with Tab, or with a line feed as Ctrl+J.
  else if (inField && event.key === "Tab" && plain && typed.value) does(submit);
  else if (inField && event.ctrlKey && (event.key === "j" || event.key === "m")) does(submit);
  // What a scanner types goes into the field wherever the focus is.
  else if (!inField && event.key.length === 1 && event.key !== " " && plain) typed.focus();
}

document.querySelector(".entry").addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});
at("clear").addEventListener("click", clear);
at("reveal").addEventListener("click", () => {
  reveal(typed.classList.contains("hidden-text"));
  typed.focus();
});
document.addEventListener("keydown", key);
follow(show, link);
