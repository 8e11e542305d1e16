// The marks of one session as the teacher sees them, and how they are saved. No page in here.

const SAVE_AFTER = 1500;
const TRY_AGAIN = [2000, 4000, 8000, 15000, 30000];
const NEXT = { "": "absent", present: "absent", absent: "late", late: "present", excused: "present" };

// What a tap on a student makes of their mark: exceptions first.
export function nextOf(status) {
  return NEXT[status];
}

export class Sheet {
  #address;
  #version;
  #stored;
  #now;
  #theirs = new Map();
  #steps = [];
  #reason;
  #changed;
  #certain;
  #undecided;
  #timer = 0;
  #saving = null;
  #failures = 0;
  #trouble = null;

  // `marks` are the stored ones by roll number, "" for none; `changed` is told which rows to show. A
  // photo's mark with a score below `certain` counts as none, and the teacher decides it: `undecided`
  // are the roll numbers with such a mark, which no button for many students touches.
  constructor({ address, version, marks, reason, changed, certain, undecided }) {
    this.#certain = certain;
    this.#undecided = new Set(undecided);
    this.#address = address;
    this.#version = version;
    this.#stored = new Map(marks);
    this.#now = new Map(marks);
    this.#reason = reason;
    this.#changed = changed;
  }

  now(roll) { return this.#now.get(roll); }
  stored(roll) { return this.#stored.get(roll); }
  conflict(roll) { return this.#theirs.get(roll); }
  canUndo() { return this.#steps.length > 0; }
  isUnsaved() { return this.#saving !== null || this.#unsaved().length > 0 || this.#theirs.size > 0; }
  unmarked() { return [...this.#now.keys()].filter((roll) => !this.#now.get(roll) && !this.#undecided.has(roll)); }

  counts() {
    const counts = { none: 0 };
    for (const status of this.#now.values()) counts[status || "none"] = (counts[status || "none"] ?? 0) + 1;
    return counts;
  }

  state() {
    if (this.#theirs.size) return { kind: "bad", text: `${this.#theirs.size} to decide` };
    if (this.#trouble) return this.#trouble;
    if (this.#saving) return { kind: "", text: "Saving …" };
    const left = this.#unsaved().length;
    return left ? { kind: "", text: `${left} not saved yet` } : { kind: "good", text: "All saved" };
  }

  set(roll, status) { this.setAll([[roll, status]]); }

  // One step, which undo takes back as a whole.
  setAll(marks) {
    const step = marks.filter(([roll, status]) => this.#now.get(roll) !== status)
      .map(([roll, status]) => ({ roll, status, before: this.#now.get(roll) }));
    if (!step.length) return;
    for (const { roll, status } of step) {
      this.#now.set(roll, status);
      this.#theirs.delete(roll);
    }
    this.#steps.push(step);
    this.#later(SAVE_AFTER);
    this.#changed(step.map(({ roll }) => roll));
  }

  // A mark that is stored can be changed and not taken away, so a first mark stays once it is saved.
  undo() {
    const step = this.#steps.pop() ?? [];
    const back = step.filter(({ roll, before }) => before || !this.#stored.get(roll));
    for (const { roll, before } of back) this.#now.set(roll, before);
    this.#later(SAVE_AFTER);
    this.#changed(step.map(({ roll }) => roll));
  }

  decide(roll, mine) {
    const theirs = this.#theirs.get(roll);
    this.#theirs.delete(roll);
    if (!mine) this.#now.set(roll, theirs);
    this.#later(0);
    this.#changed([roll]);
  }

  // Saves what is not saved yet; true if nothing is left.
  async save() {
    clearTimeout(this.#timer);
    while (this.#saving) await this.#saving;
    while (this.#unsaved().length) {
      this.#saving = this.#send(this.#unsaved());
      this.#changed([]);
      const sent = await this.#saving;
      this.#saving = null;
      if (!sent) break;
    }
    this.#changed([]);
    return !this.isUnsaved();
  }

  #unsaved() {
    return [...this.#now].filter(([roll, status]) =>
      status && status !== this.#stored.get(roll) && !this.#theirs.has(roll)).map(([roll]) => roll);
  }

  #later(delay) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.save(), delay);
  }

  async #send(rolls) {
    const sent = new Map(rolls.map((roll) => [roll, this.#now.get(roll)]));
    const updates = rolls.map((rollNo) => ({ rollNo, status: sent.get(rollNo) }));
    const reason = this.#reason();
    try {
      const answer = await fetch(`${this.#address}/marks`, {
        method: "POST",
        headers: { "Content-Type": "application/json", Accept: "application/json", "If-Match": String(this.#version) },
        body: JSON.stringify(reason ? { updates, reason } : { updates }),
      });
      if (answer.status === 412) return await this.#compare();
      if (!answer.ok) return this.#refused(answer.status, await answer.json());
      const { version, rejected } = await answer.json();
      this.#version = version;
      for (const [roll, status] of sent) this.#stored.set(roll, status);
      return this.#settled(rejected);
    } catch {
      return this.#unreachable();
    }
  }

  #settled(rejected) {
    this.#failures = 0;
    this.#trouble = null;
    for (const { rollNo } of rejected) {
      this.#stored.set(rollNo, "");
      this.#now.set(rollNo, "");
    }
    if (rejected.length) {
      const rolls = rejected.map(({ rollNo }) => rollNo);
      this.#trouble = { kind: "bad", text: `Not enrolled on that day: ${rolls.join(", ")}` };
      this.#changed(rolls);
    }
    return true;
  }

  // Somebody else has saved: theirs is shown where only they changed it, and asked about where both did.
  async #compare() {
    const answer = await fetch(`${this.#address}/sheet`, { headers: { Accept: "application/json" } });
    if (!answer.ok) return this.#refused(answer.status, await answer.json());
    const { version, students } = await answer.json();
    const seen = [];
    for (const { rollNo, mark } of students) {
      const theirs = this.#decided(mark);
      const stored = this.#stored.get(rollNo);
      if (stored === undefined || theirs === stored) continue;
      const mine = this.#now.get(rollNo);
      this.#stored.set(rollNo, theirs);
      if (mine === stored) this.#now.set(rollNo, theirs);
      else if (mine !== theirs) this.#theirs.set(rollNo, theirs);
      seen.push(rollNo);
    }
    this.#version = version;
    this.#changed(seen);
    return true;
  }

  #decided(mark) {
    if (!mark || (mark.source === "ai" && mark.similarityScore < this.#certain)) return "";
    return mark.status;
  }

  #refused(status, problem) {
    if (status === 401) {
      this.#trouble = { kind: "signed-out", text: "Your sign-in has ended; nothing is lost." };
      this.#later(5000);
    } else if (status === 429 || status >= 500) {
      return this.#unreachable();
    } else {
      this.#trouble = { kind: "bad", text: problem.detail };
    }
    return false;
  }

  #unreachable() {
    this.#trouble = { kind: "bad", text: "Not saved: no answer from AIMS. Trying again …" };
    this.#later(TRY_AGAIN[Math.min(this.#failures, TRY_AGAIN.length - 1)]);
    this.#failures += 1;
    return false;
  }
}
