// Learn from what is accepted, predict the rest, and see whether more labelling pays.

import { complain, get, post } from "../api.js";
import { ask, count, duration, h, say, svg, when } from "../dom.js";

const STATES = { running: "running", stopped: "stopped", failed: "failed", finished: "finished" };

export default async function page(place, desk) {
  const now = h("section", { class: "panel", "aria-label": "Training now" });
  const past = h("section", { "aria-labelledby": "pays" });
  const { settings } = desk.project;
  place.append(h("h1", {}, "Training"), now, past);
  let timer = 0;
  let how = settings.retrain;
  let was = "";

  async function act(path, body = {}) {
    try {
      show(await post(path, body));
    } catch (error) {
      complain(error);
    }
  }

  function show(told) {
    const { status } = told;
    if (status.state !== was) {
      now.replaceChildren(...(status.state === "running" ? running(told) : idle(told)));
      past.replaceChildren(...history(told));
      if (was === "running") say({ finished: "Training finished; predictions are new", failed: "Training failed", stopped: "Training stopped" }[status.state]);
      was = status.state;
    }
    if (status.state === "running") advance(status);
    clearTimeout(timer);
    if (status.state === "running") timer = setTimeout(() => get("/api/training").then(show, complain), 1000);
  }

  const bar = h("progress", { max: "1", "aria-label": "Training" });
  const words = h("p", { class: "words" });
  const detail = h("p", { class: "hint" });

  function running({ status }) {
    return [
      h("h2", {}, `Learning from ${count(status.n_specimens, "specimen")}`),
      bar,
      words,
      detail,
      h("p", { class: "hint" }, "You can go on with other specimens meanwhile, or close this page; training goes on as long as the desk runs."),
      h("button", { onclick: stop }, "Stop"),
    ];
  }

  function advance(status) {
    const predicts = status.step === "predicting";
    if (predicts) bar.removeAttribute("value");
    else bar.value = status.share;
    const left = status.seconds_left === null ? "" : `, about ${duration(status.seconds_left)} left`;
    words.textContent = predicts ? `Placing landmarks on ${count(status.n_photographs, "photograph")} …` : status.share ? `${Math.floor(100 * status.share)} %${left}` : "Reading photographs …";
    const { epoch } = status;
    detail.textContent = epoch && !predicts ? `${epoch.stage} network, round ${epoch.epoch} of ${epoch.epochs}` : "";
  }

  async function stop() {
    const sure = await ask("Stop this training?", h("p", {}, "It can go on later from where it was."), [["", "Let it run"], ["stop", "Stop", "primary"]]);
    if (sure) act("/api/training/stop");
  }

  function idle(told) {
    const { status, accepted, since, waiting } = told;
    const few = accepted < 3;
    const parts = [];
    if (status.state === "stopped" || status.state === "failed") {
      parts.push(
        h("div", { class: status.state === "failed" ? "notice bad" : "notice" }, h("p", {}, h("strong", {}, status.state === "failed" ? "The last training failed" : `The last training was stopped at ${Math.floor(100 * status.share)} %`), status.message && status.message !== "stopped" ? `: ${status.message}` : "."), h("button", { onclick: () => act("/api/training/continue") }, "Go on with it")),
      );
    }
    if (status.state === "finished") {
      parts.push(h("div", { class: "notice good" }, h("p", {}, h("strong", {}, "Finished"), ` in ${duration(status.seconds)}: ${count(status.n_photographs, "photograph")} predicted.`), waiting ? h("a", { class: "button", href: "#/specimens" }, "Review them") : ""));
    }
    const choice = (value, title, text) => {
      const input = h("input", { type: "radio", name: "how", value, id: `how-${value}`, checked: how === value, onchange: () => (how = value) });
      return h("label", { class: "option", for: `how-${value}` }, input, h("span", {}, h("strong", {}, title), h("small", {}, text)));
    };
    parts.push(
      h("h2", {}, few ? "Not enough to learn from yet" : `${count(accepted, "accepted specimen")} to learn from`),
      h("p", {}, few ? `${accepted ? `${accepted} accepted` : "No specimen is accepted"}: the model needs three, and ten or more are better.` : `${since ? `${since} of them new since the last training. ` : "None of them is new since the last training. "}${count(waiting, "other photograph")} will be predicted.`),
      h("fieldset", { class: "options" }, h("legend", {}, "How"), choice("train", "Quickly", "one model; shows what it is unsure of by flags and confidence"), choice("crossvalidate", "With radii and report", `${settings.folds} models more: learns how far off predictions are (90 % circles) and writes the report; takes about ${settings.folds + 1} times as long`)),
      h("button", { class: "primary", disabled: few, onclick: () => act("/api/training/start", { how }) }, "Train and predict"),
    );
    if (few) parts.push(h("a", { class: "button", href: "#/specimens" }, "Place landmarks"));
    return parts;
  }

  show(await get("/api/training"));
  return () => clearTimeout(timer);
}

function history({ trainings, curve }) {
  const parts = [h("h2", { id: "pays" }, "Does more labelling pay?")];
  if (!curve.length) {
    parts.push(h("p", { class: "hint" }, "Once you have accepted predictions of a training, this shows how far you had to move them. When a new training no longer lowers the curve, more labelling brings little."));
  } else {
    parts.push(h("p", { class: "hint" }, "How far you moved predicted landmarks before you accepted them: median over specimens, % of centroid size. Specimens drawn at random (⚄) tell how good the model is on all; the others were chosen because they are hard."), chart(curve), table(curve));
  }
  if (trainings.length) {
    parts.push(
      h("h2", {}, "Trainings"),
      h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, ["", "Begun", "Learnt from", "How", "Took", "State"].map((words) => h("th", { scope: "col" }, words)))), h("tbody", {}, [...trainings].reverse().map((one) => h("tr", {}, h("th", { scope: "row" }, String(one.number)), h("td", {}, when(one.started)), h("td", {}, count(one.n_specimens, "specimen")), h("td", {}, one.how === "train" ? "quickly" : "with radii"), h("td", {}, one.seconds ? duration(one.seconds) : ""), h("td", {}, STATES[one.state] + (one.state === "failed" ? `: ${one.message}` : ""))))))),
    );
  }
  return parts;
}

function table(curve) {
  const cell = (value) => (value === null ? "–" : value.toFixed(2));
  return h("details", {}, h("summary", {}, "The same as a table"), h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, ["Learnt from", "Reviewed", "Median, all", "Of these random", "Median, random"].map((words) => h("th", { scope: "col" }, words)))), h("tbody", {}, curve.map((row) => h("tr", {}, h("th", { scope: "row" }, String(row.learnt)), h("td", {}, String(row.n)), h("td", {}, cell(row.median)), h("td", {}, String(row.random_n)), h("td", {}, cell(row.random_median))))))));
}

function chart(curve) {
  const [width, height, left, bottom] = [640, 290, 56, 52];
  const most = Math.max(...curve.flatMap((row) => [row.median, row.random_median ?? 0]), 0.1) * 1.15;
  const sizes = curve.map((row) => row.learnt);
  const [low, high] = [Math.min(...sizes), Math.max(...sizes)];
  const x = (learnt) => left + (high === low ? 0.5 : (learnt - low) / (high - low)) * (width - left - 40) + 10;
  const y = (value) => (height - bottom) * (1 - value / most) + 10;
  const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "chart", role: "img", "aria-label": "Median correction against specimens learnt from; the table below has the figures" });
  const text = (words, props) => {
    const one = svg("text", props);
    one.textContent = words;
    return one;
  };
  const step = 10 ** Math.floor(Math.log10(most)) * (most / 10 ** Math.floor(Math.log10(most)) > 5 ? 2 : most / 10 ** Math.floor(Math.log10(most)) > 2 ? 1 : 0.5);
  for (let value = 0; value <= most; value += step) {
    drawing.append(svg("line", { class: "grid", x1: left, x2: width - 20, y1: y(value), y2: y(value) }), text(String(Number(value.toFixed(3))), { x: left - 8, y: y(value) + 4, "text-anchor": "end" }));
  }
  for (const row of curve) drawing.append(text(String(row.learnt), { x: x(row.learnt), y: height - bottom + 24, "text-anchor": "middle" }));
  drawing.append(text("specimens learnt from", { x: width / 2, y: height - 8, "text-anchor": "middle" }), text("moved by, % of centroid size", { x: 14, y: (height - bottom) / 2 + 10, transform: `rotate(-90 14 ${(height - bottom) / 2 + 10})`, "text-anchor": "middle" }));
  const series = [["all", "median", "all reviewed"], ["random", "random_median", "⚄ random only"]];
  for (const [name, field, words] of series) {
    const known = curve.filter((row) => row[field] !== null);
    if (!known.length) continue;
    drawing.append(svg("polyline", { class: `line ${name}`, points: known.map((row) => `${x(row.learnt)},${y(row[field])}`).join(" ") }));
    for (const row of known) drawing.append(name === "all" ? svg("circle", { class: `point ${name}`, cx: x(row.learnt), cy: y(row[field]), r: 5 }) : svg("rect", { class: `point ${name}`, x: x(row.learnt) - 5, y: y(row[field]) - 5, width: 10, height: 10 }));
    drawing.append(name === "all" ? svg("circle", { class: `point ${name}`, cx: width - 150, cy: 16, r: 5 }) : svg("rect", { class: `point ${name}`, x: width - 155, y: 33, width: 10, height: 10 }), text(words, { x: width - 138, y: name === "all" ? 20 : 42 }));
  }
  return h("figure", {}, drawing);
}
