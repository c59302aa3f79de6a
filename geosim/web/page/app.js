// The page: what is chosen, what is asked, what is shown.

import { Slot, acceptDrops, reason } from "/page/files.js";
import { Viewer } from "/page/viewer.js";

const at = (id) => document.getElementById(id);
const [go, stop, status, progress, error] = ["go", "stop", "status", "progress", "error"].map(at);
const kinds = document.querySelectorAll("input[name=kind]");
const POLL_MS = 600;

let job = null;
let busy = false;
let auto = true;
let viewer = null;
let compared = [];

const kind = () => [...kinds].find((one) => one.checked).value;

const refresh = () => {
  const tiffs = slots.every((slot) => slot.tiff);
  kinds[1].disabled = !tiffs;
  if (tiffs && auto && slots.every((slot) => slot.georeferenced)) kinds[1].checked = true;
  if (!tiffs && kinds[1].checked) kinds[0].checked = true;
  at("choices").hidden = kind() === "change";
  go.textContent = kind() === "change" ? "Map the changes" : "Compare";
  go.setAttribute("aria-disabled", busy);
  // a result is of the files that are named above it
  const same = slots.every((slot, number) => slot.file === compared[number]);
  at("result").hidden = compared.length === 0 || !same;
};

const slots = [...document.querySelectorAll(".drop")].map((box) => new Slot(box, refresh));
acceptDrops(slots);

for (const one of kinds) {
  one.addEventListener("change", () => {
    auto = false;
    refresh();
  });
}

at("swap").addEventListener("click", () => {
  const files = slots.map((slot) => slot.file);
  for (const slot of slots) slot.input.value = "";
  slots[0].take(files[1]);
  slots[1].take(files[0]);
});

const say = (words, part = null) => {
  status.textContent = words;
  progress.hidden = part === null;
  if (part === "some") progress.removeAttribute("value");
  else if (part !== null) progress.value = part;
};

const element = (name, text, more = {}) => {
  const made = document.createElement(name);
  made.textContent = text;
  Object.assign(made, more);
  return made;
};

const row = (...cells) => {
  const made = document.createElement("tr");
  const [head, ...rest] = cells;
  made.append(element("th", head, { scope: "row" }));
  for (const cell of rest) {
    const box = document.createElement("td");
    box.append(cell);
    made.append(box);
  }
  return made;
};

const link = (href, name, words = name) => element("a", words, { href, download: name });

const list = (id, items) => {
  at(id).replaceChildren(
    ...items.map((item) => {
      const made = document.createElement("li");
      made.append(item);
      return made;
    }),
  );
};

const reveal = (files) => {
  const section = at("result");
  compared = files;
  section.hidden = slots.some((slot, number) => slot.file !== files[number]);
  viewer ??= new Viewer(at("view"));
  section.focus({ preventScroll: true });
  section.scrollIntoView({ block: "start" });
};

const showComparison = (found, files) => {
  at("score").textContent = found.similarity_score.toFixed(3);
  at("unit").textContent = "similarity, from 0 (unrelated) to 1 (the same)";
  at("bar").hidden = false;
  at("bar").firstElementChild.style.width = `${100 * found.similarity_score}%`;
  list("words", [...found.explanation, ...found.notes]);
  at("opacity-label").textContent = "Heatmap";
  at("legend").hidden = false;
  const png = `data:image/png;base64,${found.heatmap_image}`;
  const { heatmap_image, first_image, second_image, ...record } = found;
  const rows = [
    ["Model", found.model],
    ["Cosine similarity", found.cosine.toFixed(4)],
    ["Euclidean distance", found.euclidean.toFixed(4)],
    ["SSIM", found.ssim.toFixed(4)],
    ["Mean difference", found.difference_mean.toFixed(4)],
  ];
  at("figures").replaceChildren(...rows.map((cells) => row(...cells)));
  at("changes-box").hidden = true;
  const json = new Blob([JSON.stringify(record, null, 2)], { type: "application/json" });
  list("downloads", [
    link(png, "heatmap.png"),
    link(`data:image/jpeg;base64,${second_image}`, "second_aligned.jpg"),
    link(URL.createObjectURL(json), "compare.json"),
  ]);
  reveal(files);
  viewer.show({
    first: `data:image/jpeg;base64,${first_image}`,
    second: `data:image/jpeg;base64,${second_image}`,
    heat: png,
    width: found.width,
    height: found.height,
  });
};

const area = ({ area_ha: hectares, area_px: pixels }) => {
  if (hectares == null) return `${pixels.toLocaleString("en")} px`;
  if (hectares < 0.1) return `${Math.round(hectares * 1e4)} m²`;
  return `${hectares.toFixed(2)} ha`;
};

const showChange = (told, files) => {
  const found = told.result;
  const changed = { area_ha: found.changed_ha, area_px: found.changed_px };
  at("score").textContent = area(changed);
  at("unit").textContent = `changed, ${found.changed_percent.toFixed(2)} % of the area with data`;
  at("bar").hidden = true;
  const drawn = found.polygons.length < found.polygon_count
    ? ` The map draws the ${found.polygons.length} largest; changes.gpkg has all.` : "";
  list("words", [
    found.polygon_count
      ? `${found.polygon_count.toLocaleString("en")} places changed between the two dates.${drawn}`
      : "No place was decided to have changed.",
    "A place counts as changed where the network finds other texture, content and colour than light, season and sensor explain.",
    ...found.notes,
  ]);
  at("opacity-label").textContent = "Outlines of changes";
  at("legend").hidden = true;
  at("figures").replaceChildren(
    ...[
      ["Grid", `${found.width.toLocaleString("en")} × ${found.height.toLocaleString("en")} px`],
      ["Coordinates", found.crs ?? "none"],
      ["Changed pixels", found.changed_px.toLocaleString("en")],
    ].map((cells) => row(...cells)),
  );
  at("changes-box").hidden = found.polygons.length === 0;
  at("changes").replaceChildren(
    ...found.polygons.slice(0, 15).map((one) => {
      const show = element("button", "Show", { type: "button" });
      show.setAttribute("aria-label", `Show change ${one.id} on the map`);
      show.addEventListener("click", () => {
        viewer.goTo(one.bounds, one.id);
        at("view").scrollIntoView({ block: "nearest" });
      });
      return row(String(one.id), one.class_label, area(one), one.probability.toFixed(2), show);
    }),
  );
  list("downloads", Object.entries(told.files).map(([name, href]) => link(href, name)));
  reveal(files);
  viewer.show({
    first: told.pictures[0],
    second: told.pictures[1],
    width: found.width,
    height: found.height,
    polygons: found.polygons,
  });
};

const asked = async (address, options) => {
  let response;
  try {
    response = await fetch(address, options);
  } catch {
    throw new Error("The server does not answer; is it still running?");
  }
  if (!response.ok) throw new Error(await reason(response));
  return response.status === 204 ? null : response.json();
};

const form = (files) => {
  const made = new FormData();
  made.append("image1", files[0]);
  made.append("image2", files[1]);
  return made;
};

const compare = async () => {
  say("Comparing…", "some");
  const files = slots.map((slot) => slot.file);
  const body = form(files);
  body.append("model", at("model").value);
  body.append("align", at("align").value);
  const found = await asked("/compare", { method: "POST", body });
  showComparison(found, files);
  say(`Done: similarity ${found.similarity_score.toFixed(3)}.`);
};

const STAGES = {
  sampling: "Looking at the rasters", scoring: "Comparing",
  deciding: "Deciding what changed", writing: "Writing the files",
};

const change = async () => {
  say("Sending the files…", "some");
  const files = slots.map((slot) => slot.file);
  let told = await asked("/change", { method: "POST", body: form(files) });
  job = told.id;
  stop.hidden = false;
  while (told.state === "waiting" || told.state === "running") {
    const words = told.state === "waiting" ? "Waiting for its turn" : STAGES[told.stage] ?? "Starting";
    say(`${words}…`, told.progress || "some");
    await new Promise((done) => setTimeout(done, POLL_MS));
    if (job === null) return say("Stopped.");
    told = await asked(`/jobs/${told.id}`);
  }
  if (told.state === "failed") throw new Error(told.error);
  showChange(told, files);
  say("Done.");
};

stop.addEventListener("click", async () => {
  const ended = job;
  job = null;
  if (ended) await asked(`/jobs/${ended}`, { method: "DELETE" }).catch(() => {});
});

at("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (busy) return;
  error.textContent = "";
  const missing = slots.find((slot) => !slot.file);
  if (missing) {
    error.textContent = "Choose two files first.";
    missing.input.focus();
    return;
  }
  busy = true;
  refresh();
  try {
    await (kind() === "change" ? change() : compare());
  } catch (problem) {
    say("");
    error.textContent = problem.message;
  } finally {
    busy = false;
    job = null;
    stop.hidden = true;
    refresh();
  }
});

const fillModels = async () => {
  const known = new Set([...at("model").options].map((option) => option.value));
  const found = await asked("/models");
  for (const one of found.filter((model) => !known.has(model.name))) {
    const words = one.available ? `${one.name}: trained on ImageNet` : `${one.name} (not on this server)`;
    at("model").append(element("option", words, { value: one.name, disabled: !one.available }));
  }
};

fillModels().catch(() => {});
refresh();
