// Looks again at what changes by itself: data-refresh is where, data-seconds how often.
// Stops while the page is hidden, and while somebody types into it.
for (const box of document.querySelectorAll("[data-refresh]")) {
  const look = async () => {
    if (document.hidden || box.contains(document.activeElement) && document.activeElement.matches("input, textarea, select, button")) return;
    try {
      const answer = await fetch(new URL(box.dataset.refresh, location.href), { credentials: "same-origin" });
      if (!answer.ok) return;
      const fresh = await answer.text();
      if (fresh === box.dataset.last) return;
      box.dataset.last = fresh;
      const open = [...box.querySelectorAll("details")].map((each) => each.open);
      const scrolled = [...box.querySelectorAll(".mg-scroll")].map((each) => each.scrollLeft);
      box.innerHTML = fresh;
      box.querySelectorAll("details").forEach((each, n) => { each.open = open[n] || false; });
      box.querySelectorAll(".mg-scroll").forEach((each, n) => { each.scrollLeft = scrolled[n] || 0; });
      document.dispatchEvent(new CustomEvent("mg:fresh"));
    } catch {
      // The next look may reach the server again.
    }
  };
  setInterval(look, 1000 * Number(box.dataset.seconds || 5));
}
