/** What goes to the clipboard: a picture with words, or the words alone. */

import { make } from "./dom";

/** Copy a picture and a text; give how much of them the browser took. */
export async function copy(text: string, picture: Promise<Blob>): Promise<"both" | "text" | null> {
  try {
    const words = new Blob([text], { type: "text/plain" });
    // the picture as a promise: Safari takes only what is begun while a button is pressed
    await navigator.clipboard.write([
      new ClipboardItem({ "image/png": picture, "text/plain": words }),
    ]);
    return "both";
  } catch {
    return copyText(text) ? "text" : null;
  }
}

/** Copy as of old, which asks for no permission: in frames, and on pages that came unencrypted. */
function copyText(text: string): boolean {
  const area = make("textarea");
  area.value = text;
  area.style.position = "fixed"; // so that nothing scrolls
  document.body.append(area);
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  return isCopied;
}
