// The theme follows the system until the person chooses; the choice is kept in this browser.
"use strict";
(() => {
  const KEY = "agentiam-theme";
  const ORDER = ["system", "light", "dark"];
  const root = document.documentElement;

  const chosen = () => {
    try {
      const value = localStorage.getItem(KEY);
      return ORDER.includes(value) ? value : "system";
    } catch {
      return "system"; // storage is switched off
    }
  };

  const show = (theme) => {
    if (theme === "system") delete root.dataset.theme;
    else root.dataset.theme = theme;
  };

  let theme = chosen();
  show(theme);

  document.addEventListener("DOMContentLoaded", () => {
    for (const button of document.querySelectorAll("[data-theme-switch]")) {
      const words = button.querySelector("[data-theme-words]");
      const label = () => { words.textContent = theme === "system" ? "Theme: as the system" : `Theme: ${theme}`; };
      label();
      button.hidden = false;
      button.addEventListener("click", () => {
        theme = ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length];
        show(theme);
        label();
        try {
          localStorage.setItem(KEY, theme);
        } catch {
          // Without storage the choice lasts as long as the page.
        }
      });
    }
  });
})();
