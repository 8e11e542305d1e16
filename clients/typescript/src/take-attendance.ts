/**
 * Takes attendance with a generated client, from signing in to the statistics.
 *
 *     node build/take-attendance.js http://127.0.0.1:8000 http://127.0.0.1:8001
 *
 * The second address is the demo's stand-in for Google. An app gets its ID token from Google.
 */
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type MarkBatch = components["schemas"]["MarkBatch"];

const [api, google] = process.argv.slice(2);
assert(api && google, "Give the address of the API and that of the stand-in for Google.");

const client = createClient<paths>({ baseUrl: api });

/** The body of an answer, or the problem's sentence as an error. */
function bodyOf<T>(answer: { data?: T; error?: components["schemas"]["Problem"] }): T {
  if (answer.error) throw new Error(`${answer.error.code}: ${answer.error.detail}`);
  assert(answer.data !== undefined);
  return answer.data;
}

async function signIn(email: string): Promise<string> {
  const idToken = await (await fetch(`${google}/token?email=${email}`)).text();
  const { token, user } = bodyOf(await client.POST("/auth/google", { body: { idToken } }));
  console.log(`Signed in as ${user.name}, ${user.role}`);
  return token;
}

const token = await signIn("asha@demo.university.example");
client.use({
  onRequest({ request }) {
    request.headers.set("Authorization", `Bearer ${token}`);
  },
});

const classes = bodyOf(await client.GET("/classes", { params: { query: { roster: false } } }));
const [first] = classes;
assert(first, "There is no class.");
console.log(`${classes.length} classes; the first is ${first.code} ${first.section}`);
const ofFirst = { params: { path: { id: first.id } } };
const students = bodyOf(await client.GET("/classes/{id}", ofFirst)).students ?? [];
assert(students.length >= 2, "The class has no students.");

// The institution's date: the server's "today" is India's in the demo, wherever this runs.
const today = new Intl.DateTimeFormat("en-CA", { timeZone: "Asia/Kolkata" }).format(new Date());
const opened = await client.POST("/attendance/sessions", {
  body: { classId: first.id, sessionDate: today },
});
const session = bodyOf(opened);
console.log(`Session of ${session.sessionDate}, version ${session.version}`);

const path = { id: session.sessionId };
const batch: MarkBatch = {
  updates: students.map(({ rollNo }, place) => ({
    rollNo,
    status: place % 5 ? "present" : "absent",
  })),
};
const etag = opened.response.headers.get("ETag") ?? undefined;
const header = { "If-Match": etag };
const marked = await client.PUT("/attendance/sessions/{id}/statuses", {
  params: { path, header },
  body: batch,
});
const { statuses, version, rejected } = bodyOf(marked);
assert.equal(statuses.length, students.length);
assert.deepEqual(rejected, []);
console.log(`${statuses.length} students marked, version ${version}`);

// As after a lost answer: the same batch with the old version changes nothing and is no conflict.
const again = bodyOf(
  await client.PUT("/attendance/sessions/{id}/statuses", { params: { path, header }, body: batch }),
);
assert.equal(again.version, version);
console.log(`The same again: still version ${again.version}`);

// Marks made from a version that is not the session's would overwrite what nobody has seen.
const [mark] = batch.updates;
assert(mark);
const stale = await client.PUT("/attendance/sessions/{id}/statuses", {
  params: { path, header: { "If-Match": '"999999"' } },
  body: { updates: [{ ...mark, status: "excused" }] },
});
assert.equal(stale.response.status, 412);
assert.equal(stale.error?.code, "stale_version");
console.log(`Refused: ${stale.error.detail}`);

const stats = bodyOf(await client.GET("/stats/classes/{id}/students", ofFirst));
assert.equal(stats.length, students.length);
for (const { rollNo, present, late, total, percentage } of stats.slice(0, 2)) {
  console.log(`${rollNo}: ${present + late} of ${total}, ${percentage} %`);
}
