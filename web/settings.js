/** The settings section. What the server's environment decides is shown as it stands and cannot be changed here. */

const LOCKED = " Set by the server's environment.";

/**
 * @param {{mode: string, strictness: string, redact: boolean, locked: string[]} | null} enforcement what is in force
 */
export function settings(enforcement) {
  const locked = new Set(enforcement?.locked ?? []);
  const entry = (id, value, rest) => ({
    id,
    ...rest,
    defaultValue: locked.has(id) && enforcement ? enforcement[value] : rest.defaultValue,
    tooltip: rest.tooltip + (locked.has(id) ? LOCKED : ""),
    attrs: locked.has(id) ? { disabled: true } : {},
  });
  return [
    entry("POSI.Metadata.Redact", "redact", {
      category: ["POSI", "Images", "Redact"],
      name: "Save the safe prompt in images, not the raw one",
      tooltip: "Saved images carry the graph and the workflow with the safe text in the place of the raw text.",
      type: "boolean",
      defaultValue: false,
    }),
    entry("POSI.Enforcement.Strictness", "strictness", {
      category: ["POSI", "Shared machines", "Strictness"],
      name: "Strictness for everybody",
      tooltip: "Nobody goes under it, whatever their POSI nodes say.",
      type: "combo",
      options: ["relaxed", "standard", "strict"],
      defaultValue: "standard",
    }),
    entry("POSI.Enforcement.Mode", "mode", {
      category: ["POSI", "Shared machines", "Mode"],
      name: "Prompts that pass no POSI node",
      tooltip: "Every text that reaches a text encoder is judged when a workflow is queued.",
      type: "combo",
      options: [
        { text: "Let them run", value: "off" },
        { text: "Refuse what is over the limits", value: "refuse" },
        { text: "Rewrite what is over the limits", value: "rewrite" },
      ],
      defaultValue: "off",
    }),
  ];
}
