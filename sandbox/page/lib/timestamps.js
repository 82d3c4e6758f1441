/** Times the way Discord shows them: in the reader's zone and language. */

import { h } from "./dom.js";

/** Intl options per style of `<t:SECONDS:STYLE>`, from Discord's "Message Formatting" documentation. */
const STYLES = {
  t: { timeStyle: "short" },
  T: { timeStyle: "medium" },
  d: { dateStyle: "short" },
  D: { dateStyle: "long" },
  f: { dateStyle: "long", timeStyle: "short" },
  F: { dateStyle: "full", timeStyle: "short" },
  s: { dateStyle: "short", timeStyle: "short" },
  S: { dateStyle: "short", timeStyle: "medium" },
};

/** @type {[Intl.RelativeTimeFormatUnit, number][]} Units with their length in seconds, longest first. */
const UNITS = [
  ["year", 31_557_600],
  ["month", 2_629_800],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
];

const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "always" });

/**
 * A `<t:...>` mention; style R keeps itself up to date (see startClock).
 * @param {number} seconds Unix time.
 * @param {string} style
 * @returns {HTMLElement}
 */
export function timestamp(seconds, style) {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return h("span", null, `<t:${seconds}>`);
  return h(
    "time",
    { class: "timestamp", datetime: date.toISOString(), title: format(date, "F"), data: { style, seconds } },
    style === "R" ? relativeText(seconds, Date.now()) : format(date, style),
  );
}

/**
 * How far a time is away, such as "in 2 minutes".
 * @param {number} seconds Unix time.
 * @param {number} now Milliseconds.
 * @returns {string}
 */
function relativeText(seconds, now) {
  const away = seconds - Math.floor(now / 1000);
  const [unit, length] = UNITS.find(([, size]) => Math.abs(away) >= size) ?? ["second", 1];
  return relative.format(Math.trunc(away / length), unit);
}

/**
 * The time beside an author's name: today's as a time, older ones with their date.
 * @param {string} iso
 * @returns {string}
 */
export function messageTime(iso) {
  const date = new Date(iso);
  const isToday = date.toDateString() === new Date().toDateString();
  return format(date, isToday ? "t" : "s");
}

/**
 * A full date and time, for tooltips.
 * @param {string} iso
 * @returns {string}
 */
export function fullTime(iso) {
  return format(new Date(iso), "F");
}

/** Keeps every relative time in the document up to date; call once. */
export function startClock() {
  setInterval(() => {
    for (const node of document.querySelectorAll('time[data-style="R"]')) {
      const text = relativeText(Number(/** @type {HTMLElement} */ (node).dataset.seconds), Date.now());
      if (node.textContent !== text) node.textContent = text;
    }
  }, 1000);
}

/** @param {Date} date @param {string} style */
function format(date, style) {
  const options = /** @type {Intl.DateTimeFormatOptions} */ (
    STYLES[/** @type {keyof typeof STYLES} */ (style)] ?? STYLES.f
  );
  return new Intl.DateTimeFormat(undefined, options).format(date);
}
