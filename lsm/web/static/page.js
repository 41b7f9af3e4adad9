// Fetching a page and putting parts of it into this one. The browser parses it as a document of
// its own, in which nothing runs; what is taken over are its nodes. No text ever becomes markup.

export function load(address, signal, body) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(body ? "POST" : "GET", address);
    if (body) request.setRequestHeader("content-type", "application/json");
    request.responseType = "document";
    request.onload = () => {
      if (request.status === 401) location.reload(); // the key has run out: the page says what to do
      else if (request.response) resolve(request.response);
      else reject(new Error("no answer"));
    };
    request.onerror = () => reject(new Error("The server does not answer; is lsm serve running?"));
    request.onabort = () => reject(new DOMException("", "AbortError"));
    signal?.addEventListener("abort", () => request.abort());
    request.send(body ? JSON.stringify(body) : null);
  });
}

export function take(page, selector) {
  const fresh = page.querySelector(selector);
  const old = document.querySelector(selector);
  if (!fresh || !old) return false;
  old.replaceWith(document.adoptNode(fresh));
  return true;
}

export async function refresh(selector) {
  const page = await load(location.href);
  if (!take(page, selector)) location.reload();
}

let quiet;
export function say(text, { quietly = false } = {}) {
  const place = document.getElementById("said");
  place.className = quietly ? "quietly" : "";
  place.textContent = text;
  clearTimeout(quiet);
  quiet = setTimeout(() => (place.textContent = ""), quietly ? 2000 : 6000);
}
