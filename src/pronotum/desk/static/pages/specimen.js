// One specimen: its photograph with landmarks, and everything one can say of them.

import { complain, encoded, get, post, Refused } from "../api.js";
import { ask, badge, banner, h, link, say, when } from "../dom.js";
import { rounded, superimposed, View } from "../geometry.js";
import { Viewer } from "../viewer.js";

const KEYS = [
  ["Arrow keys", "move the selected landmark by 1 px; with Shift 10 px, with Alt 0.1 px"],
  ["Space", "place the selected landmark in the middle of the picture"],
  ["[ and ]", "previous and next landmark"],
  ["M", "mark as missing, or take that back"],
  ["Delete", "take back what you said of the landmark"],
  ["Enter", "accept, and go to the next specimen"],
  ["Ctrl Z, Ctrl Shift Z", "undo, redo"],
  ["Page Up, Page Down", "previous and next specimen"],
  ["+ and −", "zoom; 0 whole photograph, 1 actual size, Z close to the landmark"],
  ["W A S D", "move the picture"],
  ["N, C, G, P", "names, circles, mean shape, predictions"],
  ["Escape", "leave the ruler"],
];
const LAYERS = { names: "Names", radii: "90 % circles", ghost: "Mean shape", predictions: "Predictions" };

class Desk {
  constructor(place, desk, specimen, order) {
    Object.assign(this, { place, desk, specimen, order, queue: [], sending: null, selected: 0, ruler: null });
    this.scheme = desk.project.scheme;
    this.layers = { names: true, radii: true, ghost: false, predictions: true, ...JSON.parse(localStorage.getItem("layers") ?? "{}") };
    this.viewer = new Viewer({
      pick: (k) => this.select(k),
      drag: (k, point) => this.drag(k, point),
      drop: (k, point) => this.change({ what: "place", landmark: k, x: point[0], y: point[1] }),
      place: (point) => this.click(point),
      changed: (view) => this.showZoom(view),
    });
    this.build();
    this.selected = this.firstOpen() ?? 0;
    this.viewer.load(specimen);
    this.render();
    this.reveal();
    this.keys = (event) => this.key(event);
    document.addEventListener("keydown", this.keys);
    this.focused = () => this.look();
    addEventListener("focus", this.focused);
  }

  close() {
    document.removeEventListener("keydown", this.keys);
    removeEventListener("focus", this.focused);
    this.viewer.close();
    this.closed = true;
  }

  // What is known of each landmark

  get state() {
    return this.specimen.state;
  }

  predicted(k) {
    return this.specimen.prediction?.points[k] ?? null;
  }

  /** Where a landmark is shown: dragged, placed, or predicted; null = nowhere. */
  shown(k) {
    if (this.dragging?.k === k) return this.dragging.point;
    if (this.state.points[k]) return this.state.points[k];
    if (this.state.missing.includes(k) || this.state.accepted || !this.layers.predictions) return null;
    return this.predicted(k);
  }

  kind(k) {
    if (this.state.points[k]) return "placed";
    if (this.state.missing.includes(k)) return "missing";
    return this.predicted(k) && this.layers.predictions ? "predicted" : "open"; // what is not seen is not accepted
  }

  firstOpen(from = 0) {
    const n = this.scheme.names.length;
    for (let step = 0; step < n; step += 1) {
      const k = (from + step) % n;
      if (this.kind(k) === "open") return k;
    }
    return null;
  }

  // What a person does

  select(k) {
    const n = this.scheme.names.length;
    this.selected = ((k % n) + n) % n;
    this.render();
    this.reveal();
    if (document.activeElement?.matches(".landmark")) this.rows[this.selected]?.focus({ preventScroll: true });
  }

  /** Bring the row of the selected landmark before one's eyes. */
  reveal() {
    this.rows[this.selected]?.scrollIntoView({ block: "nearest" });
  }

  drag(k, point) {
    this.dragging = point ? { k, point } : null;
    this.render();
  }

  click(point) {
    if (this.ruler) {
      this.measure(point);
      return;
    }
    const k = this.selected;
    if (this.shown(k)) {
      say(`${this.scheme.names[k]} is placed already: drag it, or select another landmark`);
      return;
    }
    this.placeAt(point);
  }

  placeAt(point) {
    const k = this.selected;
    this.change({ what: "place", landmark: k, x: rounded(point[0]), y: rounded(point[1]) });
    const open = this.firstOpen(k + 1);
    if (open !== null) this.select(open);
  }

  nudge(dx, dy) {
    const point = this.shown(this.selected);
    if (!point) {
      say("Select a landmark that is placed, or press Space to place this one");
      return;
    }
    const [width, height] = this.specimen.size;
    const x = Math.min(Math.max(rounded(point[0] + dx), -0.5), width - 0.5);
    const y = Math.min(Math.max(rounded(point[1] + dy), -0.5), height - 0.5);
    this.change({ what: "place", landmark: this.selected, x, y });
  }

  missing() {
    const k = this.selected;
    const is = this.state.missing.includes(k);
    this.change({ what: is ? "clear" : "missing", landmark: k });
    if (!is) this.select(this.firstOpen(k + 1) ?? k + 1);
  }

  /** Show a change at once and send it after those before it. */
  change(edit) {
    this.dragging = null;
    const last = this.queue.at(-1);
    if (edit.what === "place" && last?.what === "place" && last.landmark === edit.landmark && !last.sent) Object.assign(last, edit);
    else this.queue.push({ ...edit });
    this.apply(edit);
    this.render();
    this.sending ??= this.send();
    return this.sending;
  }

  apply(edit) {
    const { points, missing } = this.state;
    const k = edit.landmark;
    if (["place", "missing", "clear"].includes(edit.what)) {
      points[k] = edit.what === "place" ? [edit.x, edit.y] : null;
      this.state.missing = missing.filter((one) => one !== k);
      if (edit.what === "missing") this.state.missing.push(k);
      if (edit.what === "clear") this.state.accepted = false;
    } else if (edit.what === "scale") this.state.scale = edit.scale;
    else if (edit.what === "reopen") this.state.accepted = false;
  }

  async send() {
    say("Saving …");
    let again = [];
    try {
      while (this.queue.length) {
        const edit = this.queue[0];
        edit.sent = true;
        const { sent, random, ...body } = edit;
        const answer = await post("/api/edit", { key: this.specimen.key, revision: this.specimen.revision, edit: body, random: Boolean(random) });
        this.queue.shift();
        this.take(answer);
      }
      banner("");
      say(`Saved in ${this.desk.project.file}`);
      await this.trouble();
      return true;
    } catch (error) {
      again = (await this.failed(error)) ?? [];
      return false;
    } finally {
      this.sending = null;
      for (const edit of again) this.change(edit);
    }
  }

  async trouble() {
    if (this.specimen.trouble) banner(this.specimen.trouble);
  }

  /** Say what is wrong; gives the changes that are to be made all the same. */
  async failed(error) {
    if (error instanceof Refused && error.status === 409) return this.conflict(error.body.specimen);
    if (error instanceof Refused && error.status !== 403) {
      this.queue = [];
      banner(error.message);
      say("Not saved");
      this.specimen = await get(`/api/specimen/${encoded(this.specimen.key)}`);
      this.render();
      return [];
    }
    for (const edit of this.queue) edit.sent = false;
    say("Not saved yet");
    banner(`${error.message} Your last change is kept in this window.`, h("button", { onclick: () => (this.sending ??= this.send()) }, "Try again"));
    return [];
  }

  take(answer) {
    this.specimen = answer;
    for (const edit of this.queue) this.apply(edit);
    if (!this.closed) this.render();
  }

  /** Another window was faster: nothing is overwritten before somebody has said so. Gives the changes to make again. */
  async conflict(theirs) {
    const mine = this.queue.map(({ sent, ...edit }) => edit);
    this.queue = [];
    this.specimen = theirs;
    this.render();
    say("Changed in another window");
    const named = (edit) => (edit.landmark === undefined ? edit.what : `${this.scheme.names[edit.landmark]}: ${edit.what}${edit.what === "place" ? ` at ${edit.x.toFixed(1)}, ${edit.y.toFixed(1)}` : ""}`);
    const answer = await ask(
      "This specimen was changed in another window",
      h(
        "div",
        {},
        h("p", {}, `Meanwhile ${theirs.by || "somebody"} changed it (${theirs.what || "new predictions"}, ${when(theirs.at) || "just now"}); the picture shows that now.`),
        h("p", {}, "What you were about to save:"),
        h("ul", {}, mine.map((edit) => h("li", {}, named(edit)))),
      ),
      [["theirs", "Keep theirs"], ["mine", "Put mine on top", "primary"]],
    );
    this.viewer.element.focus();
    if (answer === "mine") return mine.map((edit) => (edit.what === "accept" ? { ...edit, training: this.specimen.prediction?.training ?? "" } : edit));
    say("Theirs was kept");
    return [];
  }

  async undo(redo = false) {
    await this.sending;
    if (!(redo ? this.specimen.redo : this.specimen.undo)) {
      say(redo ? "Nothing to redo" : "Nothing to undo");
      return;
    }
    try {
      this.take(await post("/api/undo", { key: this.specimen.key, revision: this.specimen.revision, redo }));
      say(redo ? "Done again" : "Undone");
    } catch (error) {
      if (error instanceof Refused && error.status === 409) await this.conflict(error.body.specimen);
      else complain(error);
    }
  }

  async accept() {
    const open = this.scheme.names.filter((_, k) => this.kind(k) === "open");
    if (open.length) {
      const which = open.slice(0, 4).join(", ") + (open.length > 4 ? " …" : "");
      banner(`Not placed yet: ${which}. Place them, or mark as missing what cannot be seen.`);
      this.select(this.firstOpen());
      return;
    }
    const random = this.order.queue.find((one) => one.key === this.specimen.key)?.random;
    if (this.sending && !(await this.sending)) return;
    const saved = await this.change({ what: "accept", training: this.specimen.prediction?.training ?? "", random });
    if (saved) this.leaveFor(this.order.after(this.specimen.key));
  }

  leaveFor(key) {
    location.hash = key ? link(key) : "#/specimens";
  }

  /** Did anything change elsewhere while this window was behind another? */
  async look() {
    if (this.sending || this.dragging || this.queue.length) return;
    try {
      const now = await get(`/api/specimen/${encoded(this.specimen.key)}`);
      if (!this.sending && !this.queue.length && now.revision !== this.specimen.revision) {
        this.take(now);
        say("Changed in another window; this is how it is now");
      }
    } catch {
      // the next change will say so
    }
  }

  // The ruler

  startRuler() {
    this.ruler = this.ruler ? null : [];
    this.viewer.measuring = Boolean(this.ruler);
    say(this.ruler ? "Click one end of a known length on the ruler" : "");
    this.render();
  }

  async measure(point) {
    this.ruler.push(point);
    this.render();
    if (this.ruler.length < 2) {
      say("Click the other end");
      return;
    }
    const [a, b] = this.ruler;
    const px = Math.hypot(a[0] - b[0], a[1] - b[1]);
    const length = h("input", { id: "length", type: "number", min: "0", step: "any", required: true, value: "10", autofocus: true });
    const unit = h("select", { id: "unit" }, [["mm", "mm"], ["cm", "cm"], ["um", "µm"]].map(([value, words]) => h("option", { value }, words)));
    const answer = px < 1 ? "" : await ask(
      "How long is that?",
      h("div", { class: "fields" }, h("p", {}, `${px.toFixed(1)} px of the photograph.`), h("label", { for: "length" }, "Length"), h("div", { class: "row" }, length, h("label", { for: "unit", class: "visually-hidden" }, "Unit"), unit)),
      [["", "Cancel"], ["set", "Set the scale", "primary"]],
    );
    this.ruler = null;
    this.viewer.measuring = false;
    const value = Number(length.value);
    if (answer === "set" && value > 0) {
      const mm = { mm: 1, cm: 10, um: 0.001 };
      const scale = Number(((value * mm[unit.value]) / mm[this.desk.project.unit] / px).toPrecision(9));
      await this.change({ what: "scale", scale });
    } else say("The scale is as it was");
    this.render();
    this.viewer.element.focus();
  }

  // What is seen

  build() {
    const button = (words, act, props = {}) => h("button", { type: "button", onclick: act, ...props }, words);
    const { specimen, order } = this;
    this.zoom = h("output", { class: "zoom", "aria-label": "Zoom" });
    this.title = h("h1", {}, specimen.key);
    this.status = h("span", {});
    this.list = h("ol", { class: "landmarks", "aria-label": "Landmarks" });
    this.prompt = h("p", { class: "prompt", "aria-live": "polite" });
    this.facts = h("div", { class: "facts" });
    this.buttons = {
      undo: button("Undo", () => this.undo(), { title: "Ctrl Z" }),
      redo: button("Redo", () => this.undo(true), { title: "Ctrl Shift Z" }),
      missing: button("Missing", () => this.missing(), { title: "M" }),
      ruler: button("Set scale", () => this.startRuler(), { title: "Two clicks on a ruler" }),
      accept: button("Accept and next", () => this.accept(), { class: "primary", title: "Enter" }),
      reopen: button("Reopen", () => this.change({ what: "reopen" })),
    };
    const layer = ([name, words]) => {
      const box = h("input", { type: "checkbox", id: `layer-${name}`, checked: this.layers[name], onchange: () => this.toggle(name, box.checked) });
      return h("label", { class: "check", for: `layer-${name}` }, box, words);
    };
    const slider = (name, words) => {
      const input = h("input", { type: "range", min: "40", max: "250", value: "100", id: name, oninput: () => this.light() });
      this[name] = input;
      return h("label", { class: "slider", for: name }, words, input);
    };
    this.reference = this.buildReference();
    const [before, after] = [order.beside(specimen.key, -1), order.beside(specimen.key, 1)];
    const beside = (key, words, label) => (key ? h("a", { class: "button", href: link(key), "aria-label": label, title: label }, words) : h("span", { class: "button off", "aria-hidden": "true" }, words));
    this.place.classList.add("desk");
    this.place.append(
      h("div", { class: "head" }, h("a", { class: "button", href: "#/specimens", "aria-label": "All specimens" }, "☰"), beside(before, "‹", "Previous specimen"), beside(after, "›", "Next specimen"), this.title, this.status, h("span", { class: "position" }, order.position(specimen.key))),
      h(
        "div",
        { class: "stage" },
        this.viewer.element,
        h(
          "div",
          { class: "tools", role: "toolbar", "aria-label": "View" },
          button("−", () => this.viewer.zoomBy(1 / 1.5), { "aria-label": "Zoom out" }),
          this.zoom,
          button("+", () => this.viewer.zoomBy(1.5), { "aria-label": "Zoom in" }),
          button("Fit", () => this.viewer.fit(), { title: "0" }),
          button("1:1", () => this.viewer.actualSize(), { title: "1", "aria-label": "Actual size" }),
          h("details", { class: "menu" }, h("summary", {}, "View"), h("div", { class: "panel" }, Object.entries(LAYERS).map(layer), slider("brightness", "Brightness"), slider("contrast", "Contrast"), button("As it was", () => this.light(true)))),
          button("Keys", () => this.help(), { title: "?" }),
        ),
      ),
      h(
        "aside",
        { class: "side", "aria-label": "Landmarks of this specimen" },
        this.prompt,
        this.reference,
        h("div", { class: "buttons" }, this.buttons.undo, this.buttons.redo, this.buttons.missing, this.buttons.ruler),
        this.list,
        this.facts,
        h("div", { class: "end" }, this.buttons.accept, this.buttons.reopen),
      ),
    );
    this.rows = this.scheme.names.map((name, k) => {
      const row = h("button", { type: "button", class: "landmark", onclick: () => this.pickRow(k) });
      this.list.append(h("li", {}, row));
      return row;
    });
  }

  pickRow(k) {
    this.select(k);
    const point = this.shown(k);
    if (!point) return;
    const [x, y] = this.viewer.view.toScreen(point);
    if (x < 20 || y < 20 || x > this.viewer.extent[0] - 20 || y > this.viewer.extent[1] - 20) this.viewer.centreOn(point);
  }

  buildReference() {
    const key = this.scheme.reference;
    if (!key || key === this.specimen.key) return "";
    const holder = h("figure", { class: "reference" }, h("figcaption", {}, `Reference: ${key}`));
    get(`/api/specimen/${encoded(key)}`).then((found) => {
      this.shownReference = referencePicture(found);
      holder.prepend(this.shownReference.element);
      this.shownReference.choose(this.selected);
      this.reveal(); // the list is shorter now
    }, () => holder.remove());
    return holder;
  }

  toggle(name, on = !this.layers[name]) {
    this.layers[name] = on;
    document.getElementById(`layer-${name}`).checked = on;
    localStorage.setItem("layers", JSON.stringify(this.layers));
    this.render();
  }

  light(reset = false) {
    if (reset) this.brightness.value = this.contrast.value = 100;
    const filter = `brightness(${this.brightness.value}%) contrast(${this.contrast.value}%)`;
    this.viewer.canvas.style.filter = filter;
    this.viewer.lens.style.filter = filter;
  }

  showZoom(view) {
    this.zoom.textContent = `${Math.round(view.zoom * 100)} %`;
    Object.assign(this.viewer.element.dataset, view);
  }

  render() {
    const { scheme, state, specimen, selected } = this;
    const names = scheme.names;
    const shown = names.map((_, k) => this.shown(k));
    const marks = [];
    for (const [k, point] of shown.entries()) {
      if (!point) continue;
      const placed = this.dragging?.k === k || Boolean(state.points[k]);
      const other = placed && this.layers.predictions ? this.predicted(k) : null;
      marks.push({ k, point, kind: placed ? "placed" : "predicted", name: this.layers.names ? names[k] : "", radius: !placed && this.layers.radii ? specimen.prediction?.radii[k] : null, other: other && Math.hypot(other[0] - point[0], other[1] - point[1]) > 0.01 ? other : null });
    }
    const mean = this.desk.project.mean;
    const ghost = this.layers.ghost && mean ? superimposed(mean, shown) : null;
    this.viewer.set(marks, selected, ghost, this.ruler ?? []);
    for (const [k, row] of this.rows.entries()) {
      const kind = this.kind(k);
      const at = shown[k];
      const radius = kind === "predicted" ? specimen.prediction.radii[k] : null;
      const words = { placed: "placed", predicted: "predicted", missing: "missing", open: "not placed" }[kind];
      row.className = `landmark ${kind}`;
      row.setAttribute("aria-pressed", String(k === selected));
      row.replaceChildren(h("span", { class: "sign", "aria-hidden": "true" }), h("span", { class: "label" }, names[k]), " ", h("span", { class: "say" }, words), " ", h("span", { class: "at" }, at ? `${at[0].toFixed(1)}, ${at[1].toFixed(1)}${radius ? ` ± ${radius.toFixed(1)}` : ""}` : ""));
    }
    this.status.replaceChildren(badge(state.accepted ? "accepted" : specimen.status === "accepted" ? "begun" : specimen.status));
    const open = names.filter((_, k) => this.kind(k) === "open").length;
    this.prompt.replaceChildren(...this.promptWords(open));
    const scale = state.scale ? `${state.scale.toPrecision(4)} ${this.unit} per px` : "no scale";
    const flags = specimen.prediction?.flags ?? [];
    this.facts.replaceChildren(
      flags.length && !state.accepted ? h("p", { class: "flag" }, `⚑ ${flags.join("; ")}`) : "",
      h("p", {}, `${specimen.size[0]} × ${specimen.size[1]} px · ${scale}`),
      specimen.by ? h("p", {}, `Last change: ${specimen.by}, ${when(specimen.at)}`) : "",
    );
    this.buttons.undo.disabled = !specimen.undo && !this.queue.length;
    this.buttons.redo.disabled = !specimen.redo;
    this.buttons.missing.textContent = state.missing.includes(selected) ? "Not missing" : "Missing";
    this.buttons.ruler.setAttribute("aria-pressed", String(Boolean(this.ruler)));
    this.buttons.accept.textContent = state.accepted ? "Next specimen" : "Accept and next";
    this.buttons.reopen.hidden = !state.accepted;
    this.shownReference?.choose(selected);
  }

  get unit() {
    return this.desk.project.unit === "um" ? "µm" : this.desk.project.unit;
  }

  promptWords(open) {
    const name = this.scheme.names[this.selected];
    if (this.ruler) return [h("strong", {}, this.ruler.length ? "Click the other end" : "Click one end of a known length"), " on the ruler or scale bar."];
    if (this.kind(this.selected) === "open") return ["Click ", h("strong", {}, name), ` on the photograph. ${open} to go.`];
    if (open) return [`${open} still to place. `, h("strong", {}, name), " is selected."];
    if (this.state.accepted) return ["Accepted. You can still correct it."];
    if (this.specimen.prediction && this.scheme.names.some((_, k) => this.kind(k) === "predicted")) return [h("strong", {}, "Right?"), " Drag what is off, then accept."];
    return [h("strong", {}, "All placed."), " Accept when it is right."];
  }

  async help() {
    await ask("Keys", h("dl", { class: "keys" }, KEYS.map(([keys, words]) => [h("dt", {}, keys), h("dd", {}, words)])), [["", "Close", "primary"]]);
    this.viewer.element.focus();
  }

  key(event) {
    if (document.querySelector("dialog[open]") || event.target.matches("input:not([type=checkbox]):not([type=range]), select, textarea")) return;
    if (event.target.matches("[type=range]") && event.key.startsWith("Arrow")) return;
    const control = event.ctrlKey || event.metaKey;
    // the row of the selected landmark stays focused after a click: Enter and Space mean the specimen there
    const onControl = event.target.matches("button, a, summary, input") && !event.target.matches('.landmark[aria-pressed="true"]');
    const act = this.actionFor(event, control, onControl);
    if (!act) return;
    event.preventDefault();
    act();
  }

  actionFor(event, control, onControl) {
    const { viewer, selected } = this;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (control) return { z: () => this.undo(event.shiftKey), y: () => this.undo(true) }[key];
    const step = event.shiftKey ? 10 : event.altKey ? 0.1 : 1;
    const arrows = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    if (arrows[key]) return () => this.nudge(...arrows[key]);
    if (event.altKey) return null;
    const pan = 80;
    const keys = {
      "]": () => this.select(selected + 1),
      "[": () => this.select(selected - 1),
      m: () => this.missing(),
      Delete: () => this.change({ what: "clear", landmark: selected }),
      Backspace: () => this.change({ what: "clear", landmark: selected }),
      PageDown: () => this.leaveFor(this.order.beside(this.specimen.key, 1)),
      PageUp: () => this.leaveFor(this.order.beside(this.specimen.key, -1)),
      "+": () => viewer.zoomBy(1.5),
      "=": () => viewer.zoomBy(1.5),
      "-": () => viewer.zoomBy(1 / 1.5),
      0: () => viewer.fit(),
      1: () => viewer.actualSize(),
      z: () => this.shown(selected) && viewer.centreOn(this.shown(selected), Math.max(viewer.view.zoom, 4)),
      a: () => viewer.look(viewer.view.moved(pan, 0)),
      d: () => viewer.look(viewer.view.moved(-pan, 0)),
      w: () => viewer.look(viewer.view.moved(0, pan)),
      s: () => viewer.look(viewer.view.moved(0, -pan)),
      n: () => this.toggle("names"),
      c: () => this.toggle("radii"),
      g: () => this.toggle("ghost"),
      p: () => this.toggle("predictions"),
      "?": () => this.help(),
      Escape: this.ruler ? () => this.startRuler() : undefined,
    };
    if (keys[key]) return keys[key];
    if (onControl) return null; // Enter and Space press what has the focus
    return { Enter: () => this.enter(), " ": () => (this.ruler ? this.measure(viewer.centre) : this.placeAt(viewer.centre)) }[key];
  }

  enter() {
    if (this.state.accepted) this.leaveFor(this.order.after(this.specimen.key));
    else this.accept();
  }
}

/** A small picture of a specimen on which one landmark at a time stands out. */
function referencePicture(specimen) {
  const side = 264;
  const canvas = h("canvas", { width: side, height: Math.round((side * specimen.size[1]) / specimen.size[0]), role: "img", "aria-label": "Reference with the landmark to place" });
  const image = new Image();
  image.src = `/api/small/overview/${encoded(specimen.key)}`;
  const view = new View(side / specimen.size[0], 0, 0);
  let chosen = 0;
  const draw = () => {
    const context = canvas.getContext("2d");
    if (image.complete && image.naturalWidth) context.drawImage(image, 0, 0, canvas.width, canvas.height);
    for (const [k, point] of specimen.state.points.entries()) {
      if (!point) continue;
      const [x, y] = view.toScreen(point);
      context.beginPath();
      context.arc(x, y, k === chosen ? 7 : 3, 0, 2 * Math.PI);
      context.fillStyle = k === chosen ? "#ffd23f" : "#00e5ff";
      context.strokeStyle = "#000";
      context.lineWidth = 1.5;
      context.fill();
      context.stroke();
    }
  };
  image.addEventListener("load", draw);
  return { element: canvas, choose: (k) => ((chosen = k), draw()) };
}

function orderOf(specimens) {
  const queue = JSON.parse(sessionStorage.getItem("queue") ?? "[]");
  const keys = specimens.map((one) => one.key);
  const waiting = new Set(specimens.filter((one) => one.status !== "accepted").map((one) => one.key));
  return {
    queue,
    beside: (key, step) => keys[keys.indexOf(key) + step],
    position: (key) => `${keys.indexOf(key) + 1} of ${keys.length}`,
    /** What to look at after this one: the queue first, then whatever waits. */
    after(key) {
      waiting.delete(key);
      const queued = queue.map((one) => one.key).filter((one) => waiting.has(one));
      const later = keys.slice(keys.indexOf(key) + 1).filter((one) => waiting.has(one));
      return queued[0] ?? later[0] ?? [...waiting][0];
    },
  };
}

export default async function page(place, desk, key) {
  if (!desk.project.scheme.names.length) {
    location.hash = "#/scheme";
    return undefined;
  }
  const [specimen, { specimens }] = await Promise.all([get(`/api/specimen/${encoded(key)}`), get("/api/specimens")]);
  const order = orderOf(specimens);
  const opened = new Desk(place, desk, specimen, order);
  const next = order.beside(key, 1);
  if (next) setTimeout(() => (new Image().src = `/api/small/overview/${encoded(next)}`), 1500); // decoded before it is asked for
  return () => opened.close();
}
