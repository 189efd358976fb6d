// Whether the part of a page around it is in sight, or nearly.
function render({ model, el }) {
  let gone = false;
  const observer = new IntersectionObserver(
    (entries) => {
      model.set("is_seen", entries.at(-1).isIntersecting);
      model.save_changes();
    },
    { rootMargin: "300px" },
  );
  const watch = () => {
    if (gone) return;
    const around = el.closest(".crmlab-later"); // not there before the page has taken the widget in
    if (around) observer.observe(around);
    else requestAnimationFrame(watch);
  };
  watch();
  return () => {
    gone = true;
    observer.disconnect();
  };
}

export default { render };
