/** Talking to the routes under /posi/v1/. `fetchApi` is ComfyUI's, or a stand-in in tests. Pure: no DOM. */

/**
 * @param {(path: string, options?: object) => Promise<Response>} fetchApi
 */
export function server(fetchApi) {
  async function ask(method, route, body) {
    const options = { method, cache: "no-store" };
    if (body !== undefined) {
      options.headers = { "Content-Type": "application/json" };
      options.body = JSON.stringify(body);
    }
    const response = await fetchApi(`/posi/v1/${route}`, options);
    let answer;
    try {
      answer = await response.json();
    } catch {
      throw new Error(`/posi/v1/${route} answered ${response.status} without JSON.`);
    }
    if (!response.ok) throw new Error(answer.error ?? `/posi/v1/${route} answered ${response.status}.`);
    return answer;
  }

  return {
    async check(text, policy) {
      const answer = await ask("POST", "check", { text, policy, syntax: "comfyui" });
      return answer.results[0];
    },
    async rewrite(text, policy) {
      const answer = await ask("POST", "rewrite", { text, policy, syntax: "comfyui" });
      return answer.verdicts[0];
    },
    async history() {
      return (await ask("GET", "history")).verdicts;
    },
    async clearHistory() {
      return (await ask("POST", "history", { clear: true })).verdicts;
    },
    status: () => ask("GET", "status"),
    load: () => ask("POST", "load", {}),
    unload: () => ask("POST", "unload", {}),
    enforcement: () => ask("GET", "enforcement"),
  };
}
