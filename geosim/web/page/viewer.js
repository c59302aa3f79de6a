// Two pictures over each other: a divider, a layer on top, moving and zooming.

const MOST = 40;
const STEP = 1.4;

export class Viewer {
  constructor(view) {
    this.view = view;
    this.sheet = view.querySelector(".sheet");
    this.handle = view.querySelector(".handle");
    this.first = view.querySelector("#first");
    this.second = view.querySelector("#second");
    this.heat = view.querySelector("#heat");
    this.shapes = view.querySelector("#shapes");
    this.slider = document.querySelector("#at");
    this.opacity = document.querySelector("#opacity");
    this.pointers = new Map();
    this.whole();
    this.#listen();
    new ResizeObserver(() => this.#draw()).observe(view);
  }

  // first, second: addresses of pictures; width, height: of the frame, in pixels
  show({ first, second, width, height, heat = null, polygons = [] }) {
    this.width = width;
    this.height = height;
    this.view.style.aspectRatio = `${width} / ${height}`;
    this.view.style.maxWidth = `calc(78vh * ${width / height})`;
    this.first.src = first;
    this.second.src = second;
    this.heat.hidden = heat === null;
    if (heat !== null) this.heat.src = heat;
    else this.heat.removeAttribute("src");
    this.shapes.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.shapes.toggleAttribute("hidden", heat !== null);
    this.shapes.replaceChildren(
      ...polygons.map((one) => {
        const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
        path.setAttribute("d", one.path);
        path.dataset.id = one.id;
        return path;
      }),
    );
    this.slider.value = 50;
    this.opacity.value = heat === null ? 100 : 55;
    this.whole();
  }

  whole() {
    this.scale = 1;
    this.x = 0;
    this.y = 0;
    this.#draw();
  }

  // left, top, right, bottom in pixels of the frame
  goTo([left, top, right, bottom], id) {
    const { clientWidth: w, clientHeight: h } = this.view;
    const unit = w / this.width;
    const size = Math.max((right - left) * unit / w, (bottom - top) * unit / h, 1e-3);
    this.scale = Math.min(Math.max(0.4 / size, 1), MOST);
    this.x = w / 2 - ((left + right) / 2) * unit * this.scale;
    this.y = h / 2 - ((top + bottom) / 2) * unit * this.scale;
    for (const path of this.shapes.children) {
      path.classList.toggle("chosen", path.dataset.id === String(id));
    }
    this.#draw();
  }

  zoom(factor, x = this.view.clientWidth / 2, y = this.view.clientHeight / 2) {
    const scale = Math.min(Math.max(this.scale * factor, 1), MOST);
    this.x = x - ((x - this.x) * scale) / this.scale;
    this.y = y - ((y - this.y) * scale) / this.scale;
    this.scale = scale;
    this.#draw();
  }

  move(x, y) {
    this.x += x;
    this.y += y;
    this.#draw();
  }

  #draw() {
    const { clientWidth: w, clientHeight: h } = this.view;
    if (!w) return;
    this.x = Math.min(0, Math.max(this.x, w - w * this.scale));
    this.y = Math.min(0, Math.max(this.y, h - h * this.scale));
    this.sheet.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
    const at = Number(this.slider.value);
    const edge = (((at / 100) * w - this.x) / (w * this.scale)) * 100;
    this.second.style.clipPath = `inset(0 0 0 ${Math.min(Math.max(edge, 0), 100)}%)`;
    this.handle.style.left = `${at}%`;
    this.slider.setAttribute("aria-valuetext", `${at} % first picture`);
    const opacity = this.opacity.value / 100;
    this.heat.style.opacity = opacity;
    this.shapes.style.opacity = opacity;
    this.opacity.setAttribute("aria-valuetext", `${this.opacity.value} %`);
    const pixel = this.width ? (w * this.scale) / this.width : 1;
    this.view.classList.toggle("near", pixel > 3);
    // a finger on the whole picture scrolls the page, on a part of it the part
    this.view.classList.toggle("zoomed", this.scale > 1);
  }

  #listen() {
    const { view, pointers } = this;
    this.slider.addEventListener("input", () => this.#draw());
    this.opacity.addEventListener("input", () => this.#draw());
    document.querySelector("#in").addEventListener("click", () => this.zoom(STEP));
    document.querySelector("#out").addEventListener("click", () => this.zoom(1 / STEP));
    document.querySelector("#fit").addEventListener("click", () => this.whole());

    view.addEventListener("wheel", (event) => {
      event.preventDefault();
      const box = view.getBoundingClientRect();
      const factor = Math.exp(-Math.sign(event.deltaY) * 0.18);
      this.zoom(factor, event.clientX - box.left, event.clientY - box.top);
    }, { passive: false });
    view.addEventListener("dblclick", (event) => {
      const box = view.getBoundingClientRect();
      this.zoom(2, event.clientX - box.left, event.clientY - box.top);
    });
    const keys = {
      ArrowLeft: () => this.move(60, 0), ArrowRight: () => this.move(-60, 0),
      ArrowUp: () => this.move(0, 60), ArrowDown: () => this.move(0, -60),
      "+": () => this.zoom(STEP), "=": () => this.zoom(STEP),
      "-": () => this.zoom(1 / STEP), 0: () => this.whole(),
    };
    view.addEventListener("keydown", (event) => {
      if (!(event.key in keys) || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      keys[event.key]();
    });

    view.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      const divides = this.handle.contains(event.target);
      pointers.set(event.pointerId, { x: event.clientX, y: event.clientY, divides });
      view.setPointerCapture(event.pointerId);
      view.classList.add("dragged");
    });
    view.addEventListener("pointermove", (event) => this.#dragged(event));
    for (const name of ["pointerup", "pointercancel"]) {
      view.addEventListener(name, (event) => {
        pointers.delete(event.pointerId);
        view.classList.toggle("dragged", pointers.size > 0);
      });
    }
  }

  #dragged(event) {
    const old = this.pointers.get(event.pointerId);
    if (!old) return;
    const box = this.view.getBoundingClientRect();
    const now = { ...old, x: event.clientX, y: event.clientY };
    this.pointers.set(event.pointerId, now);
    if (old.divides) {
      const at = (100 * (event.clientX - box.left)) / box.width;
      this.slider.value = Math.min(Math.max(at, 0), 100);
      this.#draw();
    } else if (this.pointers.size === 2) {
      const other = [...this.pointers].find(([id]) => id !== event.pointerId)[1];
      const apart = (one) => Math.hypot(one.x - other.x, one.y - other.y) || 1;
      const x = (now.x + other.x) / 2 - box.left;
      const y = (now.y + other.y) / 2 - box.top;
      this.zoom(apart(now) / apart(old), x, y);
    } else {
      this.move(event.clientX - old.x, event.clientY - old.y);
    }
  }
}
