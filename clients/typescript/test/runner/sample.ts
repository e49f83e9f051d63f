/** The protected sample: one line protects it. */

import type { Config } from "./config.js";

export async function sample(config: Config): Promise<void> {
  await Promise.reject(new Error(`not there yet for ${config.target}`));
}
