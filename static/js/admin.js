// Django's looked-up choices have no name for those who hear the page: give each the words of its label.
"use strict";
(() => {
  const words = (select) => {
    const label = document.querySelector(`label[for="${CSS.escape(select.id)}"]`);
    return (label ? label.textContent : select.name).trim().replace(/:$/, "");
  };

  const name = (select) => {
    const box = select.nextElementSibling;
    if (!box || !box.classList.contains("select2")) return;
    for (const part of box.querySelectorAll(".select2-selection, .select2-selection__rendered, .select2-search__field")) {
      part.setAttribute("aria-label", words(select));
    }
  };

  const begin = () => {
    for (const select of document.querySelectorAll("select.admin-autocomplete")) name(select);
    django.jQuery(document).on("select2:open", (event) => {
      const fields = document.querySelectorAll(".select2-container--open .select2-search__field");
      for (const field of fields) field.setAttribute("aria-label", `Search: ${words(event.target)}`);
      const lists = document.querySelectorAll(".select2-container--open .select2-results__options");
      for (const list of lists) list.setAttribute("aria-label", words(event.target));
    });
    django.jQuery(document).on("select2:select select2:unselect", (event) => name(event.target));
  };

  // Django's script asks to be called when the page is ready; whoever asks after it is called after it.
  addEventListener("load", () => django.jQuery(begin));
})();
