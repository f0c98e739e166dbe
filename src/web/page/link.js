// The link to the checkpoint: the token, the stream of states, what is sent.

const KEPT = "token";
// The server says something every two seconds. A state that nobody keeps true must not stand.
const PATIENCE = 6000;
const PAUSE = 1000;

// The token comes in the fragment of the address, which is sent to nobody, and leaves it at once.
// It is kept for this tab alone.
function takeToken() {
  const given = location.hash.slice(1);
  if (/^[0-9a-f]{64}$/.test(given)) sessionStorage.setItem(KEPT, given);
  if (location.hash) history.replaceState(null, "", location.pathname);
  return sessionStorage.getItem(KEPT) ?? "";
}

const token = takeToken();
// The whole address was put into a tab that has the page already.
addEventListener("hashchange", () => location.reload());

function ask(path, options = {}) {
  const headers = { ...options.headers, Authorization: `Bearer ${token}` };
  return fetch(path, { ...options, headers, cache: "no-store", credentials: "omit", redirect: "error" });
}

class Locked extends Error {}

// Follows the states until the token turns out to be none.
export async function follow(show, told) {
  for (;;) {
    try {
      await stream(show);
    } catch (error) {
      if (error instanceof Locked) return told("locked");
      console.error(error);
    }
    told("lost");
    await new Promise((done) => setTimeout(done, PAUSE));
  }
}

async function stream(show) {
  const end = new AbortController();
  let timer;
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => end.abort(), PATIENCE);
  };
  try {
    heard();
    const answer = await ask("/events", { signal: end.signal });
    if (answer.status === 401) throw new Locked();
    if (!answer.ok) throw new Error(String(answer.status));
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      heard();
      const events = (rest + value).split("\n\n");
      rest = events.pop();
      for (const event of events) take(event, show);
    }
  } finally {
    clearTimeout(timer);
    end.abort();
  }
}

// One event: its data, where it is a state; comments only say that the link stands.
function take(event, show) {
  const lines = event.split("\n");
  if (!lines.includes("event: state")) return;
  const data = lines.filter((line) => line.startsWith("data: ")).map((line) => line.slice(6));
  show(JSON.parse(data.join("\n")));
}

// What is sent goes one after another: the lines of an MRZ have an order.
let last = Promise.resolve(true);

export function send(input) {
  const body = JSON.stringify(input);
  const headers = { "Content-Type": "application/json" };
  const post = () => ask("/input", { method: "POST", headers, body, signal: AbortSignal.timeout(PATIENCE) });
  last = last.then(post).then((answer) => answer.ok, () => false);
  return last;
}

// The picture with this number, or nothing where it has gone.
export async function portrait(number) {
  try {
    const answer = await ask(`/portrait/${number}`);
    return answer.ok ? await createImageBitmap(await answer.blob()) : null;
  } catch {
    return null;
  }
}
