(() => {
  "use strict";
  // Every chart of a chapter shares one crosshair: the iteration under the pointer is set in all of them.
  const chapters = new Map();
  const views = {};
  const pageSettings = {ast: true, actions: false, renderer: "svg", tooltip: false, defaultStyle: false, hover: false};

  const chapterOf = name => {
    if (!chapters.has(name)) chapters.set(name, {views: [], listeners: [], iteration: null, waiting: false});
    return chapters.get(name);
  };

  const show = (name, iteration) => {
    const chapter = chapterOf(name);
    if (chapter.iteration === iteration) return;
    chapter.iteration = iteration;
    if (chapter.waiting) return;
    chapter.waiting = true;
    requestAnimationFrame(() => {
      chapter.waiting = false;
      for (const view of chapter.views) view.signal("iteration", chapter.iteration).runAsync();
      for (const heard of chapter.listeners) heard(chapter.iteration);
    });
  };

  // A chart is as wide as its place. In a narrow one its names stand above, and little stays left of the time axis.
  const NARROW = 560, LEAST = 160;
  const layoutOf = (host, spec) => {
    const room = Math.floor(host.parentElement.clientWidth), narrow = room < NARROW && Boolean(spec.usermeta?.narrow);
    const padding = {...spec.padding, ...(narrow ? spec.usermeta.narrow : {})};
    return {narrow, padding, width: Math.max(LEAST, room - padding.left - padding.right)};
  };
  const fit = (view, {narrow, padding, width}) => view.signal("narrow", narrow).padding(padding).width(width);

  const followPointer = (host, view, name) => {
    host.addEventListener("mousemove", event => {
      const scale = view.scale("x"), [first, stop] = scale.domain();
      const x = event.clientX - host.getBoundingClientRect().left - view.padding().left;
      const iteration = Math.min(Math.ceil(stop) - 1, Math.max(Math.ceil(first), Math.floor(scale.invert(x))));
      show(name, x >= 0 && x < view.width() ? iteration : null);
    });
    // Not "mouseout": that also comes when the crosshair appears under a pointer that rests.
    host.addEventListener("mouseleave", () => show(name, null));
  };

  const pixelsOf = async url => {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = image.naturalWidth;
    canvas.height = image.naturalHeight;
    const context = canvas.getContext("2d", {willReadFrequently: true});
    context.drawImage(image, 0, 0);
    return context.getImageData(0, 0, canvas.width, canvas.height);
  };

  // Pictures carry their values: a colour is the position of the value in the palette; null where nothing is drawn.
  const levelsIn = palette => {
    const levels = new Map(palette.map((colour, level) => [colour, level / (palette.length - 1)]));
    return ({data, width}, column, row) => {
      const at = 4 * (row * width + column);
      return data[at + 3] ? levels.get((data[at] << 16) | (data[at + 1] << 8) | data[at + 2]) ?? null : null;
    };
  };

  const readBack = async (view, spec) => {
    const valueAt = levelsIn(spec.usermeta.palette);
    const rows = spec.data.find(data => data.name === "rows").values;
    const pictures = await Promise.all(rows.map(row => pixelsOf(row.url)));
    let waiting = false;
    const refresh = () => {
      waiting = false;
      const column = view.signal("shown"), over = view.signal("over"), idle = view.signal("iteration") === null;
      const values = idle ? null : rows.map((row, k) => row.names.length > 1 ? null : valueAt(pictures[k], column, 0));
      view.signal("values", values);
      view.signal("value", over ? valueAt(pictures[over.id], column, over.row) : null);
      view.runAsync();
    };
    // Listeners are called while the view computes; what they change must wait until it has.
    const later = () => {
      if (!waiting) requestAnimationFrame(refresh);
      waiting = true;
    };
    for (const name of ["shown", "iteration", "over"]) view.addSignalListener(name, later);
  };

  const goTo = target => {
    const row = document.getElementById(target);
    if (!row) return;
    document.querySelectorAll("tr.chosen").forEach(other => other.classList.remove("chosen"));
    row.classList.add("chosen");
    row.scrollIntoView({block: "center"});
    row.focus({preventScroll: true});
  };

  const bring = async host => {
    const spec = JSON.parse(document.getElementById(host.id + "-spec").textContent);
    let layout = layoutOf(host, spec);
    spec.width = layout.width;
    const fresh = document.createElement("div");
    const {view} = await vegaEmbed(fresh, spec, {...pageSettings, mode: host.dataset.mode});
    if (layout.narrow) await fit(view, layout).runAsync();
    host.replaceChildren(fresh);
    host.classList.add("alive");
    const name = host.dataset.chapter;
    followPointer(host, view, name);
    if (spec.usermeta && spec.usermeta.decode) await readBack(view, spec);
    view.addEventListener("click", (event, item) => {
      if (item && item.datum && typeof item.datum.target === "string") goTo(item.datum.target);
    });
    chapterOf(name).views.push(view);
    views[host.id] = view;
    window.dtuiReport.steer(host, view, spec, goTo); // by keys.js, or kept for it
    new ResizeObserver(() => {
      const next = layoutOf(host, spec);
      if (next.width === layout.width && next.narrow === layout.narrow) return;
      layout = next;
      fit(view, layout).runAsync();
    }).observe(host.parentElement);
  };

  const bringNear = (selector, bring) => {
    const coming = new IntersectionObserver(entries => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        coming.unobserve(entry.target);
        bring(entry.target).catch(error => console.error(entry.target.id, error));
      }
    }, {rootMargin: "600px"});
    document.querySelectorAll(selector).forEach(host => coming.observe(host));
  };
  bringNear(".chart", bring);

  document.querySelectorAll("tr[data-iteration], .card[data-iteration]").forEach(row => {
    row.addEventListener("mouseenter", () => show(row.dataset.chapter, Number(row.dataset.iteration)));
    row.addEventListener("mouseleave", () => show(row.dataset.chapter, null));
  });

  // The twin of `number_text`: no exponents, commas in thousands, words for millions.
  const RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹", WORDS = [["trillion", 1e12], ["billion", 1e9], ["million", 1e6]];
  const numberText = (value, digits = 3) => {
    const size = Number(Math.abs(value).toPrecision(digits)), sign = value < 0 ? "−" : "";
    const written = number => number.toLocaleString("en-US", {maximumFractionDigits: 20});
    if (size === 0) return "0";
    if (size < 1e-5 || size >= 1e15) {
      const [shown, power] = size.toExponential().split("e").map(Number);
      return `${sign}${shown}·10${power < 0 ? "⁻" : ""}${[...String(Math.abs(power))].map(digit => RAISED[digit]).join("")}`;
    }
    const [word, unit] = WORDS.find(([, unit]) => size >= unit) ?? ["", 1];
    return sign + (word ? `${written(Number((size / unit).toPrecision(digits)))}\u00a0${word}` : written(size));
  };

  const kept = [];
  const steer = (...chart) => kept.push(chart), listen = (name, heard) => chapterOf(name).listeners.push(heard);
  window.dtuiReport = {numberText, views, rows: {}, kept, steer, show, listen, bringNear, pixelsOf, levelsIn};
})();
