// A form with data-live answers in place: what it asks for is fetched, and the named part of the page is replaced.
for (const form of document.querySelectorAll("form[data-live]")) {
  let last = 0;
  const ask = async () => {
    const mine = ++last, there = document.querySelector(form.dataset.live);
    const address = form.getAttribute("action") + "?" + new URLSearchParams(new FormData(form));
    there.classList.add("waits");
    const answer = await fetch(address, {headers: {accept: "text/html"}});
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (mine !== last) return;
    const found = page.querySelector(form.dataset.live);
    if (!found) { location = address; return; }
    const [shown, drawn] = [document, page].map((each) => each.querySelector("#whatif > svg"));
    if (shown && drawn) shown.replaceWith(drawn);
    there.replaceWith(found);
    history.replaceState(null, "", address);
  };
  for (const slider of form.querySelectorAll("[data-shows]")) {
    const field = form.elements[slider.dataset.shows];
    slider.addEventListener("input", () => { field.value = slider.value; });
    slider.addEventListener("change", ask);
    field.addEventListener("change", () => { slider.value = field.value; });
  }
  form.addEventListener("submit", (event) => { event.preventDefault(); ask(); });
}
// A text search that has not filled its page goes on by itself, and adds what it finds.
const goOn = async () => {
  const link = document.querySelector("a[data-goes-on]");
  if (!link) return;
  const answer = await fetch(link.href, {headers: {accept: "text/html"}});
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const found = page.querySelector("#searched");
  if (!found) { location = link.href; return; }
  const rows = "#found tr:has(td)", table = document.querySelector("#found tbody");
  table.append(...page.querySelectorAll(rows));
  const next = found.querySelector("a");
  if (next && document.querySelectorAll(rows).length >= Number(link.dataset.goesOn)) delete next.dataset.goesOn;
  const none = document.querySelector("#found > .muted:empty");
  if (none && !next && !table.querySelector("td")) none.textContent = "No document.";
  document.querySelector("#searched").replaceWith(found);
  goOn();
};
goOn();
