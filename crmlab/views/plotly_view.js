// One figure. plotly.js is loaded once a page: the template's copy where crmlab serves, the kernel's copy in a notebook.
let loading;

function plotly(model) {
  if (window.Plotly) return Promise.resolve(window.Plotly);
  loading ??= new Promise((done) => {
    const script = document.getElementById("crmlab-plotly");
    if (script) return script.addEventListener("load", () => done(window.Plotly));
    model.on("msg:custom", (_, [source]) => {
      const tag = document.createElement("script");
      tag.src = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
      tag.onload = () => done(window.Plotly);
      document.head.append(tag);
    });
    model.send({ want: "plotly.js" });
  });
  return loading;
}

// The chosen points are the model's, so a redraw, another view and a deep link all show the same.
function mark(data, chosen) {
  const keys = new Set(chosen.map(String));
  for (const trace of data) {
    if (trace.customdata) {
      const points = trace.customdata.flatMap((key, i) => (keys.has(String(key)) ? [i] : []));
      trace.selectedpoints = keys.size ? points : null;
    }
  }
}

function keyboard(Plotly, box, choose) {
  let at = -1;
  box.addEventListener("keydown", (event) => {
    const points = (box.data ?? []).flatMap((trace, curveNumber) =>
      (trace.customdata ?? []).flatMap((key, pointNumber) => (key === null ? [] : [{ curveNumber, pointNumber, key }])));
    if (!points.length) return;
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (step) at = at < 0 ? (step > 0 ? 0 : points.length - 1) : (at + step + points.length) % points.length;
    else if (event.key === "Enter" && points[at]) choose([points[at].key]);
    else return;
    event.preventDefault();
    if (points[at]) Plotly.Fx.hover(box, [{ curveNumber: points[at].curveNumber, pointNumber: points[at].pointNumber }]);
  });
  box.addEventListener("blur", () => Plotly.Fx.unhover(box));
}

function render({ model, el }) {
  const box = document.createElement("div");
  box.className = "crmlab-figure";
  el.append(box);
  let drawn = Promise.resolve();
  let gone = false;

  const choose = (points) => {
    model.set("value", String(points) === String(model.get("value")) ? [] : points); // the same again lets go
    model.save_changes();
  };
  const keys = (event) => (event?.points ?? []).map((point) => point.customdata).filter((key) => key != null && key !== "");
  const draw = async () => {
    const Plotly = await plotly(model);
    if (gone) return;
    const first = !box.data;
    const { data, layout } = structuredClone(model.get("figure")); // plotly writes into what it is given
    mark(data, model.get("value"));
    await Plotly.react(box, data, layout, { displayModeBar: false });
    box.dataset.draws = 1 + Number(box.dataset.draws ?? 0);
    if (!first) return;
    performance.mark("crmlab-figure");
    for (const name of ["plotly_click", "plotly_selected"]) box.on(name, (event) => keys(event).length && choose(keys(event)));
    if (data.some((trace) => trace.customdata)) {
      box.tabIndex = 0;
      box.setAttribute("role", "group");
      keyboard(Plotly, box, choose);
    }
  };
  // In order and always the newest state: nothing set before the page connected is lost, nothing old comes last.
  const redraw = () => (drawn = drawn.then(draw).catch(console.error));
  const resized = new ResizeObserver(() => {
    if (box.data && box.clientWidth) window.Plotly.Plots.resize(box);
  });
  box.setAttribute("aria-label", model.get("label"));
  model.on("change:figure change:value", redraw);
  resized.observe(box);
  redraw();
  return () => {
    gone = true;
    resized.disconnect();
    window.Plotly?.purge(box);
  };
}

export default { render };
