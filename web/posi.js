/** POSI in ComfyUI's front end: panels on the nodes, the settings section, the sidebar tab. */

import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";
import { server } from "./lib/server.js";
import { store } from "./lib/state.js";
import { translator, wordsFor } from "./lib/words.js";
import { settings } from "./settings.js";
import { attachPanel } from "./view/node_widget.js";
import { sidebar } from "./view/sidebar.js";

/** Nodes that show what came of their last run, with the least height of their panel in pixels. */
const PANELS = { POSI_SafePrompt: 190, POSI_SafeTextEncode: 190, POSI_PromptRisk: 240 };

const posi = server((path, options) => api.fetchApi(path, options));
const [enforcement, i18n] = await Promise.all([
  posi.enforcement().catch(() => null),
  api.fetchApi("/i18n").then((response) => response.json()).catch(() => ({})),
]);
let t = translator();

const style = document.createElement("link");
style.rel = "stylesheet";
style.href = new URL("./posi.css", import.meta.url).href;
document.head.append(style);

app.registerExtension({
  name: "POSI",
  settings: settings(enforcement),

  init() {
    const locale = app.extensionManager?.setting?.get("Comfy.Locale") ?? "en";
    t = translator(wordsFor(locale, i18n));
  },

  nodeCreated(node) {
    const minHeight = PANELS[node.comfyClass];
    if (minHeight) attachPanel(node, t, { minHeight });
  },

  setup() {
    const state = store();
    let takeDown = null;
    app.extensionManager.registerSidebarTab({
      id: "posi",
      icon: "pi pi-shield",
      title: "POSI",
      tooltip: "POSI: safe prompts",
      type: "custom",
      render(root) {
        takeDown?.();
        takeDown = sidebar(root, { t, posi, state, events: api });
      },
      destroy() {
        takeDown?.();
        takeDown = null;
      },
    });
  },
});
