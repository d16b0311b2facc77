// Drives the SDK from another process: each line on stdin is a call as JSON, each answer a line "reply <JSON>".
//
// {"config": {...}, "path": ["messages", "cancel"], "args": [...]} calls a method of a Client made with that config; a
// step that is an object calls a method on the way: [{"call": "queue", "with": {...}}, "get"]. Path ["verify"] is the
// Receiver's, ["surface"] tells which methods a Client has. What JSON cannot hold stands as {"$date": ms},
// {"$bytes": base64} and {"$provider": name, "with": {...}}. Nothing of the SDK is replaced, only fetch refuses to leave
// this machine: in dev mode the SDK would download a server if it did not like ours.
import { createInterface } from "node:readline";
import * as sdk from "@upstash/qstash";

console.log = console.error;

const plainFetch = globalThis.fetch;
globalThis.fetch = (input, init) => {
  const url = new URL(input.url ?? input);
  if (url.hostname !== "127.0.0.1") {
    throw new Error(`refused to leave this machine for ${url.hostname}`);
  }
  return plainFetch(input, init);
};

function revive(_, value) {
  if (value?.$date !== undefined) return new Date(value.$date);
  if (value?.$bytes !== undefined) return Uint8Array.from(Buffer.from(value.$bytes, "base64"));
  if (value?.$provider !== undefined) return sdk[value.$provider](value.with);
  return value;
}

function step(owner, name) {
  return typeof name === "string" ? owner[name] : owner[name.call](name.with);
}

function methods(owner) {
  const inherited = Object.getOwnPropertyNames(Object.getPrototypeOf(owner));
  const own = Object.getOwnPropertyNames(owner).filter((name) => typeof owner[name] === "function");
  return [...inherited, ...own].filter((name) => name !== "constructor");
}

// Getters and the two factories lead to further objects; what is left are methods of the Client's own.
function surface(client) {
  const rooms = { "queue()": client.queue({ queueName: "q" }), "chat()": client.chat() };
  const found = [];
  for (const name of methods(client)) {
    if (`${name}()` in rooms) continue;
    if (typeof client[name] === "object") rooms[name] = client[name];
    else found.push(name);
  }
  for (const [room, owner] of Object.entries(rooms)) {
    found.push(...methods(owner).map((name) => `${room}.${name}`));
  }
  return [...found, ...methods(new sdk.Receiver()).map((name) => `Receiver.${name}`)];
}

async function drained(value) {
  if (value?.[Symbol.asyncIterator] === undefined) return value;
  const chunks = [];
  for await (const chunk of value) chunks.push(chunk);
  return chunks;
}

async function call({ config, path, args }) {
  if (path[0] === "verify") {
    return new sdk.Receiver(config).verify(args[0]);
  }
  const client = new sdk.Client(config);
  if (path[0] === "surface") {
    return surface(client);
  }
  const owner = path.slice(0, -1).reduce(step, client);
  return drained(await owner[path.at(-1)](...args));
}

for await (const line of createInterface({ input: process.stdin })) {
  let reply;
  try {
    reply = { value: (await call(JSON.parse(line, revive))) ?? null };
  } catch (error) {
    reply = { error: { name: error.name, message: error.message, status: error.status ?? null } };
  }
  process.stdout.write(`reply ${JSON.stringify(reply)}\n`);
}
