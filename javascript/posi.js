// Small comforts of POSI's page: copy, send to the host's prompt box, Ctrl+Enter. Everything works without them.
(function () {
    "use strict";

    const host = () => (typeof gradioApp === "function" ? gradioApp() : document);

    function flash(button, text) {
        const label = button.dataset.label || button.textContent;
        button.dataset.label = label;
        button.textContent = text;
        setTimeout(() => { button.textContent = label; }, 1500);
    }

    function copy(button) {
        const done = () => flash(button, "Copied");
        if (navigator.clipboard) {
            navigator.clipboard.writeText(button.dataset.text).then(done, () => flash(button, "Not allowed"));
            return;
        }
        // Plain http in a local network has no clipboard interface.
        const area = document.createElement("textarea");
        area.value = button.dataset.text;
        document.body.appendChild(area);
        area.select();
        document.execCommand("copy");
        area.remove();
        done();
    }

    function send(button) {
        const target = host().querySelector("#txt2img_prompt textarea");
        if (!target) return;
        target.value = button.dataset.text;
        target.dispatchEvent(new Event("input", {bubbles: true}));
        if (typeof switch_to_txt2img === "function") switch_to_txt2img();
        flash(button, "Sent");
    }

    document.addEventListener("click", (event) => {
        const button = event.target.closest ? event.target.closest(".posi-copy, .posi-send") : null;
        if (!button) return;
        if (button.classList.contains("posi-copy")) copy(button);
        else send(button);
    });

    document.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || !event.target.closest) return;
        const starts = {"#posi_prompt": "#posi_rewrite", "#posi_batch_lines": "#posi_batch_start"};
        for (const [box, start] of Object.entries(starts)) {
            const button = event.target.closest(box) && host().querySelector(start);
            if (!button) continue;
            event.preventDefault();
            // The text reaches the server with its input event, which a change of focus makes sure of.
            event.target.dispatchEvent(new Event("change", {bubbles: true}));
            (button.tagName === "BUTTON" ? button : button.querySelector("button") || button).click();
        }
    });

    // "Send to txt2img" is drawn hidden and shown only where there is a txt2img.
    new MutationObserver(() => {
        if (!host().querySelector("#txt2img_prompt textarea")) return;
        host().querySelectorAll(".posi-send[hidden]").forEach((button) => { button.hidden = false; });
    }).observe(document.documentElement, {childList: true, subtree: true});
})();
