// What is shown of one reader. Whatever comes from a card is set as text, never as markup.

import { portrait } from "./link.js";

const FIRST = document.documentElement.lang;
const SECOND = FIRST === "vi" ? "en" : "vi";

// Signs beside the colours: nobody has to tell red from green.
const SIGNS = {
  good: "M4 12.5l5.5 5.5L20 6.5",
  bad: "M5 5l14 14M19 5L5 19",
  doubt: "M8.2 8.2a4 4 0 1 1 5.6 4.4c-1.2.7-1.8 1.4-1.8 2.9M12 19.4v.2",
  asks: "M12 4v11M7 10.5l5 5 5-5M5 20h14",
  consent: "M4 4.5h16v11h-9l-4.5 4v-4H4zM8.5 10h.1M12 10h.1M15.5 10h.1",
  busy: "M12 3a9 9 0 1 0 9 9",
  idle: "M3 6h18v12H3zM6.5 10h4v4h-4z",
};

export function make(name, className, text) {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

// A text in both languages, the first one first.
export function both(words) {
  const part = (lang, className) => {
    const span = make("span", className, words[lang]);
    span.lang = lang;
    return span;
  };
  return [part(FIRST, "first"), " ", part(SECOND, "second")];
}

// Sets the children of an element only where they are others: what is read aloud is read once.
function put(element, key, children) {
  if (element.dataset.key === key) return;
  element.dataset.key = key;
  element.replaceChildren(...children());
}

const putBoth = (element, words) =>
  put(element, JSON.stringify(words ?? null), () => (words ? both(words) : []));

export class LaneView {
  #find;
  #number = null;
  #lane = null;

  constructor(template, answer) {
    this.element = template.content.firstElementChild.cloneNode(true);
    this.#find = (selector) => this.element.querySelector(selector);
    this.#find(".agree").addEventListener("click", () => answer(true, this.#lane));
    this.#find(".refuse").addEventListener("click", () => answer(false, this.#lane));
  }

  show(lane, notice) {
    const find = this.#find;
    this.#lane = lane;
    this.element.dataset.tone = lane.tone;
    this.element.setAttribute("aria-label", lane.reader);
    put(find(".name"), lane.reader, () => [lane.reader]);
    find(".next").hidden = !lane.next;
    find(".symbol path").setAttribute("d", SIGNS[lane.asks ? "consent" : lane.tone]);
    putBoth(find(".headline"), lane.headline);
    putBoth(find(".line"), lane.line);
    find(".consent").hidden = !lane.asks;
    put(find(".notice-text"), lane.asks ? notice : "", () => [lane.asks ? notice : ""]);
    this.#showCard(lane.card);
    put(find(".reasons"), JSON.stringify(lane.reasons), () => lane.reasons.map(reason));
    putBoth(find(".previous"), lane.previous);
    find(".took").hidden = lane.took_ms === null;
    const seconds = lane.took_ms === null ? "" : ` ${(lane.took_ms / 1000).toFixed(2)} s`;
    put(find(".took b"), seconds, () => [seconds]);
  }

  #showCard(card) {
    const find = this.#find;
    find(".card").hidden = card === null;
    put(find(".holder-name"), card?.name ?? "", () => [card?.name ?? ""]);
    put(find(".holder-number"), card?.number ?? "", () => [card?.number ?? ""]);
    const facts = card?.facts ?? [];
    put(find(".facts"), JSON.stringify(facts), () => facts.flatMap(fact));
    this.#showPortrait(card?.portrait ?? null);
  }

  async #showPortrait(number) {
    if (this.#number === number) return;
    this.#number = number;
    const canvas = this.#find(".portrait");
    // Setting the size wipes it: the face of the card before goes at once.
    canvas.width = canvas.height = 0;
    if (number === null) return;
    const picture = await portrait(number);
    if (picture && this.#number === number) {
      canvas.width = picture.width;
      canvas.height = picture.height;
      canvas.getContext("2d").drawImage(picture, 0, 0);
    }
    picture?.close();
  }
}

function fact({ label, value }) {
  const term = make("dt");
  term.append(...both(label));
  return [term, make("dd", "", value)];
}

function reason({ check, what, todo }) {
  const item = make("li");
  const part = (className, words) => {
    if (!words) return;
    const paragraph = make("p", className);
    paragraph.append(...both(words));
    item.append(paragraph);
  };
  part("check", check);
  part("what", what);
  part("todo", todo);
  return item;
}
