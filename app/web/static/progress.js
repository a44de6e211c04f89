// Loads the round's tables anew when something came. Without this script, load the page again.

import { redraw } from "./charts.js";
import { follow } from "./live.js";

const round = document.getElementById("round");
const said = document.getElementById("round-said");

async function load() {
  const answer = await fetch(round.dataset.page);
  if (answer.redirected || !answer.ok) return;
  const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
  round.replaceChildren(...parsed.body.childNodes);
  const finding = document.getElementById("round-finding");
  // Another state has other buttons, and a proposal's button names its cost: then the whole page is loaded anew.
  if (finding.dataset.state !== round.dataset.state || round.dataset.state === "proposed") return location.reload();
  // New words ask for new forms; who is filling one in is not disturbed.
  const typing = document.activeElement?.closest("main form") !== null;
  if (finding.dataset.words !== round.dataset.words && !typing) return location.reload();
  said.textContent = finding.textContent;
  document.querySelectorAll("figure.chart[data-spec]").forEach(redraw);
  // What is seen now is what the buttons act on.
  for (const field of document.querySelectorAll("input[name=tag]")) field.value = finding.dataset.tag;
}

follow(round.dataset.mark, document.getElementById("round-finding").dataset.tag, load);
