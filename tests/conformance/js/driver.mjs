// Drives the SDK from another process: each line on stdin is a call as JSON, each answer a line "reply <JSON>".
//
// {"config": {...}, "path": ["messages", "cancel"], "args": [...]} calls a method of a Client made with that config;
// path ["verify"] is the Receiver's. Nothing of the SDK is replaced, only fetch refuses to leave this machine: in dev
// mode the SDK would download a server if it did not like ours.
import { createInterface } from "node:readline";
import { Client, Receiver } from "@upstash/qstash";

console.log = console.error;

const plainFetch = globalThis.fetch;
globalThis.fetch = (input, init) => {
  const url = new URL(input.url ?? input);
  if (url.hostname !== "127.0.0.1") {
    throw new Error(`refused to leave this machine for ${url.hostname}`);
  }
  return plainFetch(input, init);
};

async function call({ config, path, args }) {
  if (path[0] === "verify") {
    return new Receiver(config).verify(args[0]);
  }
  const owner = path.slice(0, -1).reduce((value, name) => value[name], new Client(config));
  return owner[path.at(-1)](...args);
}

for await (const line of createInterface({ input: process.stdin })) {
  let reply;
  try {
    reply = { value: (await call(JSON.parse(line))) ?? null };
  } catch (error) {
    reply = { error: { name: error.name, message: error.message, status: error.status ?? null } };
  }
  process.stdout.write(`reply ${JSON.stringify(reply)}\n`);
}
