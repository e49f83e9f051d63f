/** `runner story|sample|bench CONFIG`; see clients/scenario/README.md. */

import { bench } from "./bench.js";
import { readConfig } from "./config.js";
import { sample } from "./sample.js";
import { playStory } from "./story.js";

const [command, path] = process.argv.slice(2);
if (command === undefined || path === undefined) {
  console.error("usage: runner story|sample|bench CONFIG");
  process.exitCode = 2;
} else if (command === "story") {
  process.exitCode = (await playStory(readConfig(path))) ? 0 : 1;
} else if (command === "sample") {
  await sample(readConfig(path));
} else if (command === "bench") {
  bench();
} else {
  console.error(`no command ${JSON.stringify(command)}: story, sample or bench`);
  process.exitCode = 2;
}
