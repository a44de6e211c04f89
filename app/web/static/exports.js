// Says that the report or the workbook is being made, for how long, and why there is none. Without this script its link
// saves the same in silence.

const said = document.getElementById("export-said");
const NAME = /filename="([^"]+)"/;

async function make(link) {
  const began = Date.now();
  const tell = () => {
    said.textContent = `Being made, ${Math.round((Date.now() - began) / 1000)} s so far…`;
  };
  const clock = setInterval(tell, 1000);
  link.setAttribute("aria-busy", "true");
  said.className = "alert";
  tell();
  try {
    const answer = await fetch(link.href);
    if (!answer.ok || answer.redirected) throw new Error(`the service answered ${answer.status}`);
    const saved = document.createElement("a");
    saved.href = URL.createObjectURL(await answer.blob());
    saved.download = NAME.exec(answer.headers.get("content-disposition") ?? "")?.[1] ?? "";
    saved.click();
    URL.revokeObjectURL(saved.href);
    said.textContent = "It is saved.";
  } catch (error) {
    said.textContent = `There is none now: ${error.message}. Try again a little later.`;
    said.className = "alert bad";
  } finally {
    clearInterval(clock);
    link.removeAttribute("aria-busy");
  }
}

for (const link of document.querySelectorAll("a[data-made]")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    if (!link.hasAttribute("aria-busy")) make(link);
  });
}
