/** Slash commands as data: which there are, which fits what is typed, and reading a typed line. Pure. */

/**
 * @typedef {import("./types.js").Command} Command
 * @typedef {import("./types.js").CommandOption} CommandOption
 * @typedef {import("./types.js").LeafCommand} LeafCommand
 */

const SLASH = 1;
const MESSAGE = 3;

export const OPTION = {
  subcommand: 1,
  group: 2,
  string: 3,
  integer: 4,
  boolean: 5,
  user: 6,
  channel: 7,
  role: 8,
  mentionable: 9,
  number: 10,
  attachment: 11,
};

/**
 * Every slash command that can be run, subcommands spelled out, in alphabetical order.
 * @param {Command[]} commands What the server offers the acting person.
 * @returns {LeafCommand[]}
 */
export function leafCommands(commands) {
  const usable = commands.filter((command) => (command.type ?? SLASH) === SLASH);
  const leaves = usable.flatMap((command) => leavesOf(command, command, []));
  return leaves.sort((a, b) => a.name.localeCompare(b.name));
}

/**
 * The commands of a message's context menu.
 * @param {Command[]} commands
 * @returns {Command[]}
 */
export function messageCommands(commands) {
  return commands.filter((command) => command.type === MESSAGE);
}

/** @param {Command} command @param {Command | CommandOption} part @param {{name: string, type: number}[]} path @returns {LeafCommand[]} */
function leavesOf(command, part, path) {
  const options = part.options ?? [];
  const branches = options.filter(
    (option) => option.type === OPTION.subcommand || option.type === OPTION.group,
  );
  if (branches.length > 0)
    return branches.flatMap((branch) =>
      leavesOf(command, branch, [...path, { name: branch.name, type: branch.type }]),
    );
  const name = [command.name, ...path.map((step) => step.name)].join(" ");
  return [{ command, path, name, description: part.description, options: requiredFirst(options) }];
}

/** @param {CommandOption[]} options */
function requiredFirst(options) {
  return [...options.filter((option) => option.required), ...options.filter((option) => !option.required)];
}

/**
 * The commands that fit what has been typed after the slash, the best first.
 * @param {LeafCommand[]} leaves
 * @param {string} query
 * @returns {LeafCommand[]}
 */
export function filterCommands(leaves, query) {
  const wanted = query.trimStart().toLowerCase();
  const begins = leaves.filter((leaf) => leaf.name.startsWith(wanted));
  const contains = leaves.filter((leaf) => !leaf.name.startsWith(wanted) && leaf.name.includes(wanted));
  return [...begins, ...contains];
}

/**
 * Splits a typed line into a command and what follows its name.
 * @param {LeafCommand[]} leaves
 * @param {string} line Such as "/video prompt: a cat".
 * @returns {{leaf: LeafCommand, rest: string} | null} Null while the name is not complete, that is without a space after it.
 */
export function matchCommand(leaves, line) {
  const byLength = [...leaves].sort((a, b) => b.name.length - a.name.length);
  for (const leaf of byLength) {
    const head = `/${leaf.name}`;
    if (line.toLowerCase().startsWith(head) && /\s/.test(line[head.length] ?? ""))
      return { leaf, rest: line.slice(head.length + 1) };
  }
  return null;
}

/**
 * Reads `name: value` pairs. Text before the first name goes to `fallback`.
 * @param {string} text
 * @param {CommandOption[]} options
 * @param {CommandOption | undefined} fallback
 * @returns {Map<string, string>} Option name to text, in the order they were typed.
 */
export function parseArguments(text, options, fallback) {
  const values = new Map();
  const marks = options.length > 0 ? [...text.matchAll(namePattern(options))] : [];
  const lead = text.slice(0, marks[0]?.index ?? text.length);
  if (fallback && lead.trim()) values.set(fallback.name, lead.trim());
  marks.forEach((mark, index) => {
    const value = text.slice(mark.index + mark[0].length, marks[index + 1]?.index ?? text.length).trim();
    const before = mark[1] === fallback?.name ? values.get(mark[1]) : undefined;
    values.set(mark[1], before ? `${before} ${value}` : value);
  });
  return values;
}

/** @param {CommandOption[]} options */
function namePattern(options) {
  return new RegExp(
    `(?<=^|\\s)(${options.map((option) => option.name.replace(/[^\w-]/g, "\\$&")).join("|")}):`,
    "g",
  );
}

/**
 * The option that takes text typed without a name: the first required string, else the first string.
 * @param {CommandOption[]} options
 * @returns {CommandOption | undefined}
 */
export function defaultOption(options) {
  const strings = options.filter((option) => option.type === OPTION.string);
  return strings.find((option) => option.required) ?? strings[0];
}

/**
 * An interaction's `data` for a command, its options nested under groups and subcommands as Discord wants them.
 * @param {LeafCommand} leaf
 * @param {{name: string, type: number, value: unknown, focused?: boolean}[]} options
 * @returns {Record<string, unknown>}
 */
export function commandData(leaf, options) {
  const nested = leaf.path.reduceRight(
    (/** @type {any[]} */ inner, step) => [{ ...step, options: inner }],
    options,
  );
  return { id: leaf.command.id, name: leaf.command.name, type: SLASH, options: nested };
}
