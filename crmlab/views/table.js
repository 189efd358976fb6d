// A list: sort by heading, search, pages, download. Rows come from the kernel, one page at a time.
function element(tag, attributes = {}, ...children) {
  const made = Object.assign(document.createElement(tag), attributes);
  made.append(...children);
  return made;
}

function save(content, bytes) {
  const url = URL.createObjectURL(new Blob([bytes], { type: content.mime }));
  const link = element("a", { href: url, download: content.file });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

function render({ model, el }) {
  const words = model.get("words");
  const head = model.get("head");
  const numeric = new Set(["money", "change", "count", "percent"]);
  const ask = (change) => {
    model.set("ask", { ...model.get("ask"), ...change });
    model.save_changes();
  };
  const open = (key) => {
    document.activeElement?.blur(); // what was found is no longer looked for
    model.send({ open: key }); // not by `value`: the same row may be opened again
  };

  let typing;
  const search = element("input", { type: "search", placeholder: words.search, ariaLabel: words.search });
  const seek = () => ask({ search: search.value, from: 0 });
  search.oninput = () => {
    clearTimeout(typing);
    typing = setTimeout(seek, 200);
  };
  search.onkeydown = (event) => {
    if (event.key !== "Enter" || !model.get("opens") || !search.value.trim()) return;
    clearTimeout(typing);
    search.blur(); // what was found is no longer looked for
    model.send({ enter: search.value });
  };
  const files = ["csv", "xlsx"].map((kind) => {
    const label = kind === "csv" ? words.csv : words.excel;
    const button = element("button", { type: "button", className: "file", title: label }, label);
    button.dataset.kind = kind;
    button.onclick = () => {
      Object.assign(button, { disabled: true, textContent: words.busy });
      model.send({ want: kind });
    };
    return button;
  });
  const range = element("span", { className: "range", ariaLive: "polite" });
  const turn = (label, sign, by) => {
    const button = element("button", { type: "button", ariaLabel: label, title: label }, sign);
    button.onclick = () => ask({ from: model.get("page").from + by * model.get("page").size });
    return button;
  };
  const previous = turn(words.previous, "‹", -1);
  const next = turn(words.next, "›", 1);

  const titles = head.map((column) => {
    const button = element("button", { type: "button" }, column.label);
    button.onclick = () => {
      const { sort, down } = model.get("ask");
      const same = sort === column.name;
      ask({ sort: column.name, down: same ? !down : numeric.has(column.form), from: 0 });
    };
    return element("th", { scope: "col", className: column.form }, button);
  });
  const body = element("tbody");
  const empty = element("p", { className: "sentence" }, words.empty);
  const grid = element("table", {}, element("thead", {}, element("tr", {}, ...titles)), body);

  const cell = (text, column) => {
    const made = element("td", { className: column.form }, text);
    if (column.form === "dot") {
      const dot = element("i", { className: "dot" });
      dot.style.background = model.get("colours")[text] ?? "#8a8a8a";
      made.prepend(dot);
    }
    return made;
  };
  const row = (values, key) => {
    const made = element("tr", {}, ...values.map((text, i) => cell(text, head[i])));
    if (!model.get("opens") || key === null) return made; // a lead may be nobody's yet
    made.tabIndex = 0;
    made.dataset.key = key;
    made.ariaSelected = String(key === model.get("value"));
    made.onclick = () => open(key);
    made.onkeydown = (event) => {
      if (event.key === "Enter" || event.key === " ") open(key);
      else if (event.key === "ArrowDown") made.nextElementSibling?.focus();
      else if (event.key === "ArrowUp") made.previousElementSibling?.focus();
      else return;
      event.preventDefault();
    };
    return made;
  };
  const draw = () => {
    const page = model.get("page");
    el.dataset.search = page.search;
    el.dataset.pages = Math.ceil(page.total / page.size);
    body.replaceChildren(...page.rows.map((values, i) => row(values, page.keys[i])));
    [grid.tHead, body].forEach((part) =>
      [...part.rows].forEach((line) => [...line.cells].forEach((cell, i) => (cell.hidden = page.hidden[i]))));
    empty.hidden = page.total > 0;
    range.textContent = page.range;
    previous.disabled = page.from === 0;
    next.disabled = page.from + page.size >= page.total;
    for (const button of files) button.disabled = page.total === 0;
    const { sort, down } = model.get("ask");
    titles.forEach((title, i) => (title.ariaSort = head[i].name !== sort ? "none" : down ? "descending" : "ascending"));
    el.dataset.total = page.total;
  };

  model.on("change:page", draw);
  model.on("change:value", draw);
  model.on("msg:custom", (content, buffers) => {
    save(content, buffers[0]);
    for (const button of files) {
      Object.assign(button, { disabled: false, textContent: button.title });
    }
  });
  el.classList.add("crmlab-table");
  el.append(
    element("div", { className: "bar" }, search, range, previous, next, element("span", { className: "gap" }), ...files),
    element("div", { className: "scroll" }, grid, empty),
  );
  draw();
}

export default { render };
