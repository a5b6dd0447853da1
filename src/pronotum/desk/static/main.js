// Which page is shown, and what all pages know of the project.

import { complain, get } from "./api.js";
import { banner, h } from "./dom.js";
import files from "./pages/files.js";
import scheme from "./pages/scheme.js";
import specimen from "./pages/specimen.js";
import specimens from "./pages/specimens.js";
import training from "./pages/training.js";

const PAGES = { specimens, specimen, scheme, training, files };
const content = document.getElementById("content");
let leave = () => {};
let turn = 0;

/** What every page may ask for: the project as it was last told, and a way to have it told again. */
const desk = {
  project: null,
  async refresh() {
    desk.project = await get("/api/project");
    document.getElementById("project").textContent = desk.project.name;
    if (desk.project.trouble) banner(desk.project.trouble);
    return desk.project;
  },
};

async function show() {
  const mine = ++turn;
  const [, name = "specimens", ...rest] = location.hash.split("/");
  const page = PAGES[name] ?? specimens;
  leave();
  leave = () => {};
  banner("");
  for (const anchor of document.querySelectorAll("#nav a")) {
    const here = anchor.getAttribute("href") === `#/${name === "specimen" ? "specimens" : name}`;
    anchor.toggleAttribute("aria-current", here);
    if (here) anchor.setAttribute("aria-current", "page");
  }
  document.body.dataset.page = name;
  try {
    await desk.refresh();
    if (mine !== turn) return;
    const place = h("div", { class: "page" });
    content.replaceChildren(place);
    const bye = await page(place, desk, decodeURIComponent(rest.join("/")));
    if (mine !== turn) {
      bye?.();
      return;
    }
    leave = bye ?? leave;
    document.title = `${place.querySelector("h1")?.textContent ?? desk.project.name} · pronotum desk`;
    content.focus({ preventScroll: true });
  } catch (error) {
    content.replaceChildren(
      h("div", { class: "empty" }, h("h1", {}, "This did not work"), h("p", {}, error.message), h("a", { class: "button", href: "#/specimens" }, "To the specimens")),
    );
    complain(error);
  }
}

addEventListener("hashchange", show);
show();
