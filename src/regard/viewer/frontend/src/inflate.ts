/** Bytes of a saved page: `deflate.py` writes them. */

const LETTERS =
  "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;,=>?@^_`{|}~";
const VALUES = new Map([...LETTERS].map((letter, value) => [letter.charCodeAt(0), value]));
const LAST = LETTERS.length - 1; // stands for what is left out at the end

/** Undo letters, five for four bytes. */
function unwritten(text: string): Uint8Array<ArrayBuffer> {
  const count = Math.ceil(text.length / 5);
  const bytes = new DataView(new ArrayBuffer(4 * count));
  for (let group = 0; group < count; group++) {
    let value = 0;
    for (let at = 5 * group; at < 5 * group + 5; at++) {
      const digit = at < text.length ? VALUES.get(text.charCodeAt(at)) : LAST;
      if (digit === undefined) throw new Error("It has a letter that stands for nothing.");
      value = value * 85 + digit;
    }
    bytes.setUint32(4 * group, value);
  }
  return new Uint8Array(bytes.buffer, 0, 4 * count - (5 * count - text.length));
}

/** Undo letters of deflated bytes. */
export async function inflate(text: string): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([unwritten(text)])
    .stream()
    .pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
