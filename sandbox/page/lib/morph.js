/**
 * Brings a live DOM tree to the shape of a freshly built one while keeping the nodes that stay.
 * A message that is edited keeps its focus and, above all, its playing video.
 */

/**
 * Makes `live` look like `fresh`. Listeners of `fresh` are not carried over: use event delegation.
 * @param {Element} live A node in the document.
 * @param {Element} fresh A detached node of the same kind; it is taken apart.
 */
export function morph(live, fresh) {
  if (live.nodeName === "VIDEO") return;
  morphAttributes(live, fresh);
  morphChildren(live, fresh);
}

/** @param {Element} live @param {Element} fresh */
function morphAttributes(live, fresh) {
  for (const { name } of [...live.attributes]) {
    if (!fresh.hasAttribute(name)) live.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (live.getAttribute(name) !== value) live.setAttribute(name, value);
  }
}

/** @param {Element} live @param {Element} fresh */
function morphChildren(live, fresh) {
  let cursor = live.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const match = findMatch(cursor, wanted);
    if (!match) {
      live.insertBefore(wanted, cursor);
      continue;
    }
    cursor = removeUntil(cursor, match);
    cursor = match.nextSibling;
    morphNode(match, wanted);
  }
  removeUntil(cursor, null);
}

/**
 * A keyed node is looked for among all later siblings, so that it stays where it is and others give way:
 * taking a video out of the document, even for a moment, pauses it.
 * @param {ChildNode | null} cursor
 * @param {ChildNode} wanted
 * @returns {ChildNode | null}
 */
function findMatch(cursor, wanted) {
  const key = keyOf(wanted);
  if (key === undefined) return cursor && isSame(cursor, wanted) ? cursor : null;
  for (let node = cursor; node; node = node.nextSibling) {
    if (isSame(node, wanted)) return node;
  }
  return null;
}

/** @param {Node} a @param {Node} b */
function isSame(a, b) {
  return a.nodeName === b.nodeName && keyOf(a) === keyOf(b);
}

/** @param {Node} node @returns {string | undefined} */
function keyOf(node) {
  return node instanceof HTMLElement ? node.dataset.key : undefined;
}

/** @param {ChildNode | null} from @param {ChildNode | null} end @returns {ChildNode | null} */
function removeUntil(from, end) {
  let node = from;
  while (node && node !== end) {
    const next = node.nextSibling;
    node.remove();
    node = next;
  }
  return node;
}

/** @param {ChildNode} live @param {ChildNode} fresh */
function morphNode(live, fresh) {
  if (live instanceof Element && fresh instanceof Element) morph(live, fresh);
  else if (live.nodeValue !== fresh.nodeValue) live.nodeValue = fresh.nodeValue;
}
