// SPDX-License-Identifier: Apache-2.0
// Receives Postern's webhooks and checks their signatures, with nothing but Node's own library.
//
//     WEBHOOK_SECRET=whsec_… node receiver.mjs 9000
//
// Prints a line for each event that is new: its type and its id.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const secret = Buffer.from(process.env.WEBHOOK_SECRET.replace(/^whsec_/, ""), "base64");
const tolerance = 300; // seconds that sender's and receiver's clocks may differ
const maximum = 4 << 20; // octets of a body
const seen = new Set(); // a real receiver keeps these where it keeps what it makes of the events

// Standard Webhooks 1.0: HMAC-SHA256 over id, timestamp and body; one of the signatures must be ours.
function isSigned(headers, body) {
  const id = headers["webhook-id"] ?? "";
  const timestamp = headers["webhook-timestamp"] ?? "";
  if (!/^\d{1,12}$/.test(timestamp) || Math.abs(Date.now() / 1000 - Number(timestamp)) > tolerance) return false;
  const code = createHmac("sha256", secret).update(`${id}.${timestamp}.`).update(body).digest("base64");
  const expected = Buffer.from(`v1,${code}`);
  return (headers["webhook-signature"] ?? "").split(" ").some((text) => {
    const given = Buffer.from(text);
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
}

createServer((request, response) => {
  const pieces = [];
  let octets = 0;
  request.on("data", (piece) => {
    octets += piece.length;
    if (octets > maximum) {
      response.writeHead(413, { connection: "close" }).end();
      request.destroy();
      return;
    }
    pieces.push(piece);
  });
  request.on("end", () => {
    const body = Buffer.concat(pieces);
    if (request.method !== "POST" || !isSigned(request.headers, body)) return response.writeHead(401).end();
    const id = request.headers["webhook-id"];
    if (!seen.has(id)) { // an event may come more than once
      seen.add(id);
      console.log(JSON.parse(body).type, id);
    }
    response.writeHead(204).end(); // at once: work that takes long belongs behind the answer
  });
}).listen(Number(process.argv[2]), "127.0.0.1");
