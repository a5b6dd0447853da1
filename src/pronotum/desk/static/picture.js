// A photograph as tiles of several levels; whatever is there already is drawn, the rest is fetched.

import { encoded } from "./api.js";

const KEPT = 160; // tiles of 512 x 512 px: about as many MB

export class Picture {
  constructor(specimen, onChange) {
    this.specimen = specimen;
    this.onChange = onChange;
    this.tiles = new Map();
    this.failed = "";
    this.waiting = 0;
    this.overview = this.fetch(`/api/small/overview/${encoded(specimen.key)}`);
  }

  fetch(url) {
    const image = new Image();
    image.decoding = "async";
    this.waiting += 1;
    const done = () => {
      this.waiting -= 1;
      this.onChange();
    };
    image.addEventListener("load", done);
    image.addEventListener("error", () => {
      image.failed = true;
      this.failed = "This photograph cannot be shown. Files and checks says why.";
      done();
    });
    image.src = url;
    return image;
  }

  tile(level, column, row, wanted) {
    const name = `${level}-${column}-${row}`;
    let image = this.tiles.get(name);
    if (!image && wanted) {
      image = this.fetch(`/api/tile/${name}/${encoded(this.specimen.key)}`);
    }
    if (!image) return null;
    this.tiles.delete(name); // the last looked at is the last to go
    this.tiles.set(name, image);
    if (this.tiles.size > KEPT) this.tiles.delete(this.tiles.keys().next().value);
    return image.complete && !image.failed && image.naturalWidth ? image : null;
  }

  /** Draw what a view of this many px shows. */
  draw(context, view, across, down) {
    const ratio = devicePixelRatio || 1;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, across * ratio, down * ratio);
    const [width, height] = this.specimen.size;
    const place = (left, top, right, bottom) => {
      // whole px of the screen, so that neighbours leave no seam
      const edges = [left * view.zoom + view.left, top * view.zoom + view.top, right * view.zoom + view.left, bottom * view.zoom + view.top].map((edge) => Math.round(edge * ratio));
      return [edges[0], edges[1], edges[2] - edges[0], edges[3] - edges[1]];
    };
    context.imageSmoothingEnabled = view.zoom * ratio < 3;
    context.imageSmoothingQuality = "high";
    if (this.overview.complete && this.overview.naturalWidth) context.drawImage(this.overview, ...place(0, 0, width, height));
    const last = this.specimen.levels.length - 1;
    const best = Math.min(Math.max(Math.floor(Math.log2(1 / (view.zoom * ratio))), 0), last);
    for (let level = last; level >= best; level -= 1) this.drawLevel(context, view, level, place, [across, down], level === best);
  }

  drawLevel(context, view, level, place, [across, down], wanted) {
    const { size, levels, side } = this.specimen;
    const [sx, sy] = [size[0] / levels[level][0], size[1] / levels[level][1]];
    const first = (start, zoom, step) => Math.max(0, Math.floor(-start / (zoom * step * side)));
    const beyond = (start, zoom, step, extent, n) => Math.min(Math.ceil(n / side), Math.ceil((extent - start) / (zoom * step * side)));
    for (let row = first(view.top, view.zoom, sy); row < beyond(view.top, view.zoom, sy, down, levels[level][1]); row += 1) {
      for (let column = first(view.left, view.zoom, sx); column < beyond(view.left, view.zoom, sx, across, levels[level][0]); column += 1) {
        const image = this.tile(level, column, row, wanted);
        if (!image) continue;
        const [left, top] = [column * side, row * side];
        context.drawImage(image, ...place(left * sx, top * sy, (left + image.naturalWidth) * sx, (top + image.naturalHeight) * sy));
      }
    }
  }
}
