// Writes the version of the package to where npm and the client read it.
import { readFileSync, writeFileSync } from "node:fs";

const version = process.argv[2]?.trim();
if (!/^\d+\.\d+\.\d+$/.test(version ?? "")) {
  console.error("usage: node scripts/write-version.js MAJOR.MINOR.PATCH");
  process.exit(2);
}

function change(name, write) {
  const path = new URL(`../${name}`, import.meta.url);
  const before = readFileSync(path, "utf8");
  const after = write(before);
  if (after !== before) {
    writeFileSync(path, after);
    console.log(`wrote clients/typescript/${name}`);
  }
}

change("src/version.ts", (text) => text.replace(/VERSION = "[^"]*"/, `VERSION = "${version}"`));
change("package.json", (text) => text.replace(/^ {2}"version": "[^"]*"/m, `  "version": "${version}"`));
change("package-lock.json", (text) => {
  const lock = JSON.parse(text);
  lock.version = version;
  lock.packages[""].version = version;
  return `${JSON.stringify(lock, undefined, 2)}\n`;
});
