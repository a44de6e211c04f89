// Shows the charts of a page: every <figure class="chart" data-spec="…"> when it is scrolled near. The service draws them;
// here they become part of the page, so that marks say their numbers under the pointer.
// Without this script the picture in <noscript> says the same.

const dark = matchMedia("(prefers-color-scheme: dark)");
const turns = new WeakMap();
const waiting = [];
let asking = 0;
const AT_ONCE = 2;
const TRIES = 4;
const NARROW = 480;
// After each row that a mark says: app/charts/render.py.
const ROW_END = "\u2028";

function isNarrow() {
  return document.documentElement.clientWidth < NARROW;
}

// What a drawing depends on beside its data.
function look() {
  return `${dark.matches ? "dark" : "light"} ${isNarrow() ? "narrow" : "wide"}`;
}

function inTheme(address) {
  const url = new URL(address, location.href);
  if (isNarrow()) url.searchParams.set("narrow", "true");
  if (!url.searchParams.has("theme")) url.searchParams.set("theme", dark.matches ? "dark" : "light");
  return url;
}

function drawingOf(figure) {
  const url = inTheme(figure.dataset.spec);
  url.pathname = url.pathname.replace(/\.json$/, ".svg");
  return url;
}

// A mark with numbers says them beside the pointer, as text.
function tell(figure, place) {
  const box = document.createElement("div");
  box.className = "chart-tip";
  box.hidden = true;
  figure.append(box);
  place.addEventListener("pointermove", (event) => {
    const said = event.target.closest("[aria-label]")?.getAttribute("aria-label") ?? "";
    box.hidden = !said.includes(ROW_END);
    if (box.hidden) return;
    box.replaceChildren(...said.split(ROW_END).filter(Boolean).map(rowOf));
    const frame = figure.getBoundingClientRect();
    const left = Math.min(event.clientX - frame.left + 12, frame.width - box.offsetWidth - 4);
    box.style.left = `${Math.max(0, left)}px`;
    box.style.top = `${event.clientY - frame.top + 12}px`;
  });
  place.addEventListener("pointerleave", () => { box.hidden = true; });
}

function rowOf(said) {
  const [, name, value] = said.match(/^(.*?): (.*)$/s) ?? [said, said, ""];
  const row = line("div", "");
  row.append(line("span", name), line("b", value));
  return row;
}

function line(tag, text) {
  const element = document.createElement(tag);
  element.textContent = text;
  return element;
}

// The numbers that marks say, as tables: asked for when they are first looked at.
function numbersOf(figure) {
  const box = document.createElement("details");
  box.className = "chart-table";
  box.append(line("summary", "Show as table"));
  box.addEventListener("toggle", async () => {
    const spec = await (await ask(inTheme(figure.dataset.spec))).json();
    box.append(...tablesOf(spec).map(tableElement));
  }, { once: true });
  return box;
}

// Rows of all views whose tooltips have the same columns make one table.
function tablesOf(spec, values = [], found = new Map()) {
  const rows = spec.data?.values ?? values;
  const columns = [spec.encoding?.tooltip ?? []].flat().filter((one) => rows.some((row) => one.field in row));
  if (columns.length > 1) {
    const name = columns.map((one) => one.title ?? one.field).join("|");
    if (!found.has(name)) found.set(name, { columns, rows: new Set() });
    rows.forEach((row) => found.get(name).rows.add(row));
  }
  for (const part of [spec.layer, spec.concat, spec.hconcat, spec.vconcat, spec.spec && [spec.spec]].flat()) {
    if (part) tablesOf(part, rows, found);
  }
  return [...found.values()];
}

function tableElement({ columns, rows }) {
  const frame = line("div", ""), table = document.createElement("table");
  frame.className = "scroll";
  frame.tabIndex = 0;
  table.createTHead().insertRow().append(...columns.map((one) => {
    const head = line("th", one.title ?? one.field);
    head.scope = "col";
    return head;
  }));
  const body = table.createTBody();
  rows.forEach((row) => body.insertRow().append(...columns.map((one) => line("td", textOf(row[one.field], one.format)))));
  frame.append(table);
  return frame;
}

function textOf(value, format = "") {
  if (typeof value !== "number") return String(value ?? "–");
  const share = format.endsWith("%") ? { style: "percent", maximumFractionDigits: 1 } : {};
  return value.toLocaleString("en", Number.isInteger(value) ? share : { maximumSignificantDigits: 5, ...share });
}

// What the service has no time for now is asked for again when it says so.
async function ask(url) {
  for (let tries = 1; ; tries++) {
    const answer = await fetch(url);
    if (answer.ok && !answer.redirected) return answer;
    if (![429, 503].includes(answer.status) || tries === TRIES) throw new Error(`the chart answered ${answer.status}`);
    const seconds = Number(answer.headers.get("retry-after")) || 1;
    await new Promise((go) => setTimeout(go, 1000 * seconds));
  }
}

// Of drawings that overlap, the one begun last stays.
async function draw(figure) {
  const turn = (turns.get(figure) ?? 0) + 1;
  turns.set(figure, turn);
  const wanted = look();
  const text = await (await ask(drawingOf(figure))).text();
  if (turns.get(figure) !== turn) return;
  if (wanted !== look()) return draw(figure);
  const drawing = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
  if (drawing.localName !== "svg") throw new Error("the chart is no drawing");
  const place = document.createElement("div");
  place.className = "chart-drawing";
  // What a chart finds is its name; its marks, hundreds of them, are not read out one by one.
  const finding = drawing.getAttribute("aria-label");
  if (finding) figure.setAttribute("aria-label", finding);
  place.setAttribute("aria-hidden", "true");
  place.append(document.importNode(drawing, true));
  figure.querySelectorAll(".chart-drawing, .chart-tip, .chart-table, .chart-failed").forEach((old) => old.remove());
  figure.prepend(place);
  place.after(numbersOf(figure));
  tell(figure, place);
  figure.classList.remove("chart-waiting");
  figure.classList.add("chart-drawn");
  figure.dataset.look = wanted;
}

async function drawSafely(figure) {
  try {
    await draw(figure);
  } catch (error) {
    console.warn(error);
    figure.classList.remove("chart-waiting");
    if (figure.querySelector(".chart-drawing, .chart-failed")) return;
    const said = line("p", "This chart could not be drawn now. ");
    said.className = "chart-failed muted";
    const again = line("button", "Try again");
    again.type = "button";
    again.addEventListener("click", () => { said.remove(); soon(figure); });
    said.append(again);
    figure.prepend(said);
  }
}

// Few at once: one visitor's charts leave the service time for others.
function soon(figure) {
  if (!waiting.includes(figure)) waiting.push(figure);
  next();
}

async function next() {
  if (asking >= AT_ONCE || !waiting.length) return;
  const figure = waiting.shift();
  if (!figure.isConnected) return next();
  asking += 1;
  await drawSafely(figure);
  asking -= 1;
  next();
}

const near = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    near.unobserve(entry.target);
    soon(entry.target);
  }
}, { rootMargin: "300px" });

export function watch(root) {
  root.querySelectorAll("figure.chart[data-spec]").forEach((figure) => near.observe(figure));
}

export function redraw(figure) {
  if (figure.classList.contains("chart-drawn")) soon(figure);
}

function follow() {
  document.querySelectorAll("figure.chart-drawn").forEach((figure) => {
    if (figure.dataset.look !== look()) redraw(figure);
  });
}

dark.addEventListener("change", follow);
matchMedia(`(min-width: ${NARROW}px)`).addEventListener("change", follow);
watch(document);
