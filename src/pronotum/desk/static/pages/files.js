// Photographs and landmark files in; what check and doctor find; files out.

import { complain, get, post, Refused, upload } from "../api.js";
import { count, h, link, say } from "../dom.js";

const PHOTOGRAPH = /\.(jpe?g|png|tiff?|bmp|webp)$/i;

const DOWNLOADS = [
  ["landmarks.tps", "Landmarks, TPS", "opens in tpsDig, MorphoJ and geomorph"],
  ["landmarks.csv", "Landmarks, CSV", "px of the photograph, y down, with status"],
  ["predictions.tps", "Predictions, TPS", "of the last training, for what is not accepted"],
  ["predictions.csv", "Predictions, CSV", "with confidence, radii and flags"],
  ["report.html", "Report", "of the last training with radii: may predictions replace manual work?"],
  ["journal.jsonl", "Journal", "who changed what, and when"],
];

export default async function page(place, desk) {
  const project = desk.project;
  const { formats } = await get("/api/formats");
  const checks = h("section", { "aria-labelledby": "checks" });
  let timer = 0;
  place.append(h("h1", {}, "Files and checks"), arrivals(desk, formats), takenIn(project), problems(project), checks, downloads(project, formats));

  async function act(path) {
    try {
      await post(path);
      show(await get("/api/findings"));
    } catch (error) {
      complain(error);
    }
  }

  function show(found) {
    checks.replaceChildren(h("h2", { id: "checks" }, "Label errors"), ...results(found));
    clearTimeout(timer);
    if (found.state === "running") timer = setTimeout(() => get("/api/findings").then(show, complain), 1000);
    else if (found.state === "done") say(count(found.findings.length, "finding"));
  }

  function results(found) {
    const again = h("button", { class: found.state === "none" ? "primary" : "", onclick: () => act("/api/examine") }, found.state === "none" ? "Look for errors" : "Look again");
    const what = h("p", { class: "hint" }, "The doctor compares all records with each other: mirrored, swapped or shifted landmarks, scales in another unit, the same photograph twice, photographs unlike the others. It changes nothing.");
    if (found.state === "running") return [what, h("progress", { "aria-label": "Looking" }), h("p", {}, "Looking at all photographs …")];
    if (found.state === "none") return [what, again];
    if (found.state === "failed") return [what, h("p", { class: "notice bad" }, found.message), ...summary(found), again];
    return [what, ...summary(found), findings(found), again];
  }

  show(await get("/api/findings"));
  return () => clearTimeout(timer);
}

function summary({ summary: told, problems: left }) {
  if (!told?.specimens) return [];
  const facts = [count(told.specimens, "specimen"), count(told.photographs, "photograph"), count(told.landmarks, "landmark") + " each"];
  if (told.missing_landmarks) facts.push(`${told.missing_landmarks} missing`);
  facts.push(`${told.with_scale} with scale`);
  return [h("p", {}, facts.join(" · ")), left.length ? h("details", {}, h("summary", {}, `${left.length} left out`), h("ul", {}, left.map((one) => h("li", {}, one)))) : ""];
}

function findings({ findings: found }) {
  if (!found.length) return h("p", { class: "notice good" }, h("strong", {}, "Nothing suspicious was found."));
  return h(
    "div",
    { class: "scroll" },
    h("table", { class: "findings" }, h("caption", {}, `${count(found.length, "finding")}, most severe first`), h("thead", {}, h("tr", {}, ["Specimen", "What", "Evidence", ""].map((words) => h("th", { scope: "col" }, words)))), h("tbody", {}, found.map((one) => h("tr", {}, h("th", { scope: "row" }, one.name), h("td", {}, one.says + (one.landmarks.length ? ` (landmark ${one.landmarks.map((k) => k + 1).join(", ")})` : "")), h("td", {}, one.evidence), h("td", {}, one.key ? h("a", { class: "button", href: link(one.key) }, "Go to it") : ""))))),
  );
}

function problems({ problems: left }) {
  if (!left.length) return h("section", { id: "left-out", hidden: true });
  return h("section", { id: "left-out", class: "notice bad" }, h("h2", {}, `${left.length} left out`), h("ul", {}, left.map((one) => h("li", {}, one))));
}

function takenIn({ taken_in: files }) {
  if (!files.length) return h("section", { id: "taken-in", hidden: true });
  const said = (one) => [h("p", {}, h("strong", {}, `${one.name}: `), words(one)), one.remarks.length ? h("ul", {}, one.remarks.map((remark) => h("li", {}, remark))) : ""];
  return h("section", { id: "taken-in", class: "notice", "aria-label": "Taken in from the folder" }, files.map(said));
}

/** What became of a landmark file. */
function words({ taken, read_as: format }) {
  return `landmarks of ${count(taken, "specimen")} taken${format === "tps" ? "" : ` (${format})`}`;
}

function arrivals(desk, formats) {
  const log = h("ul", { class: "arrivals", "aria-live": "polite" });
  const choose = (props, words, id) => {
    const input = h("input", { type: "file", id, class: "visually-hidden", multiple: true, ...props, onchange: () => take([...input.files]) });
    return [input, h("label", { class: "button", for: id }, words)];
  };
  const suffixes = (kinds) => kinds.flatMap((kind) => kind.suffixes);
  const endsIn = (file, ends) => ends.some((end) => file.name.toLowerCase().endsWith(end));
  const all = suffixes(formats);
  const sure = suffixes(formats.filter((kind) => kind.sure));
  const format = h("select", { id: "format" }, h("option", { value: "" }, "as name and content tell"), formats.map(({ name }) => h("option", { value: name }, name)));
  const zone = h(
    "div",
    { class: "drop", ondragover: over, ondragleave: () => zone.classList.remove("over"), ondrop: dropped },
    h("p", {}, h("strong", {}, "Drop photographs, landmark files or a whole folder here")),
    h("p", { class: "hint" }, `Photographs are copied into ${desk.project.name}, landmarks of any format into ${desk.project.file}. Nothing that is there is overwritten.`),
    h("div", { class: "row middle" }, choose({ accept: [".jpg,.jpeg,.png,.tif,.tiff,.bmp,.webp", ...all].join(",") }, "Choose files", "choose-files"), choose({ webkitdirectory: true }, "Choose a folder", "choose-folder"), h("button", { onclick: rescan }, "Look into the folder again")),
    h("div", { class: "row middle" }, h("label", { for: "format" }, "Format of landmark files"), format),
  );

  function over(event) {
    event.preventDefault();
    zone.classList.add("over");
  }

  async function dropped(event) {
    event.preventDefault();
    zone.classList.remove("over");
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    const files = (await Promise.all(entries.map(within))).flat();
    take(files.length ? files : [...event.dataTransfer.files], entries.some((entry) => entry.isDirectory));
  }

  async function rescan() {
    try {
      desk.project = await post("/api/rescan");
      const { counts } = desk.project;
      document.querySelector("#left-out")?.replaceWith(problems(desk.project));
      document.querySelector("#taken-in")?.replaceWith(takenIn(desk.project));
      say(`${count(Object.values(counts).reduce((sum, n) => sum + n, 0), "specimen")} in the folder`);
    } catch (error) {
      complain(error);
    }
  }

  /** Those of a folder that are meant: no hidden ones, no predictions, and .csv and the like only where nothing else has landmarks. */
  function meant(files) {
    const shown = files.filter((file) => !`/${file.webkitRelativePath || file.name}`.includes("/.") && !/^predictions\./i.test(file.name));
    const certain = shown.some((file) => endsIn(file, sure));
    return shown.filter((file) => PHOTOGRAPH.test(file.name) || endsIn(file, certain ? sure : all));
  }

  async function take(files, folder = files.some((file) => file.webkitRelativePath)) {
    const known = folder ? meant(files) : files.filter((file) => (PHOTOGRAPH.test(file.name) || endsIn(file, all)) && !file.name.startsWith("."));
    known.sort((a, b) => PHOTOGRAPH.test(b.name) - PHOTOGRAPH.test(a.name)); // photographs first: records look for them
    if (files.length > known.length) log.append(h("li", { class: "warn" }, `${count(files.length - known.length, "other file")} left alone`));
    let [done, failed] = [0, 0];
    for (const file of known) {
      const said = h("span", {}, " waiting");
      const bar = h("progress", { max: "1", value: "0", "aria-label": `Upload of ${file.name}` });
      log.append(h("li", {}, file.name, " ", bar, said));
      try {
        const arrived = await upload(file, (share) => (bar.value = share), format.value);
        said.textContent = arrived.kind === "landmarks" ? ` ${words(arrived)}` : " is in the project";
        if (arrived.remarks.length) said.append(h("ul", {}, arrived.remarks.map((one) => h("li", {}, one))));
        said.className = "good";
        done += 1;
      } catch (error) {
        said.textContent = ` ${error instanceof Refused && error.status === 413 ? "is larger than the desk takes (1 GB); copy it into the folder yourself" : error.message}`;
        said.className = "bad";
        failed += 1;
      }
      bar.remove();
    }
    await desk.refresh().catch(complain);
    say(`${count(done, "file")} taken${failed ? `, ${failed} refused` : ""}`);
  }
  return h("section", { "aria-label": "Add files" }, zone, log);
}

/** The files below a dropped entry, hidden ones left out. */
function within(entry) {
  if (entry.name.startsWith(".")) return [];
  if (entry.isFile) return new Promise((resolve) => entry.file((file) => resolve([file]), () => resolve([])));
  const reader = entry.createReader();
  const all = [];
  return new Promise((resolve) => {
    const more = () => reader.readEntries(async (entries) => {
      if (!entries.length) resolve((await Promise.all(all.map(within))).flat());
      else {
        all.push(...entries);
        more();
      }
    }, () => resolve([]));
    more();
  });
}

function downloads(project, formats) {
  const there = { "landmarks.tps": project.fixed, "landmarks.csv": project.fixed, "predictions.tps": project.predictions, "predictions.csv": project.predictions, "report.html": project.report, "journal.jsonl": project.journal };
  return h(
    "section",
    { "aria-labelledby": "take" },
    h("h2", { id: "take" }, "Download"),
    h("ul", { class: "downloads" }, DOWNLOADS.map(([name, title, text]) => h("li", {}, there[name] ? h("a", { class: "button", href: `/api/download/${name}`, download: name }, title) : h("span", { class: "button off" }, title), h("small", {}, there[name] ? text : `${text} (not there yet)`)))),
    project.fixed ? inAnotherFormat(formats.filter((kind) => kind.writes && kind.name !== "tps")) : "",
  );
}

/** The landmarks for another program; what its files cannot hold is said beforehand, and what was lost afterwards. */
function inAnotherFormat(formats) {
  const hint = h("p", { class: "hint", id: "cannot-hold" });
  const log = h("ul", { class: "arrivals", "aria-live": "polite" });
  const choice = h("select", { id: "write-as", "aria-describedby": "cannot-hold", onchange: tell }, formats.map((kind) => h("option", { value: kind.name }, `${kind.name} (${kind.suffixes[0]})`)));

  function tell() {
    const kind = formats.find(({ name }) => name === choice.value);
    hint.textContent = [kind.files ? "A zip with a file for each specimen." : "", kind.lacks.length ? `Cannot hold: ${kind.lacks.join(", ")}.` : ""].join(" ");
  }

  async function fetchIt() {
    const name = choice.value;
    try {
      const { file, remarks } = await get(`/api/export/${name}`);
      log.replaceChildren(...remarks.map((one) => h("li", { class: "warn" }, one)));
      h("a", { href: `/api/download/as/${name}`, download: file }).click();
      say(`${file}, ${name}${remarks.length ? `: ${count(remarks.length, "remark")}` : ""}`);
    } catch (error) {
      complain(error);
    }
  }

  tell();
  return h("div", {}, h("div", { class: "row start" }, h("label", { for: "write-as" }, "Landmarks in another format"), choice, h("button", { onclick: fetchIt }, "Download")), hint, log);
}
