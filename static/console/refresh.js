// Looks again at what changes by itself: data-refresh is where, data-seconds how often.
// Stops while the page is hidden and while somebody types into it; keeps what is open,
// scrolled and focused.
const name = (each) => each && (each.id || each.getAttribute("href"));

const refreshed = (box) => {
  const named = (label) => [...box.querySelectorAll("a, summary, [tabindex]")].find((each) => name(each) === label);
  const replace = (fresh) => {
    const focused = box.contains(document.activeElement) && name(document.activeElement);
    const open = [...box.querySelectorAll("details")].map((each) => each.open);
    const scrolled = [...box.querySelectorAll(".mg-scroll")].map((each) => each.scrollLeft);
    box.innerHTML = fresh;
    box.querySelectorAll("details").forEach((each, n) => { each.open = open[n] || false; });
    box.querySelectorAll(".mg-scroll").forEach((each, n) => { each.scrollLeft = scrolled[n] || 0; });
    if (focused) named(focused)?.focus({ preventScroll: true });
    document.dispatchEvent(new CustomEvent("mg:fresh"));
  };
  let last = "";
  return async () => {
    const typing = box.contains(document.activeElement) && document.activeElement.matches("input, textarea, select, button");
    if (document.hidden || typing) return;
    try {
      // A redirect leads to the login page, which must not be put into this one.
      const answer = await fetch(new URL(box.dataset.refresh, location.href), { credentials: "same-origin", redirect: "manual" });
      if (!answer.ok) return;
      const fresh = await answer.text();
      if (fresh !== last) replace(last = fresh);
    } catch {
      // The next look may reach the server again.
    }
  };
};

for (const box of document.querySelectorAll("[data-refresh]")) {
  setInterval(refreshed(box), 1000 * Number(box.dataset.seconds || 5));
}
