(() => {
  "use strict";
  // Rows over time, of several planes (statistics, or layers) between which a switch changes: a plane is one picture
  // whose bytes are turned back into values here. The layers are horizon graphs in rows that fold, filters are shades.
  const BANDS = 3, BAR = 5, LEAST = 100, TICK_ROOM = 78;
  const NARROW = 560, NARROW_GUTTER = 172;
  const CORE = 160, TAIL = 47, FIRST = TAIL + 1, SPREAD = 9999, WIDE = 8;
  const SVG = "http://www.w3.org/2000/svg";

  const make = (name, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  };
  const draw = (name, attributes) => {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  const grouped = number => number.toLocaleString("en-US");
  // A number in a few characters, with no digit that the error of `off` makes uncertain.
  const short = (value, off = 0) => {
    const digits = off > 0 && value !== 0 ? Math.max(1, Math.min(3, Math.floor(Math.log10(Math.abs(value) / off) + 0.5))) : 3;
    return dtuiReport.numberText(value, Math.abs(value) < 0.001 ? Math.min(2, digits) : digits);
  };

  const bytesOf = async url => {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = make("canvas", {width: image.naturalWidth, height: image.naturalHeight});
    const context = canvas.getContext("2d", {willReadFrequently: true});
    context.drawImage(image, 0, 0);
    return context.getImageData(0, 0, canvas.width, canvas.height).data;
  };

  const grown = share => Math.expm1(share * Math.log1p(SPREAD)) / SPREAD;
  const valueOf = (byte, [least, low, high, most]) => {
    if (byte === 0) return NaN;
    if (byte > FIRST + CORE) return high + (most - high) * grown((byte - FIRST - CORE) / TAIL);
    if (byte < FIRST) return low + (least - low) * grown((FIRST - byte) / TAIL);
    const share = (byte - FIRST) / CORE;
    return low * high > 0 && Math.max(low / high, high / low) > WIDE ? low * (high / low) ** share : low + (high - low) * share;
  };
  // How far a value may be from what was recorded: half a step of its byte. The ends of a row are exact.
  const errorOf = (byte, limits) => byte === 1 || byte === 255 ? 0 : Math.max(
    ...[byte - 1, byte + 1].map(other => Math.abs(valueOf(other, limits) - valueOf(byte, limits)))) / 2;
  const valuesOf = async plane => {
    const data = await bytesOf(plane.picture), columns = data.length / 4 / plane.limits.length;
    const bytes = plane.limits.map((_, row) => Uint8Array.from({length: columns}, (_, at) => data[4 * (row * columns + at)]));
    const values = bytes.map((line, row) => Float64Array.from(line, byte => valueOf(byte, plane.limits[row])));
    return {bytes, values};
  };

  const colourOf = text => [1, 3, 5].map(at => parseInt(text.slice(at, at + 2), 16));

  // One horizon graph, a pixel a column: the bands of a column stand on the lower edge, the highest in front.
  const paintBands = (values, scale, height, colours) => {
    const picture = new ImageData(values.length, height), data = picture.data;
    values.forEach((value, column) => {
      const size = Math.min(BANDS, Math.abs(value) / scale(column) * BANDS), side = value < 0 ? colours.negative : colours.positive;
      if (!(size > 0)) return;
      for (let y = 0; y < height; y++) {
        const band = Math.min(BANDS - 1, Math.ceil(size - (y + 0.5) / height) - 1);
        if (band < 0) break;
        data.set([...side[band], 255], 4 * ((height - 1 - y) * values.length + column));
      }
    });
    return picture;
  };

  // A value as a shade: its share of what the scale compares it with.
  const paintShades = (values, scale, height, {shades}) => {
    const picture = new ImageData(values.length, 1);
    values.forEach((value, column) => {
      if (Number.isNaN(value)) return;
      const at = Math.min(1, Math.abs(value) / scale(column)) * (shades.length - 1), from = Math.min(shades.length - 2, Math.floor(at));
      picture.data.set([...shades[from].map((part, k) => Math.round(part + (shades[from + 1][k] - part) * (at - from))), 255], 4 * column);
    });
    return picture;
  };

  const ticksOf = (first, stop, width) => {
    const least = Math.max(1, (stop - first) / Math.max(1, width / TICK_ROOM));
    const power = 10 ** Math.floor(Math.log10(least));
    const step = Math.round(power * [1, 2, 5, 10].find(factor => power * factor >= least));
    const ticks = [];
    for (let at = Math.ceil(first / step) * step; at <= stop; at += step) ticks.push(at);
    return ticks;
  };

  const bring = host => {
    const data = JSON.parse(document.getElementById(host.id + "-data").textContent);
    const [first, stop, columns] = data.axis, span = (stop - first) / columns, {margin, pitch, height} = data;
    let gutter = data.gutter;
    const colours = {};
    for (const name of ["positive", "negative", "shades"]) if (data[name]) colours[name] = data[name].map(colourOf);
    const paint = data.shades ? paintShades : paintBands;
    const rowsOf = () => data.planes[state.plane].rows ?? data.rows;
    const state = {plane: 0, scale: 0, open: new Set(data.open), over: null, iteration: null, width: 0, values: null, bytes: null, rows: []};
    const kept = new Map();
    const chapter = host.dataset.chapter;

    const select = make("select", {ariaLabel: data.switch});
    for (const source of data.groups) {
      const group = make("optgroup", {label: source});
      data.planes.forEach((plane, k) => {
        if (plane.source === source) group.append(make("option", {value: k, textContent: plane.choice}));
      });
      select.append(group);
    }
    select.value = "0";
    const scales = make("select", {ariaLabel: "Scale"}, ...data.scales.map((name, k) => make("option", {value: k, textContent: name})));
    const unfold = make("button", {type: "button", textContent: "unfold all"});
    const fold = make("button", {type: "button", textContent: "fold all"});
    const controls = make("div", {className: "controls"}, make("label", {}, `${data.switch} `, select));
    if (data.shades || data.rows.length > 1) controls.append(make("label", {}, "Scale ", scales));
    if (rowsOf().some(row => row.module)) controls.append(unfold, fold);
    const scale = make("p", {className: "scale"}), words = make("p", {className: "readout"});
    const names = make("div", {className: "names"});
    const canvas = make("canvas", {tabIndex: 0});
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", host.dataset.description + " Arrow keys move the crosshair.");
    const marks = draw("svg", {class: "marks", "aria-hidden": "true"});
    const axis = draw("svg", {class: "axis", "aria-hidden": "true"});
    const plot = make("div", {className: "plot"}, canvas, marks);
    const body = make("div", {className: "body"}, names, plot);
    host.replaceChildren(controls, make("div", {className: "drawn"}, scale, words, body, axis));
    host.classList.add("alive");

    const visible = () => {
      const seen = new Set();
      rowsOf().forEach((row, k) => {
        if (row.parent < 0 || (state.open.has(row.parent) && seen.has(row.parent))) seen.add(k);
      });
      return [...seen];
    };
    const column = () => state.iteration === null ? columns - 1
      : Math.max(0, Math.min(columns - 1, Math.floor((state.iteration + 0.5 - first) / span)));
    const placeOf = iteration => (iteration - first) / (stop - first) * state.width;
    // What the values of a row are compared with: one number of the plane, of the row, or of the column.
    const scaleOf = row => {
      const full = data.planes[state.plane].full[state.scale];
      return full.length === 1 ? () => full[0] : state.scale === 1 ? () => full[row] : at => full[at];
    };
    const isBad = (row, at) => (data.planes[state.plane].bad?.[row] ?? []).some(([from, to]) => from <= at && at < to);

    // --- what follows the crosshair
    const read = () => {
      const plane = data.planes[state.plane], at = column();
      const from = Math.ceil(first + at * span - 0.5), to = Math.max(from, Math.ceil(first + (at + 1) * span - 0.5) - 1);
      const when = from === to ? `iteration ${grouped(from)}` : `iterations ${grouped(from)}–${grouped(to)}`;
      const told = (row, column) => {
        if (!state.values || !(column >= 0) || Number.isNaN(state.values[row][column])) return "";
        return short(state.values[row][column], errorOf(state.bytes[row][column], plane.limits[row]));
      };
      names.querySelectorAll(".row").forEach(line => {
        const k = Number(line.dataset.row), cell = line.querySelector(".value");
        cell.textContent = told(k, state.iteration === null ? lastOf(k) : at);
        cell.classList.toggle("negative", cell.textContent.startsWith("−"));
        line.classList.toggle("over", k === state.over);
      });
      if (state.over !== null) {
        const row = rowsOf()[state.over];
        words.textContent = row.name + (row.about ? ` (${row.about})` : "") + ` · ${when} · ${plane.quantity} ` +
          (told(state.over, at) || "none") + (isBad(state.over, at) ? " · NaN or Inf" : "");
      } else {
        words.textContent = plane.quantity + (plane.rows ? ` in ${plane.choice}` : "") + (state.iteration === null ? ", last values" : ` · ${when}`);
      }
      const cross = marks.querySelector(".crosshair");
      if (!cross) return;
      cross.setAttribute("visibility", state.iteration === null ? "hidden" : "visible");
      if (state.iteration !== null) {
        cross.setAttribute("x1", placeOf(state.iteration + 0.5));
        cross.setAttribute("x2", placeOf(state.iteration + 0.5));
      }
    };
    const lastOf = row => state.values ? state.values[row].findLastIndex(value => !Number.isNaN(value)) : -1;

    // --- pictures
    const drawGraphs = rows => {
      const ratio = window.devicePixelRatio || 1, context = canvas.getContext("2d"), plane = data.planes[state.plane];
      canvas.width = Math.round(state.width * ratio);
      canvas.height = Math.round(rows.length * pitch * ratio);
      canvas.style.width = `${state.width}px`;
      canvas.style.height = `${rows.length * pitch}px`;
      if (!state.values) return;
      context.imageSmoothingEnabled = false;
      const one = make("canvas", {width: columns, height: data.shades ? 1 : height}), pen = one.getContext("2d");
      rows.forEach((row, place) => {
        pen.putImageData(paint(state.values[row], scaleOf(row), height, colours), 0, 0);
        context.drawImage(one, 0, Math.round(place * pitch * ratio), canvas.width, Math.round(height * ratio));
        context.fillStyle = data.bad;
        for (const [from, to] of plane.bad?.[row] ?? []) {
          const left = from / columns * canvas.width, width = Math.max(1.5 * ratio, (to - from) / columns * canvas.width);
          context.fillRect(left, (place * pitch + (height - BAR) / 2) * ratio, width, BAR * ratio);
        }
      });
    };
    const drawMarks = rows => {
      const whole = rows.length * pitch;
      marks.replaceChildren();
      marks.setAttribute("width", state.width);
      marks.setAttribute("height", whole);
      if (!data.shades) rows.forEach((_, place) => {
        const y = place * pitch + height + 0.5;
        marks.append(draw("line", {x1: 0, x2: state.width, y1: y, y2: y, class: "ground"}));
      });
      for (const stage of data.stages) {
        marks.append(draw("line", {x1: placeOf(stage), x2: placeOf(stage), y1: 0, y2: whole, class: "stage"}));
      }
      marks.append(draw("line", {y1: 0, y2: whole, class: "crosshair", visibility: "hidden"}));
      axis.replaceChildren(draw("line", {x1: gutter, x2: gutter + state.width, y1: 0.5, y2: 0.5, class: "ground"}));
      axis.setAttribute("width", gutter + state.width + margin);
      axis.setAttribute("height", 36);
      const write = (text, x, y, anchor) => {
        const label = draw("text", {x: gutter + x, y, "text-anchor": anchor});
        label.textContent = text;
        axis.append(label);
      };
      for (const tick of ticksOf(first, stop, state.width)) {
        const x = placeOf(tick);
        axis.append(draw("line", {x1: gutter + x, x2: gutter + x, y1: 0, y2: 5, class: "ground"}));
        write(grouped(tick), x, 16, x < TICK_ROOM / 4 ? "start" : x > state.width - TICK_ROOM / 4 ? "end" : "middle");
      }
      write("iteration", state.width / 2, 31, "middle");
    };
    const drawNames = rows => {
      const focused = document.activeElement?.closest?.(".row")?.dataset.row;
      names.replaceChildren(...rows.map(k => {
        const row = rowsOf()[k], label = row.detail ? `${row.label}  ${row.detail}` : row.label;
        const name = row.module ? make("button", {type: "button", className: "name", textContent: label})
          : make("span", {className: "name", textContent: label});
        name.title = row.name + (row.about ? ` (${row.about})` : "");
        name.style.paddingLeft = `${row.depth * (data.indent ?? 0) * (gutter < data.gutter ? 0.55 : 1) + (row.module || data.shades ? 0 : 12)}px`;
        if (row.module) {
          name.setAttribute("aria-expanded", String(state.open.has(k)));
          name.addEventListener("click", () => toggle(k));
        }
        name.style.lineHeight = `${height - 3}px`;
        const line = make("div", {className: "row"}, name, make("span", {className: "value"}));
        line.dataset.row = String(k);
        line.style.height = `${pitch}px`;
        return line;
      }));
      if (focused !== undefined) names.querySelector(`.row[data-row="${focused}"] button`)?.focus();
    };
    const drawScale = () => {
      const plane = data.planes[state.plane], full = plane.full[state.scale];
      const used = colours.shades ?? (plane.signed ? [...colours.negative].reverse().concat(colours.positive) : colours.positive);
      const swatches = used.map(colour => {
        const swatch = make("span", {className: "swatch"});
        swatch.style.background = `rgb(${colour.join(",")})`;
        return swatch;
      });
      const most = full.length === 1 ? short(full[0]) : state.scale === 1 ? "by row" : "by column";
      scale.replaceChildren(plane.signed ? (full.length === 1 ? `−${most}` : "−") : "0", ...swatches, most);
    };
    const redraw = () => {
      const rows = visible();
      state.rows = rows;
      drawNames(rows);
      drawScale();
      drawGraphs(rows);
      drawMarks(rows);
      read();
    };

    const toggle = row => {
      if (!state.open.delete(row)) state.open.add(row);
      redraw();
    };
    const choose = async plane => {
      state.plane = plane;
      if (!data.shades) state.scale = data.planes[plane].first;
      scales.value = String(state.scale);
      if (!kept.has(plane)) kept.set(plane, valuesOf(data.planes[plane]));
      const values = await kept.get(plane);
      if (state.plane !== plane) return;
      Object.assign(state, values, {over: null});
      redraw();
    };
    const resize = () => {
      gutter = host.parentElement.clientWidth < NARROW ? NARROW_GUTTER : data.gutter;
      host.style.setProperty("--gutter", `${gutter}px`);
      host.classList.toggle("narrow", gutter < data.gutter);
      const width = Math.max(LEAST, Math.floor(host.parentElement.clientWidth) - gutter - margin);
      if (width === state.width) return;
      state.width = width;
      redraw();
    };

    select.addEventListener("change", () => choose(Number(select.value)));
    scales.addEventListener("change", () => { state.scale = Number(scales.value); redraw(); });
    unfold.addEventListener("click", () => { state.open = new Set(rowsOf().flatMap((row, k) => row.module ? [k] : [])); redraw(); });
    fold.addEventListener("click", () => { state.open = new Set(); redraw(); });
    const point = event => {
      const box = canvas.getBoundingClientRect(), x = event.clientX - box.left;
      state.over = state.rows[Math.max(0, Math.min(state.rows.length - 1, Math.floor((event.clientY - box.top) / pitch)))];
      const at = Math.floor(first + x / state.width * (stop - first));
      dtuiReport.show(chapter, Math.max(Math.ceil(first), Math.min(Math.ceil(stop) - 1, at)));
      read();
    };
    const leave = () => {
      state.over = null;
      dtuiReport.show(chapter, null);
      read();
    };
    plot.addEventListener("mousemove", point);
    plot.addEventListener("mouseleave", leave);
    canvas.addEventListener("click", event => {
      point(event);
      if (rowsOf()[state.over].module) toggle(state.over);
    });
    canvas.addEventListener("blur", leave);
    canvas.addEventListener("keydown", event => {
      const place = state.rows.indexOf(state.over), at = state.iteration === null ? columns : column();
      const steps = {ArrowLeft: [at - 1, 0], ArrowRight: [at + 1, 0], Home: [0, 0], End: [columns - 1, 0], ArrowUp: [at, -1], ArrowDown: [at, 1]};
      if (event.key === "Escape") return leave();
      if (event.key === "Enter" && state.over !== null && rowsOf()[state.over].module) return toggle(state.over);
      if (!(event.key in steps)) return;
      event.preventDefault();
      const [wanted, down] = steps[event.key];
      state.over = state.rows[Math.max(0, Math.min(state.rows.length - 1, (place < 0 ? 0 : place) + down))];
      const shown = Math.max(0, Math.min(columns - 1, wanted));
      dtuiReport.show(chapter, Math.max(Math.ceil(first), Math.floor(first + (shown + 0.5) * span)));
      read();
    });
    dtuiReport.listen(chapter, iteration => { state.iteration = iteration; read(); });
    new ResizeObserver(resize).observe(host.parentElement);
    resize();
    dtuiReport.rows[host.id] = state;
    return choose(0);
  };

  dtuiReport.bringNear(".rows", bring);
})();
