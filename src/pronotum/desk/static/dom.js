// Elements, dialogs and words that every page uses.

export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name in element && typeof value !== "string") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(3).filter((one) => one !== null && one !== undefined && one !== false));
  return element;
}

export function svg(tag, props = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(props)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function link(key) {
  return `#/specimen/${encodeURIComponent(key)}`;
}

export function say(text) {
  const status = document.getElementById("status");
  if (status.textContent !== text) status.textContent = text;
}

export function banner(text, action = null) {
  const place = document.getElementById("banner");
  place.hidden = !text;
  place.replaceChildren(...(text ? [h("p", {}, text), action].filter(Boolean) : []));
}

export const STATUS = {
  accepted: ["✓", "accepted"],
  begun: ["◐", "begun"],
  predicted: ["◌", "predicted"],
  new: ["–", "no landmarks yet"],
};

export function badge(status) {
  const [mark, words] = STATUS[status];
  return h("span", { class: `badge ${status}` }, h("span", { "aria-hidden": "true" }, mark), ` ${words}`);
}

/** A modal dialog; answers with the value of the button that closed it, "" for Escape. */
export function ask(title, content, buttons) {
  return new Promise((resolve) => {
    const dialog = h("dialog", { "aria-labelledby": "ask-title" });
    const form = h(
      "form",
      { method: "dialog" },
      h("h2", { id: "ask-title" }, title),
      content,
      h("div", { class: "actions" }, buttons.map(([value, words, kind]) =>
        // Enter in a field is the last word, not the first button
        kind ? h("button", { value, class: kind }, words) : h("button", { type: "button", onclick: () => dialog.close(value) }, words))),
    );
    dialog.append(form);
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

export function count(n, word, plural = `${word}s`) {
  return `${n} ${n === 1 ? word : plural}`;
}

export function duration(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

export function when(iso) {
  return iso ? new Date(iso).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" }) : "";
}
