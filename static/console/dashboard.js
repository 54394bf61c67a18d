// Looks again every few seconds at what the dashboard shows. It waits while the tab is hidden
// and keeps what is open, scrolled and focused. When no answer comes, the page says so.
const box = document.querySelector("[data-dashboard]");
const stale = document.querySelector("[data-stale]");
const signedOut = document.querySelector("[data-signed-out]");
let looking = false;

const name = (each) => each && (each.id || each.getAttribute("href"));
const named = (label) => [...box.querySelectorAll("a, summary, [tabindex]")].find((each) => name(each) === label);

const replace = (fresh) => {
  const focused = box.contains(document.activeElement) && name(document.activeElement);
  const open = [...box.querySelectorAll("details[open] > summary")].map(name);
  const scrolled = [...box.querySelectorAll(".mg-scroll")].map((each) => [each.id, each.scrollLeft]);
  box.innerHTML = fresh;
  for (const label of open) named(label)?.parentElement.setAttribute("open", "");
  for (const [id, left] of scrolled) { const each = document.getElementById(id); if (each) each.scrollLeft = left; }
  if (focused) named(focused)?.focus({ preventScroll: true });
  document.dispatchEvent(new CustomEvent("mg:fresh"));
};

const look = async () => {
  if (document.hidden || looking) return;
  looking = true;
  try {
    const answer = await fetch(box.dataset.dashboard, { credentials: "same-origin", redirect: "manual" });
    signedOut.hidden = answer.ok || !(answer.type === "opaqueredirect" || answer.status === 403);
    stale.hidden = answer.ok || !signedOut.hidden;
    if (answer.ok) replace(await answer.text());
  } catch {
    stale.hidden = false;
  } finally {
    looking = false;
  }
};

if (box?.dataset.dashboard) {
  setInterval(look, 1000 * Number(box.dataset.seconds));
  document.addEventListener("visibilitychange", look);
  if ("atOnce" in box.dataset) look();
}
