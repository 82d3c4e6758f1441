/**
 * Discord's markdown, text to syntax tree. Pure: no DOM.
 * The rules follow Discord's "Markdown Text 101" and "Message Formatting" documentation.
 *
 * @typedef {{type: string, children?: MarkdownNode[], text?: string, url?: string, id?: string, kind?: string,
 *   style?: string, seconds?: number, level?: number, ordered?: boolean, start?: number, quiet?: boolean,
 *   items?: MarkdownNode[][]}} MarkdownNode
 */

const FENCE = /```(?:([\w+#.-]+)\n)?\n?([\s\S]+?)\n?```/g;

/**
 * Parses a whole message.
 * @param {string} source
 * @returns {MarkdownNode[]}
 */
export function parseMarkdown(source) {
  const nodes = [];
  let end = 0;
  for (const match of source.matchAll(FENCE)) {
    if (source[match.index - 1] === "\\") continue;
    nodes.push(...parseBlocks(source.slice(end, match.index)));
    nodes.push({ type: "fence", text: match[2], kind: match[1] });
    end = match.index + match[0].length;
    if (source[end] === "\n") end += 1;
  }
  nodes.push(...parseBlocks(source.slice(end)));
  return nodes;
}

/**
 * Addresses in a parsed message that ask for a preview: bare links, not `<url>` and not masked ones.
 * @param {MarkdownNode[]} nodes
 * @returns {string[]}
 */
export function bareLinks(nodes) {
  return nodes.flatMap((node) => {
    if (node.type === "link" && node.quiet === false) return [node.url ?? ""];
    return bareLinks([...(node.children ?? []), ...(node.items ?? []).flat()]);
  });
}

const LIST_ITEM = /^( *)([-*]|\d{1,9}\.) +(.*)$/;

/** Ways a line can begin a block; the first that fits takes one or more lines off the front. */
const BLOCKS = [
  { starts: /^(#{1,3}) +\S/, take: takeHeading },
  { starts: /^-# +\S/, take: takeSubtext },
  { starts: /^>>> /, take: takeQuoteRest },
  { starts: /^> /, take: takeQuote },
  { starts: LIST_ITEM, take: takeList },
];

/** @param {string} source @returns {MarkdownNode[]} */
function parseBlocks(source) {
  if (source === "") return [];
  const lines = source.split("\n");
  /** @type {MarkdownNode[]} */
  const nodes = [];
  /** @type {string[]} */
  let plain = [];
  const flush = () => {
    if (plain.some((line) => line.trim() !== ""))
      nodes.push({ type: "paragraph", children: parseInline(plain.join("\n")) });
    plain = [];
  };
  while (lines.length > 0) {
    const block = BLOCKS.find((candidate) => candidate.starts.test(lines[0]));
    if (!block) plain.push(/** @type {string} */ (lines.shift()));
    else {
      flush();
      nodes.push(block.take(lines));
    }
  }
  flush();
  return nodes;
}

/** @param {string[]} lines @returns {MarkdownNode} */
function takeHeading(lines) {
  const [, marks, text] = /^(#{1,3}) +(.*)$/.exec(lines.shift() ?? "") ?? ["", "#", ""];
  return { type: "heading", level: marks.length, children: parseInline(text) };
}

/** @param {string[]} lines @returns {MarkdownNode} */
function takeSubtext(lines) {
  return { type: "subtext", children: parseInline((lines.shift() ?? "").slice(2).trim()) };
}

/** @param {string[]} lines @returns {MarkdownNode} */
function takeQuoteRest(lines) {
  const text = lines.splice(0).join("\n").slice(4);
  return { type: "quote", children: parseBlocks(text) };
}

/** @param {string[]} lines @returns {MarkdownNode} */
function takeQuote(lines) {
  const quoted = [];
  while (lines.length > 0 && lines[0].startsWith("> ")) quoted.push((lines.shift() ?? "").slice(2));
  return { type: "quote", children: parseBlocks(quoted.join("\n")) };
}

/** @param {string[]} lines @returns {MarkdownNode} */
function takeList(lines) {
  const [, indent, marker] = LIST_ITEM.exec(lines[0]) ?? ["", "", "-"];
  const ordered = /\d/.test(marker);
  /** @type {MarkdownNode} */
  const list = { type: "list", ordered, start: ordered ? Number.parseInt(marker, 10) : 1, items: [] };
  while (lines.length > 0) {
    const match = LIST_ITEM.exec(lines[0]);
    if (!match || match[1].length < indent.length) break;
    if (match[1].length > indent.length + 1) list.items?.at(-1)?.push(takeList(lines));
    else if (/\d/.test(match[2]) !== ordered) break;
    else {
      lines.shift();
      list.items?.push(parseInline(match[3]));
    }
  }
  return list;
}

/**
 * Inline rules in order of precedence; each is tried at the current place only (sticky).
 * @type {{pattern: RegExp, build: (match: RegExpExecArray) => MarkdownNode}[]}
 */
const INLINE = [
  { pattern: /\\([^0-9A-Za-z\s])/y, build: (m) => text(m[1]) },
  {
    pattern: /(`+)([\s\S]*?[^`])\1(?!`)/y,
    build: (m) => ({ type: "code", text: m[2].replace(/^ (.*) $/, "$1") }),
  },
  { pattern: /<(https?:\/\/[^\s<>]+)>/y, build: (m) => link(m[1], true) },
  { pattern: /<@!?(\d+)>/y, build: (m) => ({ type: "mention", kind: "user", id: m[1] }) },
  { pattern: /<@&(\d+)>/y, build: (m) => ({ type: "mention", kind: "role", id: m[1] }) },
  { pattern: /<#(\d+)>/y, build: (m) => ({ type: "mention", kind: "channel", id: m[1] }) },
  { pattern: /@(everyone|here)\b/y, build: (m) => ({ type: "mention", kind: "everyone", text: m[0] }) },
  { pattern: /<\/([^:<>\n]+):\d+>/y, build: (m) => ({ type: "command", text: m[1] }) },
  { pattern: /<a?(:\w+:)\d+>/y, build: (m) => text(m[1]) },
  {
    pattern: /<t:(-?\d{1,13})(?::([tTdDfFsSR]))?>/y,
    build: (m) => ({ type: "time", seconds: Number(m[1]), style: m[2] ?? "f" }),
  },
  {
    pattern: /\[((?:[^[\]\\]|\\.)+)\]\(\s*<?(https?:\/\/[^\s<>]*?)>?(?:\s+"[^"]*")?\s*\)/y,
    build: maskedLink,
  },
  { pattern: /https?:\/\/[^\s<>]+[^\s<>.,:;"')\]*_|~!?]\/?/y, build: (m) => link(m[0], false) },
  { pattern: /\|\|([\s\S]+?)\|\|/y, build: (m) => wrap("spoiler", m[1]) },
  {
    pattern: /\*\*\*(?=\S)([\s\S]+?)\*\*\*(?!\*)/y,
    build: (m) => ({ type: "bold", children: [wrap("italic", m[1])] }),
  },
  { pattern: /\*\*(?=\S)([\s\S]+?)\*\*(?!\*)/y, build: (m) => wrap("bold", m[1]) },
  { pattern: /__([\s\S]+?)__(?!_)/y, build: (m) => wrap("underline", m[1]) },
  { pattern: /~~([\s\S]+?)~~/y, build: (m) => wrap("strike", m[1]) },
  {
    pattern: /\*(?![\s*])((?:\*\*[\s\S]+?\*\*|\\.|[^*\\])+?)(?<!\s)\*(?!\*)/y,
    build: (m) => wrap("italic", m[1]),
  },
  { pattern: /_(?!_)((?:\\.|[^_\\]|__)+?)_(?![\w_])/y, build: (m) => wrap("italic", m[1]) },
];

/** Characters at which an inline rule may begin; everything else is plain text. */
const SPECIAL = /[\\`<@[h|*_~]/g;

/** @param {string} source @returns {MarkdownNode[]} */
function parseInline(source) {
  /** @type {MarkdownNode[]} */
  const nodes = [];
  let plainFrom = 0;
  let at = nextSpecial(source, 0);
  while (at < source.length) {
    const found = startsInsideWord(source, at) ? null : matchInline(source, at);
    if (!found) {
      at = nextSpecial(source, at + 1);
      continue;
    }
    if (at > plainFrom) nodes.push(text(source.slice(plainFrom, at)));
    nodes.push(found.node);
    plainFrom = at + found.length;
    at = nextSpecial(source, plainFrom);
  }
  if (plainFrom < source.length) nodes.push(text(source.slice(plainFrom)));
  return nodes;
}

/** Underscores and addresses only count at the beginning of a word. @param {string} source @param {number} at */
function startsInsideWord(source, at) {
  const begins = source[at] === "h" || (source[at] === "_" && source[at + 1] !== "_");
  return begins && at > 0 && /\w/.test(source[at - 1]);
}

/** @param {string} source @param {number} from */
function nextSpecial(source, from) {
  SPECIAL.lastIndex = from;
  return SPECIAL.exec(source)?.index ?? source.length;
}

/** @param {string} source @param {number} at */
function matchInline(source, at) {
  for (const { pattern, build } of INLINE) {
    pattern.lastIndex = at;
    const match = pattern.exec(source);
    if (match) return { node: build(match), length: match[0].length };
  }
  return null;
}

/** @param {string} value @returns {MarkdownNode} */
function text(value) {
  return { type: "text", text: value };
}

/** @param {string} type @param {string} inner @returns {MarkdownNode} */
function wrap(type, inner) {
  return { type, children: parseInline(inner) };
}

/** @param {string} url @param {boolean} quiet @returns {MarkdownNode} */
function link(url, quiet) {
  return { type: "link", url, quiet, children: [text(url)] };
}

/** @param {RegExpExecArray} match @returns {MarkdownNode} */
function maskedLink(match) {
  return { type: "link", url: match[2], quiet: true, children: parseInline(match[1]) };
}
