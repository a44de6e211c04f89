// Puts what hindsight says of each round into the timeline, once it is computed. Without this script a link leads to it.

const places = document.querySelectorAll("[data-hindsight]");

async function look() {
  const answer = await fetch(places[0].dataset.page);
  if (answer.redirected || !answer.ok) return;
  const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const place of places) {
    const said = parsed.querySelector(`[data-hindsight="${place.dataset.hindsight}"]`);
    if (said) place.prepend(said.textContent, " ");
  }
}

if (places.length) look();
