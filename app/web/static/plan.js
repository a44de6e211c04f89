// Plans again while the budget moves: the same page's fragment, the newest question alone.
// Without this script the form is sent by its button and says the same.

import { watch } from "./charts.js";

const form = document.getElementById("plan-form");
const plan = document.getElementById("plan");
const said = document.getElementById("plan-said");
const budget = document.getElementById("budget");
const slider = document.getElementById("slider");
const PAUSE = 150;
let timer = 0;
let running = null;

async function ask() {
  running?.abort();
  const mine = new AbortController();
  running = mine;
  const query = new URLSearchParams(new FormData(form));
  plan.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(`${form.action}?${query}&fragment=true`, { signal: mine.signal });
    if (answer.redirected) return location.reload();
    if (!(answer.headers.get("content-type") ?? "").startsWith("text/html")) throw new Error("not a page");
    const text = await answer.text();
    if (mine.signal.aborted) return;
    const parsed = new DOMParser().parseFromString(text, "text/html");
    plan.replaceChildren(...parsed.body.childNodes);
    watch(plan);
    history.replaceState(null, "", `${form.action}?${query}`);
    said.textContent = plan.querySelector(".lead")?.textContent ?? "There is no plan for this.";
    said.className = "spoken";
  } catch (error) {
    if (error.name === "AbortError") return;
    said.textContent = "The service did not answer. Use the button to plan again.";
    said.className = "alert bad";
  } finally {
    if (running === mine) plan.setAttribute("aria-busy", "false");
  }
}

function soon() {
  clearTimeout(timer);
  timer = setTimeout(ask, PAUSE);
}

document.getElementById("slider-field").hidden = false;
slider.addEventListener("input", () => {
  budget.value = slider.value;
  soon();
});
budget.addEventListener("input", () => {
  if (budget.value !== "" && budget.validity.valid) slider.value = budget.value;
  soon();
});
form.addEventListener("change", (event) => {
  if (event.target.tagName === "SELECT") soon();
});
