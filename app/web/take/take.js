// Makes the sheet quick: marks are saved as one goes, and nothing is dropped silently.
// Without this module the same form is saved by its buttons.

import { nextOf, Sheet } from "./sheet.js";

const form = document.getElementById("take");
const list = document.getElementById("sheet");
// Not `form.action`: the buttons of that name are in its place.
const address = form.getAttribute("action");
const saved = document.getElementById("saved");
const find = document.getElementById("find");
const undo = document.getElementById("undo");
const CYCLE_PRESS = 500;

const sheet = new Sheet({
  address,
  version: Number(form.dataset.version),
  certain: Number(form.dataset.certain),
  undecided: [...list.querySelectorAll("[data-undecided]")].map((row) => row.dataset.roll),
  marks: new Map([...list.children].map((row) => [row.dataset.roll, row.dataset.stored])),
  reason: () => form.elements.reason?.value.trim() || undefined,
  changed: show,
});

function rowOf(roll) {
  return list.querySelector(`[data-roll="${CSS.escape(roll)}"]`);
}

function show(rolls) {
  for (const roll of rolls) {
    const row = rowOf(roll);
    const now = sheet.now(roll);
    for (const radio of row.querySelectorAll("input[type=radio]")) {
      radio.checked = radio.value === now;
    }
    row.querySelector("input[type=hidden]").value = sheet.stored(roll);
    showConflict(row, sheet.conflict(roll));
  }
  const counts = sheet.counts();
  for (const chip of document.querySelectorAll("#counts .mark")) {
    chip.firstElementChild.textContent = counts[chip.classList[1]] ?? 0;
  }
  undo.disabled = !sheet.canUndo();
  showState();
}

function showState() {
  const { kind, text } = sheet.state();
  saved.className = `saved ${kind}`;
  saved.replaceChildren(text);
  if (kind === "signed-out") {
    const link = document.createElement("a");
    Object.assign(link, { href: "/app/sign-in?next=/app/signed-in", target: "_blank", textContent: "Sign in" });
    saved.append(" ", link);
  }
}

function showConflict(row, theirs) {
  row.querySelector(".decide")?.remove();
  row.classList.toggle("conflict", theirs !== undefined);
  if (theirs === undefined) return;
  const box = document.createElement("p");
  box.className = "decide";
  box.setAttribute("role", "alert");
  box.append("Somebody else has changed this mark. ");
  for (const [text, mine] of [[`Keep mine: ${sheet.now(row.dataset.roll)}`, true], [`Take theirs: ${theirs}`, false]]) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.addEventListener("click", () => sheet.decide(row.dataset.roll, mine));
    box.append(button);
  }
  row.append(box);
}

// Taps: on a status it is that one, on the student the next one, held for a while excused.
list.addEventListener("change", (event) => {
  const row = event.target.closest("li");
  sheet.set(row.dataset.roll, event.target.value);
});
let pressed = 0;
list.addEventListener("pointerdown", (event) => {
  const row = event.target.closest(".who-is")?.parentElement;
  clearTimeout(pressed);
  pressed = row && setTimeout(() => {
    pressed = 0;
    sheet.set(row.dataset.roll, "excused");
  }, CYCLE_PRESS);
});
for (const kind of ["pointercancel", "pointerleave"]) {
  list.addEventListener(kind, () => clearTimeout(pressed));
}
list.addEventListener("click", (event) => {
  const row = event.target.closest(".who-is")?.parentElement;
  if (!row || !pressed) return;
  clearTimeout(pressed);
  pressed = 0;
  sheet.set(row.dataset.roll, nextOf(sheet.now(row.dataset.roll)));
});
list.addEventListener("contextmenu", (event) => {
  if (event.target.closest(".who-is")) event.preventDefault();
});

// Buttons that the server would do as well: here they are ordinary marks, with undo.
document.getElementById("others").addEventListener("click", (event) => {
  event.preventDefault();
  sheet.setAll(sheet.unmarked().map((roll) => [roll, "present"]));
});
document.getElementById("previous")?.addEventListener("click", (event) => {
  event.preventDefault();
  sheet.setAll(sheet.unmarked().map((roll) => [roll, rowOf(roll).dataset.previous]).filter(([, status]) => status));
});
undo.addEventListener("click", () => sheet.undo());
document.getElementById("save").addEventListener("click", (event) => {
  event.preventDefault();
  sheet.save();
});
async function finalise(event) {
  event.preventDefault();
  if (await sheet.save()) location.href = `${address}/finalise`;
}
document.getElementById("finalise").addEventListener("click", finalise);
form.addEventListener("submit", (event) => event.preventDefault());
form.elements.reason?.addEventListener("change", () => sheet.save());

// Jump to a student by the last digits or a part of the name.
find.parentElement.hidden = undo.hidden = false;
function matches(row, text) {
  const name = row.querySelector(".name").textContent.toLowerCase();
  return row.dataset.roll.toLowerCase().endsWith(text) || (!/^[0-9]+$/.test(text) && name.includes(text));
}
find.addEventListener("input", () => {
  const text = find.value.trim().toLowerCase();
  for (const row of list.children) row.hidden = text !== "" && !matches(row, text);
});
find.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" && event.key !== "Escape") return;
  event.preventDefault();
  const first = [...list.children].find((row) => !row.hidden);
  find.value = "";
  for (const row of list.children) row.hidden = false;
  if (event.key === "Enter" && first) focusOn(first);
});

function focusOn(row) {
  (row.querySelector("input:checked") ?? row.querySelector("input[type=radio]")).focus();
  row.scrollIntoView({ block: "center" });
}

const KEYS = { p: "present", a: "absent", l: "late", e: "excused" };
document.addEventListener("keydown", (event) => {
  const writing = event.target.matches("input[type=search], input[type=text], textarea, select");
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) return void finalise(event);
  if (writing || event.ctrlKey || event.metaKey || event.altKey) return;
  const row = event.target.closest("#sheet > li");
  const key = event.key.toLowerCase();
  if (key === "arrowdown" || key === "arrowup") {
    const step = key === "arrowdown" ? "nextElementSibling" : "previousElementSibling";
    const to = row ? row[step] : list.firstElementChild;
    if (to) focusOn(to);
  } else if (row && KEYS[key]) {
    sheet.set(row.dataset.roll, KEYS[key]);
    focusOn(row);
  } else if (key === "/") find.focus();
  else if (key === "u") sheet.undo();
  else if (key === "?") document.getElementById("keys").showModal();
  else return;
  event.preventDefault();
});

window.addEventListener("beforeunload", (event) => {
  if (sheet.isUnsaved()) event.preventDefault();
});
for (const kind of ["online", "focus"]) window.addEventListener(kind, () => sheet.isUnsaved() && sheet.save());
// A browser that goes back may show marks picked before: the module knows only what is stored.
show([...list.children].map((row) => row.dataset.roll));
