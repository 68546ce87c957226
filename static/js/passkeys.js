// Passkeys: the browser makes or uses one, and its answer goes to the server with the form that asked.
"use strict";
(() => {
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const list = (items) => (items || []).map((item) => ({ ...item, id: bytes(item.id) }));

  const create = async ({ publicKey }) => {
    const made = await navigator.credentials.create({
      publicKey: {
        ...publicKey,
        challenge: bytes(publicKey.challenge),
        user: { ...publicKey.user, id: bytes(publicKey.user.id) },
        excludeCredentials: list(publicKey.excludeCredentials),
      },
    });
    return {
      id: made.id,
      rawId: text(made.rawId),
      type: made.type,
      authenticatorAttachment: made.authenticatorAttachment,
      clientExtensionResults: made.getClientExtensionResults(),
      response: {
        clientDataJSON: text(made.response.clientDataJSON),
        attestationObject: text(made.response.attestationObject),
        transports: made.response.getTransports ? made.response.getTransports() : [],
      },
    };
  };

  const use = async ({ publicKey }) => {
    const used = await navigator.credentials.get({
      publicKey: { ...publicKey, challenge: bytes(publicKey.challenge), allowCredentials: list(publicKey.allowCredentials) },
    });
    return {
      id: used.id,
      rawId: text(used.rawId),
      type: used.type,
      authenticatorAttachment: used.authenticatorAttachment,
      clientExtensionResults: used.getClientExtensionResults(),
      response: {
        clientDataJSON: text(used.response.clientDataJSON),
        authenticatorData: text(used.response.authenticatorData),
        signature: text(used.response.signature),
        userHandle: used.response.userHandle ? text(used.response.userHandle) : null,
      },
    };
  };

  const challenge = async (form) => {
    const answer = await fetch(form.action, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error("no challenge");
    return (await answer.json()).request_options;
  };

  const answer = async (form) => {
    if (form.dataset.passkey === "create") return create(JSON.parse(form.dataset.options));
    if (form.dataset.passkey === "login") return use(await challenge(form));
    return use(JSON.parse(form.dataset.options));
  };

  document.addEventListener("DOMContentLoaded", () => {
    // A passkey is bound to a name; an address of numbers has none.
    const named = !/^[\d.]+$|:/.test(location.hostname);
    const able = Boolean(named && window.PublicKeyCredential && navigator.credentials);
    for (const missing of document.querySelectorAll("[data-passkey-missing]")) missing.hidden = able;
    if (!able) return;
    for (const form of document.querySelectorAll("form[data-passkey]")) {
      const button = form.querySelector("button[type=submit]");
      const trouble = form.querySelector("[data-passkey-error]");
      form.hidden = false;
      button.hidden = false;
      form.addEventListener("submit", async (event) => {
        event.preventDefault();
        trouble.hidden = true;
        button.disabled = true;
        try {
          form.elements.namedItem("credential").value = JSON.stringify(await answer(form));
          form.submit(); // does not come back here
        } catch (error) {
          trouble.textContent = error.name === "InvalidStateError" ? "This device has a passkey for you already." : "The passkey was not used. Try again, or use another way.";
          trouble.hidden = false;
          button.disabled = false;
        }
      });
    }
  });
})();
