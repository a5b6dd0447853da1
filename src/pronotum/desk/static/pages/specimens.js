// All specimens, those to review first, and what to do next.

import { encoded, get } from "../api.js";
import { badge, count, h, link, say, STATUS } from "../dom.js";

const SHOWN = 60;

export default async function page(place, desk) {
  const { specimens, queue } = await get("/api/specimens");
  const project = desk.project;
  const byKey = new Map(specimens.map((one) => [one.key, one]));
  sessionStorage.setItem("queue", JSON.stringify(queue));
  place.append(h("h1", {}, "Specimens"), progress(project, specimens.length));
  say("");
  if (!specimens.length) {
    place.append(
      h("section", { class: "empty" }, h("h2", {}, "No photographs yet"), h("p", {}, "Drop JPEG, PNG or TIFF photographs of your specimens into the project; a landmark file, of whatever program, is welcome too."), h("a", { class: "button primary", href: "#/files" }, "Add photographs")),
    );
    return;
  }
  if (!project.scheme.names.length) {
    place.append(
      h("section", { class: "empty" }, h("h2", {}, "Which landmarks?"), h("p", {}, `${count(specimens.length, "photograph")} found. Say which landmarks you want on them, and in what order.`), h("a", { class: "button primary", href: "#/scheme" }, "Define the scheme")),
    );
  } else {
    place.append(next(project, queue, byKey));
  }
  place.append(...list(specimens, project));
}

function progress(project, total) {
  const { accepted, begun } = project.counts;
  const share = total ? (100 * accepted) / total : 0;
  return h(
    "div",
    { class: "progress" },
    h("progress", { max: "100", value: String(share), "aria-label": "Accepted specimens" }),
    h("p", {}, h("strong", {}, `${accepted} of ${total} accepted`), begun ? `, ${begun} begun` : "", project.training === "running" ? " · training is running" : ""),
    project.since >= project.settings.corrections && project.training !== "running" ? h("a", { class: "button primary", href: "#/training" }, `Train on ${count(project.since, "new specimen")}`) : "",
  );
}

function next(project, queue, byKey) {
  if (!queue.length) {
    return h("section", { class: "empty done" }, h("h2", {}, "All specimens are accepted"), h("p", {}, "Let the doctor look for label errors, or take the landmarks with you."), h("a", { class: "button primary", href: "#/files" }, "Check and download"));
  }
  const model = Boolean(project.predictions);
  return h(
    "section",
    { "aria-labelledby": "next" },
    h("div", { class: "row" }, h("h2", { id: "next" }, model ? `Review ${queue.length === 1 ? "this one" : `these ${queue.length}`} first` : `Begin with ${queue.length === 1 ? "this one" : `these ${queue.length}`}`), h("a", { class: "button primary", href: link(queue[0].key) }, model ? "Start reviewing" : "Start placing landmarks")),
    h("p", { class: "hint" }, model ? "The model is least sure of these, and they differ most from each other and from what you have accepted. Those marked ⚄ are drawn at random: only they show how good the model is on all." : "Drawn at random, so that the first model sees all kinds. It can learn from three accepted specimens; ten or more are better."),
    h("ol", { class: "cards" }, queue.map((place, number) => card(byKey.get(place.key), place, number + 1))),
  );
}

function card(one, place = null, number = 0) {
  return h(
    "li",
    {},
    h(
      "a",
      { class: "card", href: link(one.key) },
      h("img", { src: `/api/small/thumbnail/${encoded(one.key)}`, alt: "", loading: "lazy", decoding: "async" }),
      h("span", { class: "name" }, number ? h("b", {}, `${number}. `) : "", one.key),
      place ? h("span", { class: `why ${place.random ? "random" : ""}` }, place.random ? h("span", { "aria-hidden": "true" }, "⚄ ") : "", place.why) : "",
      h("span", { class: "foot" }, badge(one.status), one.missing ? ` ${one.missing} missing` : "", !place && one.flags.length ? h("span", { class: "flag" }, ` ⚑ ${one.flags.join("; ")}`) : ""),
    ),
  );
}

function list(specimens, project) {
  let [filter, words, shown] = ["all", "", SHOWN];
  const grid = h("ol", { class: "cards" });
  const more = h("button", { onclick: () => ((shown += SHOWN), fill()) }, "Show more");
  const none = h("p", { class: "hint" }, "No specimen is like that.");
  const search = h("input", { type: "search", id: "search", placeholder: "part of a name", oninput: () => ((words = search.value.toLowerCase()), (shown = SHOWN), fill()) });
  const choices = ["all", ...Object.keys(STATUS)].map((name) =>
    h("button", { class: "choice", "aria-pressed": String(name === filter), onclick: (event) => {
      filter = name;
      shown = SHOWN;
      for (const button of event.target.parentElement.children) button.setAttribute("aria-pressed", String(button === event.target));
      fill();
    } }, name === "all" ? `all ${specimens.length}` : `${STATUS[name][1]} ${project.counts[name]}`),
  );
  function fill() {
    const found = specimens.filter((one) => (filter === "all" || one.status === filter) && one.key.toLowerCase().includes(words));
    grid.replaceChildren(...found.slice(0, shown).map((one) => card(one)));
    more.hidden = found.length <= shown;
    none.hidden = found.length > 0;
  }
  fill();
  return [
    h("section", { "aria-labelledby": "every" }, h("div", { class: "row" }, h("h2", { id: "every" }, "Every specimen"), h("label", { for: "search", class: "visually-hidden" }, "Search by name"), search), h("div", { class: "choices", role: "group", "aria-label": "Show" }, choices), grid, none, more),
  ];
}
