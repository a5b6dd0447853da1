// The frame of a photograph: px, y down, (0, 0) is the centre of the top-left pixel, which covers [-0.5, 0.5].

export class View {
  constructor(zoom = 1, left = 0, top = 0) {
    this.zoom = zoom; // px of the screen per px of the photograph
    this.left = left; // px of the screen where the photograph's left edge, x = -0.5, is
    this.top = top;
  }

  toScreen([x, y]) {
    return [(x + 0.5) * this.zoom + this.left, (y + 0.5) * this.zoom + this.top];
  }

  toPhotograph([x, y]) {
    return [(x - this.left) / this.zoom - 0.5, (y - this.top) / this.zoom - 0.5];
  }

  zoomedAbout([x, y], factor) {
    return new View(this.zoom * factor, x - (x - this.left) * factor, y - (y - this.top) * factor);
  }

  moved(dx, dy) {
    return new View(this.zoom, this.left + dx, this.top + dy);
  }

  /** The whole photograph, above what lies over the lower edge. */
  static fitting([width, height], [across, down], margin = 12, below = 72) {
    const zoom = Math.min((across - 2 * margin) / width, (down - margin - below) / height);
    return new View(zoom, (across - width * zoom) / 2, (down - below + margin - height * zoom) / 2);
  }
}

/** `shape` moved, turned and scaled (no reflection) onto `target`, least squares; null where fewer than two match. */
export function superimposed(shape, target) {
  const both = shape.map((_, k) => k).filter((k) => shape[k] && target[k]);
  if (both.length < 2) return null;
  const mean = (points, axis) => both.reduce((sum, k) => sum + points[k][axis], 0) / both.length;
  const [sx, sy, tx, ty] = [mean(shape, 0), mean(shape, 1), mean(target, 0), mean(target, 1)];
  let [re, im, size] = [0, 0, 0];
  for (const k of both) {
    const [a, b, c, d] = [shape[k][0] - sx, shape[k][1] - sy, target[k][0] - tx, target[k][1] - ty];
    re += a * c + b * d;
    im += a * d - b * c;
    size += a * a + b * b;
  }
  if (!size) return null;
  [re, im] = [re / size, im / size];
  return shape.map((point) => {
    if (!point) return null;
    const [a, b] = [point[0] - sx, point[1] - sy];
    return [re * a - im * b + tx, im * a + re * b + ty];
  });
}

export const rounded = (value) => Math.round(value * 1e5) / 1e5;

export function clamped([x, y], [width, height]) {
  return [Math.min(Math.max(x, -0.5), width - 0.5), Math.min(Math.max(y, -0.5), height - 0.5)];
}
