(() => {
  "use strict";
  // The cube: what belongs to a place is shown in all three faces while the pointer is there, and kept after a click.
  const NAMES = ["front", "top", "right"];
  const SVG = "http://www.w3.org/2000/svg";
  const calm = matchMedia("(prefers-reduced-motion: reduce)");

  const start = svg => {
    const cube = JSON.parse(svg.dataset.cube);
    const faces = {}, over = {}, hits = {};
    for (const name of NAMES) {
      faces[name] = svg.querySelector(`[data-face="${name}"]`);
      over[name] = faces[name].querySelector("[data-part=over]");
      hits[name] = faces[name].querySelector("[data-part=hit]");
      over[name].style.pointerEvents = "none";
    }
    const height = cube.row * cube.layers.length, depth = cube.unit * cube.rows.length;
    const sizes = {front: [cube.width, height], top: [cube.width, depth], right: [depth, height]};
    const span = cube.stop - cube.first;
    const xOf = at => (at + 0.5 - cube.first) / span * cube.width;
    const words = document.createElement("p");
    words.className = "words";
    words.setAttribute("aria-live", "polite");
    const flip = document.createElement("button");
    flip.className = "switch";
    flip.type = "button";

    // --- oblique and flat
    const inner = svg.querySelector("[data-part=inner]"), labels = svg.querySelectorAll("[data-depth]");
    const box = svg.viewBox.baseVal, place = inner.transform.baseVal.consolidate().matrix;
    const oblique = {height: box.height, top: place.f};
    const flat = {height: box.height + depth * (1 + cube.oblique.top[3]) + 36, top: place.f + depth * (1 + cube.oblique.top[3]) + 10};
    let shown = 0, wanted = 0;
    const mix = (a, b) => a + (b - a) * shown;
    const lay = () => {
      const matrices = {};
      for (const name of NAMES) {
        matrices[name] = cube.oblique[name].map((value, k) => mix(value, cube.flat[name][k]));
        faces[name].setAttribute("transform", `matrix(${matrices[name].join(" ")})`);
      }
      const [, , c, d, , f] = matrices.top;
      for (const label of labels) {
        const at = Number(label.dataset.depth);
        label.setAttribute("x", c * at - 9);
        label.setAttribute("y", d * at + f + 4);
      }
      const tall = mix(oblique.height, flat.height);
      svg.setAttribute("viewBox", `0 0 ${box.width} ${tall}`);
      svg.setAttribute("height", tall);
      inner.setAttribute("transform", `translate(${place.e} ${mix(oblique.top, flat.top)})`);
      for (const name of turned) name.setAttribute("fill-opacity", Math.max(0, 2 * shown - 1));
    };
    // Unfolded, the classes at the right have their names below them too.
    const turned = cube.rows.map((name, row) => {
      const text = document.createElementNS(SVG, "text");
      const x = (row + 0.5) * cube.unit;
      text.setAttribute("transform", `translate(${x + 4} ${height + 10}) rotate(-60)`);
      text.setAttribute("text-anchor", "end");
      text.setAttribute("font-size", cube.unit < 12 ? 8 : 10);
      text.setAttribute("fill", "#1c2430");
      text.textContent = name.length > 11 ? `${name.slice(0, 10)}…` : name;
      faces.right.append(text);
      return text;
    });
    const turn = () => {
      wanted = 1 - wanted;
      flip.textContent = wanted ? "Fold into a cube" : "Unfold the faces";
      flip.setAttribute("aria-pressed", String(Boolean(wanted)));
      const from = shown, begin = performance.now();
      if (calm.matches) {
        shown = wanted;
        lay();
        return;
      }
      const step = now => {
        const part = Math.min(1, (now - begin) / 600), eased = part * part * (3 - 2 * part);
        shown = from + (wanted - from) * eased;
        lay();
        if (part < 1) requestAnimationFrame(step);
      };
      requestAnimationFrame(step);
    };
    flip.textContent = "Unfold the faces";
    flip.setAttribute("aria-pressed", "false");
    flip.addEventListener("click", turn);

    // --- values, read back from the pictures: a colour is its place in the palette
    const values = {};
    const read = async name => {
      const element = faces[name].querySelector("[data-shades]");
      if (!element) return;
      const picture = await dtuiReport.pixelsOf(element.getAttribute("href"));
      const valueAt = dtuiReport.levelsIn(name === "top" ? cube.errors : cube.usual);
      values[name] = (row, column) => valueAt(picture, Math.min(picture.width - 1, column), row);
    };
    read("front");
    read("top");

    // --- picks
    const whole = value => Math.round(value).toLocaleString("en-US");
    const count = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;
    const stretch = (from, to) => from === to ? `iteration ${whole(from)}` : `iterations ${whole(from)}–${whole(to)}`;
    const fits = pick => cube.events.filter(event =>
      (pick.row === undefined || event.row === pick.row) &&
      (pick.layer === undefined || pick.layer in event.layers) &&
      (pick.from === undefined || (event.at >= pick.from && event.at < pick.to)));
    const rect = (name, x, y, width, tall, fill, opacity) => {
      const made = document.createElementNS(SVG, "rect");
      for (const [key, value] of Object.entries({x, y, width, height: tall, fill, "fill-opacity": opacity}))
        made.setAttribute(key, value);
      over[name].append(made);
    };
    const say = (pick, found) => {
      const parts = [];
      if (pick.row !== undefined) parts.push(cube.rows[pick.row]);
      if (pick.layer !== undefined) parts.push(cube.layers[pick.layer]);
      if (pick.from !== undefined) parts.push(stretch(Math.max(0, Math.round(pick.from)), Math.round(pick.to - 1)));
      const column = pick.from === undefined ? null : Math.floor((pick.at - cube.first) / span * cube.columns);
      if (column !== null && pick.row !== undefined && values.top) {
        const error = values.top(pick.row, column);
        if (error !== null) parts.push(`error ${(100 * error).toFixed(1)}\u00a0%`);
      }
      if (column !== null && pick.layer !== undefined && values.front) {
        const shade = values.front(pick.layer, column);
        if (shade !== null) parts.push(`${cube.quantity} ${(10 ** (2 * shade - 1)).toPrecision(2)} times its usual`);
      }
      const told = found.slice(0, 4).map(event => {
        const moved = pick.layer === undefined
          ? Object.entries(event.layers).sort((a, b) => b[1] - a[1]).slice(0, 3).map(([layer, n]) => n ? `${cube.layers[layer]} ${n}` : cube.layers[layer]).join(", ")
          : event.layers[pick.layer] ? count(event.layers[pick.layer], "filter") : "named by the incident";
        return `${cube.rows[event.row]} at ${whole(event.at)}: ${moved}`;
      });
      const more = found.length > 4 ? `; ${found.length - 4} more` : "";
      words.textContent = `${parts.join(" · ")} — ${found.length ? told.join("; ") + more : "no incident here"}`;
    };
    const light = (pick, isKept) => {
      for (const name of NAMES) over[name].replaceChildren();
      if (pick === null) {
        words.textContent = "Point at the cube, or press an arrow key in it; click or Enter keeps, Esc lets go.";
        return;
      }
      const found = fits(pick);
      const rows = new Set(found.map(event => event.row)), layers = new Set();
      for (const event of found) for (const layer of Object.keys(event.layers)) layers.add(Number(layer));
      if (pick.layer !== undefined) {
        layers.clear();
        layers.add(pick.layer);
      }
      if (pick.row !== undefined) rows.add(pick.row);
      const veil = isKept ? 0.78 : 0.6;
      cube.layers.forEach((_, layer) => {
        if (layers.has(layer)) return;
        rect("front", 0, layer * cube.row, cube.width, cube.row, "#ffffff", veil);
        rect("right", 0, layer * cube.row, depth, cube.row, "#ffffff", veil);
      });
      cube.rows.forEach((_, row) => {
        if (rows.has(row)) return;
        rect("top", 0, row * cube.unit, cube.width, cube.unit, "#ffffff", veil);
        rect("right", row * cube.unit, 0, cube.unit, height, "#ffffff", veil);
      });
      for (const event of found) for (const name of ["front", "top"])
        rect(name, xOf(event.at) - 0.75, 0, 1.5, sizes[name][1], "#cf2a3c", 0.8);
      if (pick.at !== undefined) for (const name of ["front", "top"])
        rect(name, (pick.at - cube.first) / span * cube.width - 0.5, 0, 1, sizes[name][1], "#1c2430", 0.8);
      say(pick, found);
    };
    // A little tolerance: an incident is a few pixels wide, and the pointer is not exact.
    const around = x => {
      const reach = Math.max(span / cube.columns / 2, 4 / cube.width * span), at = cube.first + x / cube.width * span;
      return {at, from: Math.ceil(at - reach), to: Math.floor(at + reach) + 1};
    };
    const clamp = (value, stop) => Math.max(0, Math.min(stop - 1, Math.floor(value)));
    const pickAt = (name, event) => {
      const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(hits[name].getScreenCTM().inverse());
      if (name === "front") return {layer: clamp(point.y / cube.row, cube.layers.length), ...around(point.x)};
      if (name === "top") return {row: clamp(point.y / cube.unit, cube.rows.length), ...around(point.x)};
      return {row: clamp(point.x / cube.unit, cube.rows.length), layer: clamp(point.y / cube.row, cube.layers.length)};
    };
    let kept = null;
    // Where nothing happened at a place in time, what belongs to its layer or class in the whole run is shown.
    const widened = pick => {
      if (fits(pick).length || pick.from === undefined) return pick;
      return pick.row === undefined ? {layer: pick.layer, at: pick.at} : {row: pick.row, at: pick.at};
    };
    for (const name of NAMES) {
      hits[name].style.cursor = "crosshair";
      hits[name].addEventListener("mousemove", event => {
        if (kept === null) light(widened(pickAt(name, event)), false);
      });
      hits[name].addEventListener("mouseleave", () => {
        if (kept === null) light(null, false);
      });
      hits[name].addEventListener("click", event => {
        kept = kept === null ? widened(pickAt(name, event)) : null;
        light(kept ?? widened(pickAt(name, event)), kept !== null);
      });
    }
    let layer = 0, row = 0, step = -1;
    const byTime = [...cube.events].sort((a, b) => a.at - b.at);
    svg.addEventListener("keydown", event => {
      const moves = {ArrowDown: 1, ArrowUp: -1, ArrowRight: 1, ArrowLeft: -1};
      if (event.key === "Escape") kept = null;
      else if (event.key === "Enter") turn();
      else if (!(event.key in moves)) return;
      event.preventDefault();
      const by = moves[event.key];
      if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
        step = Math.max(0, Math.min(byTime.length - 1, step + by));
        const at = byTime[step].at;
        kept = {at: at + 0.5, from: at, to: at + 1};
      } else if (by !== undefined && event.shiftKey) {
        row = clamp(row + by, cube.rows.length);
        kept = {row};
      } else if (by !== undefined) {
        layer = clamp(layer + by, cube.layers.length);
        kept = {layer};
      }
      light(kept, true);
    });
    const figure = svg.closest("figure");
    const caption = figure.querySelector("figcaption");
    const host = figure.querySelector(".cube-parts") ?? document.createElement("div");
    host.className = "cube-parts";
    if (caption) caption.before(host); else figure.append(host);
    const part = document.createElement("div");
    part.append(flip, words);
    host.append(part);
    // Of the wide and the narrow picture one is hidden; so are its switch and its words.
    const follow = () => { part.hidden = svg.getClientRects().length === 0; };
    new ResizeObserver(follow).observe(figure);
    follow();
    light(null, false);
    lay();
  };

  for (const svg of document.querySelectorAll("svg[data-cube]")) {
    try {
      start(svg);
    } catch (error) {
      console.error("dtui: the cube stays as it is drawn", error);
    }
  }
})();
