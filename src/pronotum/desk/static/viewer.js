// The photograph with its landmarks: pan, zoom, pick, drag, place. Knows nothing of specimens beyond what is drawn.

import { h, svg } from "./dom.js";
import { clamped, rounded, View } from "./geometry.js";
import { Picture } from "./picture.js";

const NEAR = { mouse: 12, pen: 16, touch: 26 }; // px of the screen within which a landmark is meant
const STILL = 3; // px that a click may move
const CLOSEST = 40;

/** Roughly where a name beside a point is on the screen: [left, top, right, bottom], px. */
function nameBox(name, x, y, before, over) {
  const [width, top] = [7 * name.length, y + (over ? -20 : 8)];
  return before ? [x - 11 - width, top, x - 11, top + 14] : [x + 11, top, x + 11 + width, top + 14];
}

function isFree(box, taken) {
  return taken.every((one) => box[2] < one[0] || box[0] > one[2] || box[3] < one[1] || box[1] > one[3]);
}

export class Viewer {
  /** `actions`: pick(k), drag(k, point), drop(k, point), place(point), changed(view). */
  constructor(actions) {
    this.actions = actions;
    this.view = new View();
    this.pointers = new Map();
    this.marks = [];
    this.ghost = null;
    this.ruler = [];
    this.selected = 0;
    this.canvas = h("canvas", { "aria-hidden": "true" });
    this.layer = svg("svg", { "aria-hidden": "true", class: "layer" });
    this.lens = h("canvas", { class: "lens", hidden: true, "aria-hidden": "true" });
    this.note = h("p", { class: "note", hidden: true });
    this.element = h(
      "div",
      { class: "viewer", tabindex: "0", role: "application", "aria-label": "Photograph. Arrow keys move the selected landmark, plus and minus zoom, question mark lists all keys." },
      this.canvas,
      this.layer,
      this.lens,
      this.note,
    );
    for (const kind of ["pointerdown", "pointermove", "pointerup", "pointercancel"]) this.element.addEventListener(kind, (event) => this[kind](event));
    this.element.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.element.addEventListener("contextmenu", (event) => event.preventDefault());
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.element);
  }

  close() {
    this.observer.disconnect();
  }

  load(specimen) {
    this.specimen = specimen;
    this.picture = new Picture(specimen, () => this.draw());
    this.fitted = false;
    this.resize();
  }

  resize() {
    const { clientWidth: across, clientHeight: down } = this.element;
    if (!across || !down || !this.specimen) return;
    const ratio = devicePixelRatio || 1;
    [this.canvas.width, this.canvas.height] = [Math.round(across * ratio), Math.round(down * ratio)];
    this.extent = [across, down];
    if (!this.fitted) this.fit();
    else this.draw();
  }

  fit() {
    this.fitted = true;
    this.look(View.fitting(this.specimen.size, this.extent));
  }

  look(view) {
    const least = Math.min(View.fitting(this.specimen.size, this.extent).zoom / 2, 1);
    const zoom = Math.min(Math.max(view.zoom, least), CLOSEST);
    const centre = this.extent.map((one) => one / 2);
    this.view = zoom === view.zoom ? view : view.zoomedAbout(centre, zoom / view.zoom);
    // some of the photograph always stays in sight
    const [width, height] = this.specimen.size.map((side) => side * zoom);
    const keep = 60;
    this.view.left = Math.min(Math.max(this.view.left, keep - width), this.extent[0] - keep);
    this.view.top = Math.min(Math.max(this.view.top, keep - height), this.extent[1] - keep);
    this.draw();
    this.actions.changed?.(this.view);
  }

  zoomBy(factor, about = this.extent.map((one) => one / 2)) {
    this.look(this.view.zoomedAbout(about, factor));
  }

  actualSize() {
    this.zoomBy(1 / this.view.zoom);
  }

  centreOn(point, zoom = this.view.zoom) {
    const view = new View(zoom, 0, 0);
    const [x, y] = view.toScreen(point);
    this.look(view.moved(this.extent[0] / 2 - x, this.extent[1] / 2 - y));
  }

  get centre() {
    return clamped(this.view.toPhotograph(this.extent.map((one) => one / 2)), this.specimen.size);
  }

  /** marks: [{k, name, point, kind: "placed" | "predicted", radius, other}] */
  set(marks, selected, ghost, ruler = []) {
    [this.marks, this.selected, this.ghost, this.ruler] = [marks, selected, ghost, ruler];
    this.draw();
  }

  draw() {
    if (this.queued || !this.picture) return;
    this.queued = requestAnimationFrame(() => {
      this.queued = 0;
      if (!this.extent) return;
      this.picture.draw(this.canvas.getContext("2d"), this.view, ...this.extent);
      this.note.hidden = !this.picture.failed && !this.picture.waiting;
      this.note.textContent = this.picture.failed || "Loading the photograph …";
      this.drawMarks();
    });
  }

  drawMarks() {
    const parts = [];
    const at = (point) => this.view.toScreen(point);
    if (this.ghost) {
      for (const point of this.ghost.filter(Boolean)) {
        const [x, y] = at(point);
        parts.push(svg("path", { class: "ghost", d: `M${x - 6} ${y}h12M${x} ${y - 6}v12` }));
      }
      const outline = this.ghost.filter(Boolean).map(at);
      parts.push(svg("polygon", { class: "ghost", points: outline.map((p) => p.join(",")).join(" ") }));
    }
    const middle = [0, 1].map((axis) => this.marks.reduce((sum, mark) => sum + mark.point[axis], 0) / this.marks.length);
    const taken = [];
    for (const mark of this.marks) {
      const [x, y] = at(mark.point);
      const chosen = mark.k === this.selected;
      if (mark.other) {
        const [ox, oy] = at(mark.other);
        parts.push(svg("line", { class: "moved", x1: x, y1: y, x2: ox, y2: oy }), svg("circle", { class: "was", cx: ox, cy: oy, r: 4 }));
      }
      if (mark.radius) parts.push(svg("circle", { class: "radius", cx: x, cy: y, r: mark.radius * this.view.zoom }));
      const group = svg("g", { class: `mark ${mark.kind}${chosen ? " chosen" : ""}`, "data-landmark": mark.k + 1, "data-x": mark.point[0], "data-y": mark.point[1], transform: `translate(${x} ${y})` });
      if (chosen) group.append(svg("circle", { class: "ring", r: 13 }));
      group.append(svg("circle", { class: "rim", r: 6 }), svg("circle", { class: "dot", r: mark.kind === "placed" ? 4.5 : 5 }), svg("path", { class: "cross", d: "M-2 0h4M0 -2v4" }));
      if (mark.name) {
        // outwards, where the fewest other landmarks are, unless another name is there
        const [left, above] = [mark.point[0] < middle[0], mark.point[1] <= middle[1]];
        const sides = [[left, above], [left, !above], [!left, above], [!left, !above]];
        const [before, over] = sides.find((side) => isFree(nameBox(mark.name, x, y, ...side), taken)) ?? sides[0];
        taken.push(nameBox(mark.name, x, y, before, over));
        const name = svg("text", { x: before ? -11 : 11, y: over ? -9 : 19, "text-anchor": before ? "end" : "start" });
        name.textContent = mark.name;
        group.append(name);
      }
      parts.push(group);
    }
    if (this.ruler.length) {
      const ends = this.ruler.map(at);
      for (const [x, y] of ends) parts.push(svg("circle", { class: "rule-end", cx: x, cy: y, r: 5 }));
      if (ends.length === 2) parts.push(svg("line", { class: "rule", x1: ends[0][0], y1: ends[0][1], x2: ends[1][0], y2: ends[1][1] }));
    }
    this.layer.replaceChildren(...parts);
  }

  magnify(point) {
    this.lens.hidden = !point;
    if (!point) return;
    const [side, ratio] = [168, devicePixelRatio || 1];
    [this.lens.width, this.lens.height] = [side * ratio, side * ratio];
    const zoom = Math.max(3, this.view.zoom * 3);
    const view = new View(zoom, side / 2 - (point[0] + 0.5) * zoom, side / 2 - (point[1] + 0.5) * zoom);
    const context = this.lens.getContext("2d");
    this.picture.draw(context, view, side, side);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    for (const [colour, width] of [["#000a", 3], ["#fff", 1]]) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.beginPath();
      context.moveTo(side / 2 - 16, side / 2);
      context.lineTo(side / 2 - 4, side / 2);
      context.moveTo(side / 2 + 4, side / 2);
      context.lineTo(side / 2 + 16, side / 2);
      context.moveTo(side / 2, side / 2 - 16);
      context.lineTo(side / 2, side / 2 - 4);
      context.moveTo(side / 2, side / 2 + 4);
      context.lineTo(side / 2, side / 2 + 16);
      context.stroke();
    }
    // beside the finger, not under it
    const [x, y] = this.view.toScreen(point);
    const [left, top] = [x + 40 + side < this.extent[0] ? x + 40 : x - 40 - side, Math.min(Math.max(y - side - 24, 8), this.extent[1] - side - 8)];
    this.lens.style.transform = `translate(${Math.max(8, left)}px, ${top}px)`;
  }

  // Pointers

  where(event) {
    const box = this.element.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  nearest(place, kind) {
    let [found, distance] = [null, NEAR[kind] ?? NEAR.mouse];
    for (const mark of this.marks) {
      const [x, y] = this.view.toScreen(mark.point);
      const off = Math.hypot(x - place[0], y - place[1]) - (mark.k === this.selected ? 3 : 0);
      if (off <= distance) [found, distance] = [mark, off];
    }
    return found;
  }

  pointerdown(event) {
    const place = this.where(event);
    this.element.focus({ preventScroll: true });
    this.element.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, place);
    if (this.pointers.size > 1) {
      this.cancelDrag();
      this.gesture = { pinch: true };
      return;
    }
    const pans = event.button !== 0 || this.panning;
    const mark = pans || this.measuring ? null : this.nearest(place, event.pointerType);
    this.gesture = { start: place, mark, from: mark?.point, pans, moved: false };
    if (mark) this.actions.pick(mark.k);
  }

  pointermove(event) {
    const before = this.pointers.get(event.pointerId);
    const place = this.where(event);
    if (!before) {
      this.element.classList.toggle("over", !this.measuring && Boolean(this.nearest(place, event.pointerType)));
      return;
    }
    if (this.gesture?.pinch) {
      this.pinch(event.pointerId, place);
      return;
    }
    this.pointers.set(event.pointerId, place);
    const gesture = this.gesture;
    if (!gesture) return;
    if (!gesture.moved && Math.hypot(place[0] - gesture.start[0], place[1] - gesture.start[1]) < STILL) return;
    gesture.moved = true;
    if (gesture.mark) {
      gesture.point = this.dragged(gesture, place);
      this.actions.drag(gesture.mark.k, gesture.point);
      this.magnify(gesture.point);
    } else {
      this.element.classList.add("panning");
      this.look(this.view.moved(place[0] - before[0], place[1] - before[1]));
    }
  }

  dragged(gesture, place) {
    const [dx, dy] = [place[0] - gesture.start[0], place[1] - gesture.start[1]];
    const point = [gesture.from[0] + dx / this.view.zoom, gesture.from[1] + dy / this.view.zoom];
    return clamped(point.map(rounded), this.specimen.size);
  }

  pinch(id, place) {
    const [a, b] = [...this.pointers.keys()].slice(0, 2);
    const [pa, pb] = [this.pointers.get(a), this.pointers.get(b)];
    this.pointers.set(id, place);
    const [qa, qb] = [this.pointers.get(a), this.pointers.get(b)];
    const span = (p, q) => Math.max(1, Math.hypot(p[0] - q[0], p[1] - q[1]));
    const middle = (p, q) => [(p[0] + q[0]) / 2, (p[1] + q[1]) / 2];
    const [from, to] = [middle(pa, pb), middle(qa, qb)];
    this.look(this.view.moved(to[0] - from[0], to[1] - from[1]).zoomedAbout(to, span(qa, qb) / span(pa, pb)));
  }

  pointerup(event) {
    const place = this.where(event);
    this.pointers.delete(event.pointerId);
    const gesture = this.gesture;
    if (this.pointers.size || !gesture) return;
    this.gesture = null;
    this.element.classList.remove("panning");
    this.magnify(null);
    if (gesture.pinch) return;
    if (gesture.mark && gesture.moved) this.actions.drop(gesture.mark.k, this.dragged(gesture, place));
    else if (!gesture.mark && !gesture.moved && !gesture.pans) {
      const point = this.view.toPhotograph(gesture.start).map(rounded);
      const inside = clamped(point, this.specimen.size);
      if (Math.hypot(inside[0] - point[0], inside[1] - point[1]) < 1) this.actions.place(inside);
    }
  }

  pointercancel(event) {
    this.pointers.delete(event.pointerId);
    this.cancelDrag();
  }

  cancelDrag() {
    const gesture = this.gesture;
    this.gesture = null;
    this.magnify(null);
    this.element.classList.remove("panning");
    if (gesture?.mark && gesture.moved) this.actions.drag(gesture.mark.k, null);
  }

  wheel(event) {
    event.preventDefault();
    const step = event.deltaMode === 1 ? event.deltaY * 16 : event.deltaY;
    if (event.shiftKey && !event.ctrlKey) this.look(this.view.moved(-event.deltaY, -event.deltaX));
    else this.zoomBy(Math.exp(-step * (event.ctrlKey ? 0.01 : 0.0018)), this.where(event));
  }
}
