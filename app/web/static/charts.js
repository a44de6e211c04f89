// Draws the charts of a page: every <figure class="chart" data-spec="…"> when it is scrolled near.
// Without this script, or where drawing fails, the picture in <noscript> says the same.

const dark = matchMedia("(prefers-color-scheme: dark)");
const bundle = document.querySelector('meta[name="vega"]')?.content;
const drawn = new Map();
const turns = new WeakMap();
const NARROW = 480;

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

// vega-embed's own tooltip puts a <style> into the page; this one sets text and classes alone.
function tooltipOf(figure) {
  const box = document.createElement("div");
  box.className = "chart-tip";
  box.hidden = true;
  figure.append(box);
  return (_, event, item, value) => {
    box.hidden = value === null || value === undefined || value === "";
    if (box.hidden) return;
    box.replaceChildren(...rowsOf(value));
    const frame = figure.getBoundingClientRect();
    const left = Math.min(event.clientX - frame.left + 12, frame.width - box.offsetWidth - 4);
    box.style.left = `${Math.max(0, left)}px`;
    box.style.top = `${event.clientY - frame.top + 12}px`;
  };
}

function rowsOf(value) {
  if (typeof value !== "object") return [line("div", String(value))];
  return Object.entries(value).map(([name, said]) => {
    const row = line("div", "");
    row.append(line("span", name), line("b", String(said)));
    return row;
  });
}

function line(tag, text) {
  const element = document.createElement(tag);
  element.textContent = text;
  return element;
}

// What a chart finds is its name; its marks, hundreds of them, are not read out one by one.
function told(figure, spec, place) {
  const finding = [spec.title?.text ?? []].flat().join(" ");
  if (finding) figure.setAttribute("aria-label", finding);
  place.setAttribute("aria-hidden", "true");
}

// The numbers that hovering shows, as tables: made when they are first asked for.
function numbersOf(spec) {
  const box = document.createElement("details");
  box.className = "chart-table";
  box.append(line("summary", "Show as table"));
  const tables = tablesOf(spec);
  box.addEventListener("toggle", () => box.append(...tables.map(tableElement)), { once: true });
  return tables.length ? box : "";
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

// Of drawings that overlap, the one begun last stays.
async function draw(figure) {
  const turn = (turns.get(figure) ?? 0) + 1;
  turns.set(figure, turn);
  const wanted = look();
  const { embed } = await import(bundle);
  const answer = await fetch(inTheme(figure.dataset.spec), { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(`the chart's specification answered ${answer.status}`);
  const spec = await answer.json();
  if (turns.get(figure) !== turn) return;
  if (wanted !== look()) return draw(figure);
  const place = document.createElement("div");
  place.className = "chart-drawing";
  drawn.get(figure)?.finalize();
  figure.querySelectorAll(".chart-drawing, .chart-table, .chart-tip, .chart-picture").forEach((old) => old.remove());
  figure.prepend(place);
  const options = {
    mode: "vega-lite", renderer: "svg", ast: true, actions: false, defaultStyle: false, tooltip: tooltipOf(figure),
  };
  const view = await embed(place, spec, options);
  if (turns.get(figure) !== turn) return view.finalize();
  drawn.set(figure, view);
  told(figure, spec, place);
  place.after(numbersOf(spec));
  figure.classList.remove("chart-waiting");
  figure.classList.add("chart-drawn");
  figure.dataset.look = wanted;
  if (wanted !== look()) draw(figure);
}

function showPicture(figure) {
  figure.querySelectorAll(".chart-drawing, .chart-picture").forEach((old) => old.remove());
  const picture = document.createElement("img");
  picture.className = "chart-picture";
  picture.alt = figure.dataset.alt ?? figure.getAttribute("aria-label") ?? "";
  const url = inTheme(figure.dataset.spec);
  url.pathname = url.pathname.replace(/\.json$/, ".svg");
  picture.src = url;
  figure.prepend(picture);
}

function drawSafely(figure) {
  draw(figure).catch((error) => {
    console.warn(error);
    showPicture(figure);
  });
}

const near = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    near.unobserve(entry.target);
    drawSafely(entry.target);
  }
}, { rootMargin: "300px" });

export function watch(root) {
  for (const [figure, view] of drawn) {
    if (figure.isConnected) continue;
    view.finalize();
    drawn.delete(figure);
  }
  root.querySelectorAll("figure.chart[data-spec]").forEach((figure) => near.observe(figure));
}

export function redraw(figure) {
  if (drawn.has(figure)) drawSafely(figure);
}

function follow() {
  drawn.forEach((_, figure) => {
    if (figure.dataset.look !== look()) redraw(figure);
  });
}

dark.addEventListener("change", follow);
matchMedia(`(min-width: ${NARROW}px)`).addEventListener("change", follow);
watch(document);
