// The publisher: `node publisher.mjs REDIS_PORT`. Each line on standard input, {"first", "count", "how", "delayMs"}, is a
// load; the answer is when it began and ended, in seconds of the clock that all processes of the machine share.
import { createInterface } from "node:readline";
import { Queue } from "bullmq";

const BATCH = 100;
const TEXT =
  "Is the blue one still to be had in a size that fits a child of eight, and could it be here by Friday? ".repeat(2).slice(0, 150);

const connection = { host: "127.0.0.1", port: Number(process.argv[2]) };
const queue = new Queue("bench", { connection });
await queue.waitUntilReady();

const body = (number) => JSON.stringify({ id: number, kind: "messages", text: TEXT });
const now = () => Number(process.hrtime.bigint()) / 1e9;

async function publish({ first, count, how, delayMs }) {
  const opts = { attempts: 4, removeOnComplete: true, backoff: { type: "exponential", delay: 1000 } };
  if (delayMs) opts.delay = delayMs;
  let at = first;
  const end = first + count;
  const single = async () => {
    while (at < end) await queue.add("deliver", body(at++), opts);
  };
  const bulk = async () => {
    while (at < end) {
      const jobs = [];
      while (jobs.length < BATCH && at < end) jobs.push({ name: "deliver", data: body(at++), opts });
      await queue.addBulk(jobs);
    }
  };
  const lanes = how === "single" ? Array.from({ length: 64 }, single) : Array.from({ length: 4 }, bulk);
  await Promise.all(lanes);
}

for await (const line of createInterface({ input: process.stdin })) {
  const started = now();
  await publish(JSON.parse(line));
  console.log(JSON.stringify({ started, ended: now() }));
}
await queue.close();
