// Keeps Unfold's scripts within a policy that forbids inline styles. Loaded before they start.
// htmx would add a style element of its own.
htmx.config.includeIndicatorStyles = false;
// Alpine writes a text into the style attribute, but sets an object's properties one by one.
document.addEventListener("alpine:init", () => {
  document.getElementById("changelist-actions")?.setAttribute("x-bind:style", "{ width: `${changeListWidth}px` }");
});
