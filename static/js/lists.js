// Say so where a list is wider than its box, which the browser may show by nothing at all.
"use strict";
(() => {
  const box = document.querySelector("#changelist .results");
  const hint = document.querySelector(".scroll-hint");
  if (!box || !hint) return;
  const look = () => { hint.hidden = box.scrollWidth <= box.clientWidth; };
  new ResizeObserver(look).observe(box);
  look();
})();
