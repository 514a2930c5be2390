import assert from "node:assert/strict";
import { test } from "node:test";

import { server } from "../../web/lib/server.js";

function answering(status, body) {
  const calls = [];
  const fetchApi = async (path, options) => {
    calls.push([path, options]);
    return new Response(typeof body === "string" ? body : JSON.stringify(body), { status });
  };
  return { posi: server(fetchApi), calls };
}

test("a check asks in ComfyUI's syntax and gives the one result", async () => {
  const { posi, calls } = answering(200, { results: [{ flagged: true }] });
  assert.deepEqual(await posi.check("a cat", "strict"), { flagged: true });
  const [path, options] = calls[0];
  assert.equal(path, "/posi/v1/check");
  assert.equal(options.method, "POST");
  assert.deepEqual(JSON.parse(options.body), { text: "a cat", policy: "strict", syntax: "comfyui" });
  assert.equal(options.headers["Content-Type"], "application/json");
});

test("reading sends no body", async () => {
  const { posi, calls } = answering(200, { verdicts: [] });
  assert.deepEqual(await posi.history(), []);
  assert.equal(calls[0][1].method, "GET");
  assert.equal(calls[0][1].body, undefined);
});

test("the server's own words explain a failure", async () => {
  await assert.rejects(answering(400, { error: "Too long." }).posi.rewrite("x", "strict"), /Too long/);
  await assert.rejects(answering(500, "<html>").posi.status(), /500 without JSON/);
});
