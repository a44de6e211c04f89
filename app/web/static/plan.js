// Plans again while the budget moves: the same page's fragment, the newest question alone.
// Without this script the form is sent by its button and says the same.

import { watch } from "./charts.js";
import { follow } from "./live.js";

const form = document.getElementById("plan-form");
const plan = document.getElementById("plan");
const said = document.getElementById("plan-said");
const budget = document.getElementById("budget");
const slider = document.getElementById("slider");
const PAUSE = 150;
let timer = 0;
let running = null;

// What is on the screen is of another question: nothing of it can be sent until the new plan is there.
function busy() {
  plan.setAttribute("aria-busy", "true");
  for (const button of plan.querySelectorAll("button")) button.disabled = true;
  said.textContent = "Planning…";
  said.className = "planning";
}

async function ask() {
  running?.abort();
  const mine = new AbortController();
  running = mine;
  const query = new URLSearchParams(new FormData(form));
  busy();
  try {
    const answer = await fetch(`${form.action}?${query}&fragment=true`, { signal: mine.signal });
    if (answer.redirected) return location.reload();
    if (!(answer.headers.get("content-type") ?? "").startsWith("text/html")) throw new Error("not a page");
    const text = await answer.text();
    if (mine.signal.aborted) return;
    const parsed = new DOMParser().parseFromString(text, "text/html");
    plan.replaceChildren(...parsed.body.childNodes);
    watch(plan);
    renew();
    history.replaceState(null, "", `${form.action}?${query}`);
    said.textContent = plan.querySelector(".lead")?.textContent ?? "There is no plan for this.";
    said.className = "spoken";
  } catch (error) {
    if (error.name === "AbortError") return;
    said.textContent = "The service did not answer. Use the button to plan again.";
    said.className = "alert bad";
    for (const button of plan.querySelectorAll("button")) button.disabled = false;
  } finally {
    if (running === mine) plan.setAttribute("aria-busy", "false");
  }
}

// The plan of older data gives way to the new one when a job has made it.
function renew() {
  const old = document.getElementById("renewing");
  if (old) follow(old.dataset.mark, old.dataset.seen, () => old.isConnected && ask());
}

function soon() {
  busy();
  clearTimeout(timer);
  timer = setTimeout(ask, PAUSE);
}

document.getElementById("slider-field").hidden = false;
slider.addEventListener("input", () => {
  budget.value = slider.value;
  soon();
});
budget.addEventListener("input", () => {
  const amount = budget.value.replace(/,(?=\d{3}(\D|$))/g, "");
  if (amount !== "" && budget.validity.valid) slider.value = amount;
  soon();
});
form.addEventListener("change", (event) => {
  if (event.target.tagName === "SELECT") soon();
});
renew();
