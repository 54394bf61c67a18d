// Shows moments in the viewer's zone; the title keeps UTC.
const show = () => {
  for (const each of document.querySelectorAll("time[datetime]:not([data-local])")) {
    const at = new Date(each.dateTime);
    if (Number.isNaN(at.valueOf())) continue;
    each.textContent = at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
    each.dataset.local = "yes";
  }
};
if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", show); else show();
document.addEventListener("mg:fresh", show);
