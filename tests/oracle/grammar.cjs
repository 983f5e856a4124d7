// Parses queries with Kibana's own grammar: one JSON string a line comes in on standard input, one
// JSON line goes out for each: the tree, or null where the grammar refuses the query.
//
// usage: node grammar.cjs FOLDER_OF_THE_MODULE_PEGGY GRAMMAR_FILE
//
// The grammar's actions build nodes through the helpers that they are given; these build a form
// that depends neither on Kibana's classes nor on its version:
//
//   ["all"]  ["and", …]  ["or", …]  ["not", x]  ["is", field | null, value]  ["exists", field]
//   ["range", field, operator, value]  ["nested", field, x]
//   a value: [kind, text], kind one of unquoted, quoted, bool, null; U+E000 stands for a wildcard
"use strict";
const fs = require("fs");
const [, , peggyFolder, grammarFile] = process.argv;
const peggy = require(peggyFolder);
const parser = peggy.generate(fs.readFileSync(grammarFile, "utf8"));

const STAR = "\ue000";

const isStars = (text) => text !== "" && [...text].every((symbol) => symbol === STAR);

function fieldOf(node) {
  return node.type === "wildcard" ? node.value : String(node.value);
}

function valueOf(node) {
  if (node.type === "wildcard") return ["unquoted", node.value];
  if (node.value === null) return ["null", "null"];
  if (typeof node.value === "boolean") return ["bool", String(node.value)];
  return [node.isQuoted ? "quoted" : "unquoted", node.value];
}

function isNode(field, value) {
  const name = field.value === null && field.type === "literal" ? null : fieldOf(field);
  const asksExists = value.type === "wildcard" && isStars(value.value);
  if (asksExists && (name === null || (field.type === "wildcard" && isStars(name)))) return ["all"];
  if (asksExists) return ["exists", name];
  return ["is", name, valueOf(value)];
}

function functionNode(name, args) {
  switch (name) {
    case "is":
      return isNode(args[0], args[1]);
    case "range":
      return ["range", fieldOf(args[0]), args[1], valueOf(args[2])];
    case "nested":
      return ["nested", fieldOf(args[0]), args[1]];
    case "and":
    case "or":
      // An `and` in an `and` says what one of all operands says.
      return [name, ...args.flatMap((node) => (node[0] === name ? node.slice(1) : [node]))];
    default:
      return [name, ...args];
  }
}

const nodeTypes = {
  function: {
    buildNode: () => ["all"],
    buildNodeWithArgumentNodes: functionNode,
  },
  // Older grammars do not say whether a literal was quoted.
  literal: { buildNode: (value, isQuoted = false) => ({ type: "literal", value, isQuoted }) },
  wildcard: {
    buildNode: (value) => ({ type: "wildcard", value }),
    isNode: (node) => node.type === "wildcard",
    hasLeadingWildcard: () => false,
    KQL_WILDCARD_SYMBOL: STAR,
    wildcardSymbol: STAR,
  },
};

const lines = fs.readFileSync(0, "utf8").split("\n").filter((line) => line !== "");
const answers = lines.map((line) => {
  try {
    return JSON.stringify(parser.parse(JSON.parse(line), { helpers: { nodeTypes } }));
  } catch (fault) {
    if (fault.name === "SyntaxError") return "null";
    throw fault;
  }
});
process.stdout.write(answers.join("\n") + "\n");
