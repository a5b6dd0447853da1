// Requests to the desk. What it refuses is an Error with its words; a conflict also has the specimen as it is now.

import { banner } from "./dom.js";

export class Refused extends Error {
  constructor(message, status, body) {
    super(message);
    this.status = status;
    this.body = body;
  }
}

export class Unreachable extends Error {}

async function answered(request) {
  let response;
  try {
    response = await request;
  } catch {
    throw new Unreachable("The desk does not answer. Is it still running in the terminal?");
  }
  if (response.ok) return response.json();
  const text = await response.text();
  let body = {};
  try {
    body = JSON.parse(text);
  } catch {
    body = { error: response.status === 403 ? "The desk was started anew. Open the link that it has printed in the terminal." : text };
  }
  throw new Refused(body.error ?? body.refused?.[0] ?? response.statusText, response.status, body);
}

export function get(path) {
  return answered(fetch(path, { credentials: "same-origin" }));
}

export function post(path, body = {}) {
  return answered(
    fetch(path, {
      method: "POST",
      credentials: "same-origin",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    }),
  );
}

export function upload(file, onShare, format = "") {
  return new Promise((resolve, reject) => {
    const form = new FormData();
    form.append("file", file, file.name);
    if (format) form.append("format", format);
    const request = new XMLHttpRequest();
    request.open("POST", "/api/upload");
    request.upload.addEventListener("progress", (event) => onShare(event.loaded / event.total));
    request.addEventListener("error", () => reject(new Unreachable("The upload was broken off.")));
    request.addEventListener("load", () => {
      let body = {};
      try {
        body = JSON.parse(request.responseText);
      } catch {
        body = {};
      }
      const refused = body.refused?.[0] ?? body.error;
      if (request.status === 200 && !refused) resolve(body.arrived[0]);
      else reject(new Refused(refused ?? request.statusText, request.status, body));
    });
    request.send(form);
  });
}

export const encoded = (key) => key.split("/").map(encodeURIComponent).join("/");

/** Show what went wrong where everybody sees it. */
export function complain(error) {
  if (!(error instanceof Refused || error instanceof Unreachable)) console.error(error);
  banner(error.message);
}
