// Which landmarks, which mirror each other, and where to look them up.

import { complain, encoded, get, post } from "../api.js";
import { count, h, say } from "../dom.js";

export default async function page(place, desk) {
  const { specimens } = await get("/api/specimens");
  const { scheme, fixed } = desk.project;
  const partner = scheme.names.map(() => "");
  for (const [a, b] of scheme.pairs) [partner[a], partner[b]] = [String(b), String(a)];
  for (const k of scheme.midline) partner[k] = "midline";
  const rows = scheme.names.map((name, k) => ({ name, partner: partner[k], old: true }));
  const body = h("tbody");
  const error = h("p", { class: "error", role: "alert" });

  function mirrors(row, k) {
    const options = [["", "none"], ["midline", "itself (on the midline)"], ...rows.map((other, i) => [String(i), other.name || `landmark ${i + 1}`]).filter((_, i) => i !== k)];
    const select = h("select", { "aria-label": `Mirror image of landmark ${k + 1}`, onchange: () => {
      const other = rows[Number(row.partner)];
      if (row.partner !== "" && row.partner !== "midline" && other) other.partner = "";
      row.partner = select.value;
      if (select.value !== "" && select.value !== "midline") {
        for (const one of rows) if (one !== row && one.partner === String(select.value)) one.partner = "";
        rows[Number(select.value)].partner = String(k);
      }
      draw();
      body.querySelectorAll("select")[k].focus();
    } }, options.map(([value, words]) => h("option", { value, selected: value === row.partner }, words)));
    return select;
  }

  /** Where it is typed and where it is offered; nothing is drawn anew, so that the focus stays. */
  function rename(row, k, name) {
    row.name = name;
    for (const option of body.querySelectorAll(`option[value="${k}"]`)) option.textContent = name || `landmark ${k + 1}`;
  }

  function draw() {
    body.replaceChildren(
      ...rows.map((row, k) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, String(k + 1)),
          h("td", {}, h("input", { type: "text", value: row.name, maxlength: "80", "aria-label": `Name of landmark ${k + 1}`, oninput: (event) => rename(row, k, event.target.value), onkeydown: (event) => {
            if (event.key !== "Enter") return;
            event.preventDefault();
            if (k === rows.length - 1) add();
            else body.querySelectorAll("input")[k + 1].focus();
          } })),
          h("td", {}, mirrors(row, k)),
          h("td", {}, fixed && row.old ? "" : h("button", { type: "button", "aria-label": `Remove landmark ${k + 1}`, onclick: () => remove(k) }, "Remove")),
        ),
      ),
    );
    empty.hidden = rows.length > 0;
    table.hidden = !rows.length;
  }

  function add(name = "") {
    rows.push({ name: name || String(rows.length + 1), partner: "" });
    draw();
    const last = body.querySelectorAll("input")[rows.length - 1];
    last.focus();
    last.select();
  }

  function remove(k) {
    rows.splice(k, 1);
    for (const row of rows) {
      const i = Number(row.partner);
      if (row.partner === "" || row.partner === "midline") continue;
      row.partner = i === k ? "" : String(i > k ? i - 1 : i);
    }
    draw();
  }

  const many = h("input", { type: "number", min: "1", max: "500", value: "8", id: "many" });
  const empty = h(
    "div",
    { class: "empty" },
    h("p", {}, "A landmark is a point that you find again on every specimen. Their order is the order of clicking, and of the TPS file."),
    h("div", { class: "row" }, h("label", { for: "many" }, "How many landmarks?"), many, h("button", { type: "button", class: "primary", onclick: () => {
      for (let k = 0; k < Math.min(500, Math.max(1, Number(many.value) || 1)); k += 1) rows.push({ name: String(k + 1), partner: "" });
      draw();
      body.querySelector("input").focus();
    } }, "Begin")),
  );
  const table = h("table", { class: "scheme" }, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "No."), h("th", { scope: "col" }, "Name"), h("th", { scope: "col" }, "Mirror image"), h("th", {}, h("span", { class: "visually-hidden" }, "Remove")))), body);
  const mirror = h("input", { type: "checkbox", id: "mirror", checked: scheme.mirror });
  const figure = h("img", { class: "reference", alt: "The reference photograph", hidden: true });
  const reference = h("select", { id: "reference", onchange: picture }, h("option", { value: "" }, "none"), specimens.map((one) => h("option", { value: one.key, selected: one.key === scheme.reference }, `${one.key}${one.status === "accepted" ? "" : " (not accepted yet)"}`)));
  function picture() {
    figure.hidden = !reference.value;
    if (reference.value) figure.src = `/api/small/overview/${encoded(reference.value)}`;
  }

  async function save(event) {
    event.preventDefault();
    const pairs = rows.flatMap((row, k) => (row.partner !== "" && row.partner !== "midline" && k < Number(row.partner) ? [[k, Number(row.partner)]] : []));
    const midline = rows.flatMap((row, k) => (row.partner === "midline" ? [k] : []));
    error.textContent = "";
    try {
      if (!rows.length) throw new Error("Say first how many landmarks there are.");
      desk.project = await post("/api/scheme", { names: rows.map((row) => row.name), pairs, midline, mirror: mirror.checked, reference: reference.value });
      for (const row of rows) row.old = true;
      say("Saved in scheme.toml");
      done.hidden = false;
      draw();
    } catch (failed) {
      error.textContent = failed.message;
      if (!failed.status) complain(failed);
    }
  }
  const done = h("a", { class: "button", href: "#/specimens", hidden: !scheme.declared }, "Place landmarks");
  place.append(
    h("h1", {}, "Scheme"),
    h("p", { class: "hint" }, fixed ? "Specimens have landmarks already: you can rename them, pair them and add more at the end. Added ones wait to be placed on every specimen." : "Name your landmarks in the order in which you click them."),
    scheme.curves.length ? h("p", { class: "hint" }, `${count(scheme.curves.length, "curve")} (${scheme.curves.join(", ")}) of scheme.toml are kept; digitise them in tpsDig.`) : "",
    h(
      "form",
      { class: "scheme", onsubmit: save },
      h("div", { class: "columns" }, h("div", {}, empty, h("div", { class: "scroll" }, table), h("button", { type: "button", onclick: () => add() }, "Add a landmark")), h("fieldset", {}, h("legend", {}, "Reference picture"), h("p", { class: "hint" }, "Shown beside the photograph while you place landmarks. Best is a specimen on which they are placed."), h("label", { for: "reference" }, "Specimen"), reference, figure, h("label", { class: "check", for: "mirror" }, mirror, "A mirrored specimen could exist too: learn from mirrored photographs as well (every landmark needs its mirror image)"))),
      error,
      h("div", { class: "actions start" }, h("button", { class: "primary" }, "Save the scheme"), done),
    ),
  );
  draw();
  picture();
}
