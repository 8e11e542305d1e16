// Shows how far an import is, until it is over. Without this module the page is loaded again.

const bar = document.getElementById("progress");
const text = document.getElementById("how-far");
const title = document.title;
const EVERY = 1000;

function show({ state, done, total }) {
  const number = (value) => value.toLocaleString("en");
  if (state === "waiting") {
    text.textContent = "Waiting for its turn.";
  } else if (total === null) {
    text.textContent = "Reading the file.";
  } else {
    text.textContent = `${number(done)} of ${number(total)} ${bar.dataset.what}.`;
    Object.assign(bar, { max: total, value: done });
    document.title = `${Math.floor((100 * done) / total)} % · ${title}`;
  }
}

async function look() {
  try {
    const answer = await fetch(bar.dataset.address, { headers: { Accept: "application/json" } });
    const run = answer.ok ? await answer.json() : null;
    const over = run && run.state !== "waiting" && run.state !== "working";
    // Signed out, or discarded by somebody else: the page itself says so. Who asks too often (429)
    // is not refused: the import goes on, and so does looking.
    const refused = answer.status >= 400 && answer.status < 500 && answer.status !== 429;
    if (over || refused) {
      location.reload();
      return;
    }
    if (run) {
      show(run);
    }
  } catch {
    // The network is away for a moment: the import goes on, and so does looking.
  }
  setTimeout(look, EVERY);
}

setTimeout(look, EVERY);
