// Asks for a page's mark while the page is looked at, and says when it is another: no connection is held, so that many
// tabs work, and a hidden one asks nothing.

const PAUSE = 2000;

export function follow(address, seen, changed) {
  let timer = 0;
  let asking = false;

  async function look() {
    clearTimeout(timer);
    if (document.hidden || asking) return;
    asking = true;
    try {
      const answer = await fetch(address);
      const mark = answer.ok && !answer.redirected ? await answer.text() : seen;
      if (mark !== seen) {
        seen = mark;
        await changed(mark);
      }
    } catch (error) {
      console.warn(error);
    } finally {
      asking = false;
    }
    timer = setTimeout(look, PAUSE);
  }

  document.addEventListener("visibilitychange", look);
  timer = setTimeout(look, PAUSE);
}
