// Follows a simulation while it is played, and shows its result when it has ended. Without this script, load the page again.

import { follow } from "./live.js";

const simulation = document.getElementById("simulation");
const said = document.getElementById("simulation-said");

async function load() {
  const answer = await fetch(simulation.dataset.page);
  if (answer.redirected || !answer.ok) return;
  const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (parsed.getElementById("simulation-finding").dataset.ended === "true") return location.reload();
  simulation.replaceChildren(...parsed.body.childNodes);
  said.textContent = document.getElementById("simulation-finding").textContent;
}

follow(simulation.dataset.mark, simulation.dataset.seen, load);
