// Pictures of an answer: chosen, dropped or pasted, shown small, taken out again. Without this the field of files works by itself.
(() => {
  "use strict";
  const MEGABYTE = 1024 * 1024;
  const KINDS = new Set(["image/jpeg", "image/png", "image/webp"]);
  const kept = new Map(); // the form's address → files: a card that is drawn anew keeps them

  const fieldOf = (element) => element?.closest?.("form")?.querySelector("[data-choose-pictures]");
  const inputOf = (field) => field.querySelector("input[type=file]");
  const keyOf = (field) => field.closest("form").getAttribute("action");
  const filesOf = (field) => kept.get(keyOf(field)) ?? [];
  const named = (words, name) => words.replace("{name}", name);

  // Why these may not all go; "" when they may.
  const trouble = (field, files) => {
    const { most, megabytes, saidMany, saidLarge, saidType } = field.dataset;
    const odd = files.find((file) => !KINDS.has(file.type));
    if (odd) return named(saidType, odd.name);
    const large = files.find((file) => file.size > Number(megabytes) * MEGABYTE);
    if (large) return named(saidLarge, large.name);
    return files.length > Number(most) ? saidMany : "";
  };
  const complain = (field, words) => { field.closest("form").querySelector(".form-error").textContent = words; };

  const item = (field, file, at) => {
    const line = document.createElement("li"), picture = document.createElement("img"), remove = document.createElement("button");
    picture.alt = file.name;
    picture.width = 64;
    picture.height = 64;
    const reader = new FileReader(); // the page's policy lets pictures be data, not blobs
    reader.addEventListener("load", () => { picture.src = reader.result; });
    reader.readAsDataURL(file);
    remove.type = "button";
    remove.textContent = "×";
    remove.setAttribute("aria-label", named(field.dataset.remove, file.name));
    remove.addEventListener("click", () => {
      set(field, filesOf(field).filter((_, index) => index !== at));
      complain(field, "");
      (field.querySelectorAll("[data-chosen] button")[Math.max(at - 1, 0)] ?? inputOf(field)).focus();
    });
    line.append(picture, remove);
    return line;
  };
  const show = (field) => {
    const files = filesOf(field), list = field.querySelector("[data-chosen]");
    field.dataset.ready = "";
    list.replaceChildren(...files.map((file, at) => item(field, file, at)));
    list.hidden = files.length === 0;
  };
  const set = (field, files) => {
    kept.set(keyOf(field), files);
    const transfer = new DataTransfer();
    for (const file of files) transfer.items.add(file);
    inputOf(field).files = transfer.files;
    show(field);
    field.querySelector("[data-said]").textContent = field.dataset.count.replace("{n}", String(files.length));
  };
  const add = (field, more) => {
    const files = [...filesOf(field), ...more];
    const words = trouble(field, files);
    complain(field, words);
    set(field, words ? filesOf(field) : files);
  };
  const picturesOf = (transfer) => [...(transfer?.files ?? [])].filter((file) => file.type.startsWith("image/"));

  document.addEventListener("change", (event) => {
    const field = event.target.matches?.("[data-choose-pictures] input[type=file]") ? fieldOf(event.target) : null;
    if (field) add(field, [...event.target.files]);
  });
  document.addEventListener("paste", (event) => {
    const field = event.target.matches?.("textarea") ? fieldOf(event.target) : null;
    const files = picturesOf(event.clipboardData);
    if (!field || files.length === 0) return;
    event.preventDefault();
    add(field, files);
  });
  for (const name of ["dragover", "drop"]) document.addEventListener(name, (event) => {
    const field = fieldOf(event.target);
    if (!field || !event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault(); // else the browser would open the file
    if (name === "drop") add(field, [...event.dataTransfer.files]);
  });
  document.addEventListener("htmx:before:swap", (event) => {
    const form = event.detail.ctx.request.form;
    const field = form?.querySelector?.("[data-choose-pictures]");
    if (field && event.detail.ctx.response.status < 400) set(field, []);
  });
  const all = () => { for (const field of document.querySelectorAll("[data-choose-pictures]")) { if (inputOf(field).files.length === filesOf(field).length) show(field); else set(field, filesOf(field)); } };
  document.addEventListener("otklik:changed", all);
  document.addEventListener("DOMContentLoaded", all);
})();
