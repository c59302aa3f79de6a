// The two files: chosen or dropped, shown at once.

const TIFFS = ["49492a00", "4d4d002a", "49492b00", "4d4d002b"];

const size = (bytes) =>
  bytes < 1e6 ? `${Math.max(Math.round(bytes / 1e3), 1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;

// The words of a refusal, or something that makes sense
export const reason = async (response) => {
  try {
    return (await response.json()).detail ?? `the server answered ${response.status}`;
  } catch {
    return `the server answered ${response.status}`;
  }
};

export class Slot {
  constructor(box, changed) {
    this.box = box;
    this.input = box.querySelector("input");
    this.image = box.querySelector("img");
    this.about = box.querySelector(".about");
    this.empty = box.querySelector(".empty");
    this.changed = changed;
    this.file = null;
    this.tiff = false;
    this.georeferenced = false;
    this.input.addEventListener("change", () => this.take(this.input.files[0] ?? null));
  }

  async take(file) {
    if (this.file === file) return;
    this.file = file;
    this.tiff = this.georeferenced = false;
    if (this.address) URL.revokeObjectURL(this.address);
    this.address = null;
    this.image.hidden = true;
    this.empty.hidden = false;
    this.empty.textContent = file ? "…" : "Drop a file here";
    this.about.textContent = file ? `${file.name}, ${size(file.size)}` : "No file yet.";
    if (file) await this.#look(file);
    if (this.file === file) this.changed();
  }

  async #look(file) {
    const head = new Uint8Array(await file.slice(0, 4).arrayBuffer());
    const tiff = TIFFS.includes([...head].map((b) => b.toString(16).padStart(2, "0")).join(""));
    if (this.file !== file) return;
    this.tiff = tiff;
    if (!tiff && (await this.#shown(file, URL.createObjectURL(file)))) return;
    if (this.file === file) await this.#asked(file);
  }

  // What a browser can show by itself
  async #shown(file, address) {
    this.address = address;
    this.image.src = address;
    try {
      await this.image.decode();
    } catch {
      return false;
    }
    if (this.file === file) {
      this.#tell(file, this.image.naturalWidth, this.image.naturalHeight, "");
    }
    return true;
  }

  // What it cannot: the server makes a small picture
  async #asked(file) {
    const form = new FormData();
    form.append("image", file);
    let words;
    try {
      const response = await fetch("/preview", { method: "POST", body: form });
      if (response.ok) {
        const found = await response.json();
        if (this.file !== file) return;
        this.image.src = `data:image/jpeg;base64,${found.image}`;
        this.georeferenced = found.georeferenced;
        const place = found.georeferenced ? ", with coordinates" : "";
        this.#tell(file, found.width, found.height, place);
        return;
      }
      // the server calls it by its field; here its name stands before
      words = (await reason(response)).replace(/^'image' /, "it ");
    } catch {
      words = "the server does not answer";
    }
    if (this.file !== file) return;
    this.empty.textContent = "No preview";
    this.about.textContent = `${file.name}, ${size(file.size)}: ${words}`;
  }

  #tell(file, width, height, more) {
    this.image.hidden = false;
    this.image.alt = `Preview of ${file.name}`;
    this.empty.hidden = true;
    this.about.textContent = `${file.name}, ${width} × ${height} px, ${size(file.size)}${more}`;
  }
}

// Files dropped on a slot, or anywhere on the page
export const acceptDrops = (slots) => {
  const over = (target) => {
    for (const slot of slots) slot.box.classList.toggle("over", slot.box.contains(target));
  };
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    over(event.target);
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) over(null);
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    over(null);
    const files = [...event.dataTransfer.files];
    if (!files.length) return;
    let place = slots.findIndex((slot) => slot.box.contains(event.target));
    if (place < 0) place = slots[0].file && !slots[1].file ? 1 : 0;
    if (files.length > 1) {
      slots[0].take(files[0]);
      slots[1].take(files[1]);
    } else {
      slots[place].take(files[0]);
    }
  });
};
