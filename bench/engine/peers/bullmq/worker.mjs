// The worker: posts each job to the receiver. `node worker.mjs REDIS_PORT RECEIVER_URL`; runs until SIGTERM.
import { Worker } from "bullmq";
import { Pool } from "undici";

const [redisPort, url] = process.argv.slice(2);
const concurrency = 64;
const pool = new Pool(url, { connections: concurrency, pipelining: 1 });
const headers = { "content-type": "application/json" };

const worker = new Worker(
  "bench",
  async (job) => {
    const answer = await pool.request({ path: "/", method: "POST", headers, body: job.data });
    await answer.body.dump();
    if (answer.statusCode >= 300) throw new Error(`the destination answered ${answer.statusCode}`);
  },
  { connection: { host: "127.0.0.1", port: Number(redisPort), maxRetriesPerRequest: null }, concurrency },
);

await worker.waitUntilReady();
console.log("ready");
process.on("SIGTERM", async () => {
  await worker.close(true);
  process.exit(0);
});
