// Bundles the view into one module; with --check, says whether the committed one is stale.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const bundle = join(here, "..", "static", "view.js");

/** The same sum as in tests/viewer/test_frontend.py: of every source's name and text. */
function fingerprint() {
  const sum = createHash("sha256");
  for (const name of readdirSync(join(here, "src")).sort()) {
    sum.update(`${name}\n${readFileSync(join(here, "src", name), "utf8")}`);
  }
  return sum.digest("hex");
}

const built = await build({
  entryPoints: [join(here, "src", "index.ts")],
  bundle: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  minifyWhitespace: true, // each saved page carries it, and calls openSaved by its name
  minifySyntax: true,
  legalComments: "none",
  write: false,
  banner: {
    js: `// Built from viewer/frontend by \`make frontend\`: change it there.\n// sources ${fingerprint()}`,
  },
});
const text = built.outputFiles[0].text;
if (!process.argv.includes("--check")) writeFileSync(bundle, text);
else if (readFileSync(bundle, "utf8") !== text) {
  console.error("static/view.js is not what its sources give: run `make frontend` and commit it.");
  process.exit(1);
}
