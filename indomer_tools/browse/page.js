// Of the page of all clips, which works without it.
const form = document.querySelector("form");
form.addEventListener("submit", () => {
  // What is open needs no place in the address.
  for (const field of form.elements) if (field.name && !field.value) field.disabled = true;
});
form.addEventListener("change", () => form.requestSubmit());
// Fields that were left out of the address are there again when one goes back to the page.
window.addEventListener("pageshow", () => {
  for (const field of form.elements) field.disabled = false;
});
const wide = matchMedia("(min-width: 861px)");
const open = () => { if (wide.matches) form.querySelector("details").open = true; };
wide.addEventListener("change", open);
open();
document.querySelector(".list [aria-current]")?.scrollIntoView({block: "nearest"});
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, select, textarea, video, audio, .plot")) return;
  const rel = {ArrowRight: "next", j: "next", ArrowLeft: "prev", k: "prev"}[event.key];
  const link = rel && document.querySelector(`a[rel=${rel}]`);
  if (link) { event.preventDefault(); link.click(); }
  if (event.key === "/") { event.preventDefault(); form.q.focus(); }
});
