// The frame: app name, pages, what is always true of every page. The address always says what is shown.
function render({ model, el }) {
  const bar = document.createElement("header");
  bar.className = "crmlab-header";
  const name = document.createElement("span");
  name.className = "name";
  name.textContent = model.get("name");
  const nav = document.createElement("nav");
  nav.ariaLabel = model.get("label");
  const facts = document.createElement("dl");
  for (const [term, text, title] of model.get("facts")) {
    const dt = Object.assign(document.createElement("dt"), { textContent: term });
    const dd = Object.assign(document.createElement("dd"), { textContent: text, title: title ?? text });
    const pair = document.createElement("div");
    pair.append(dt, dd);
    facts.append(pair);
  }

  const links = Object.entries(model.get("pages")).map(([page, label]) => {
    const link = Object.assign(document.createElement("a"), { href: `?page=${page}`, textContent: label });
    link.onclick = (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a new tab is a viewer of its own
      event.preventDefault();
      performance.mark("crmlab-go");
      model.set("page", page);
      model.save_changes();
    };
    nav.append(link);
    return [page, link];
  });
  const places = {}; // how far down each list was read
  let shown = model.get("page");
  let whom = model.get("customer");
  const place = (page, customer) => {
    if (page === shown && (customer ?? whom) === whom) return;
    places[shown] = scrollY;
    shown = page;
    whom = customer ?? whom;
    const top = page === "customer" ? 0 : places[page] ?? 0; // a customer is read from the top
    const until = performance.now() + 5000; // the page itself comes a moment later, and on a busy machine two
    let moved = false; // by the reader, who is not pulled back
    for (const how of ["wheel", "pointerdown", "keydown"]) addEventListener(how, () => (moved = true), { once: true, passive: true });
    const go = () => {
      if (page !== shown || moved) return;
      scrollTo(0, top);
      if (Math.abs(scrollY - top) > 1 && performance.now() < until) return requestAnimationFrame(go);
      // Who walks by keyboard goes on from the row that was opened.
      const row = [...document.querySelectorAll("tr[aria-selected='true']")].find((one) => one.offsetParent);
      if (document.activeElement === document.body) row?.focus({ preventScroll: true });
    };
    go();
  };
  const show = () => {
    const page = model.get("page");
    const customer = page === "customer" ? model.get("customer") : null;
    for (const [name, link] of links) name === page ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
    document.title = [customer, model.get("pages")[page] ?? page, model.get("name")].filter(Boolean).join(" · ");
    if (!window.crmlabServed) return; // a notebook's address is not ours
    place(page, customer);
    const address = new URL(location);
    const before = address.searchParams.get("page");
    if (page !== before) address.hash = ""; // a place on the page before
    address.searchParams.set("page", page);
    customer ? address.searchParams.set("customer", customer) : address.searchParams.delete("customer");
    if (address.href !== location.href) history[before ? "pushState" : "replaceState"](null, "", address);
  };
  const back = () => {
    const asked = new URL(location).searchParams;
    const page = asked.get("page");
    if (!page) return;
    // Both at once: a state between the two would be taken for a step of the reader.
    model.set(page === "customer" ? { page, customer: asked.get("customer") } : { page });
    model.save_changes();
  };

  bar.append(name, nav, facts);
  el.append(bar);
  model.on("change:page change:customer", show);
  window.addEventListener("popstate", back);
  if (window.crmlabServed) history.scrollRestoration = "manual"; // the browser would move before the page has come
  const tall = new ResizeObserver(() => document.documentElement.style.setProperty("--crmlab-header", `${bar.offsetHeight}px`));
  tall.observe(bar); // what sticks below it must know
  show();
  document.getElementById("crmlab-loading")?.remove();
  return () => {
    tall.disconnect();
    window.removeEventListener("popstate", back);
  };
}

export default { render };
