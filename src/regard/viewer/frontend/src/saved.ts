/** The saved page: a model that unpacks the head that is chosen, in place of a kernel. */

import { read, written } from "./address";
import type { Apart } from "./apart";
import { explain } from "./apart";
import type {
  AnatomyReply,
  Bytes,
  Hear,
  Look,
  Meta,
  Model,
  Selection,
  Tokens,
  Traits,
  VariantReply,
  Weights,
} from "./contract";
import { make } from "./dom";
import type { Choice } from "./grid_heads";
import { inflate } from "./inflate";
import { sane } from "./look";
import { describe } from "./names";
import { mount } from "./view";

/** Weights whose bytes and sums are text. */
interface Packed {
  pixels: [number, number];
  scale: number;
  power: number;
  bytes: string;
  sums: string;
}

/** A head that cannot be shown, and why. */
interface Refused {
  problem: string;
}

/** What a saved page holds: heads by kind, layer and head. */
interface Saved {
  meta: Meta;
  selection: Selection;
  look: Partial<Look>;
  thumbnails: string;
  heads: Record<string, Record<string, Record<string, Packed | Refused>>>;
  /** Of words, or without special tokens. */
  variants: (Choice & VariantReply & { thumbnails: string })[];
  /** Not of weights of which nothing else is known. */
  why?: Apart;
}

class SavedModel implements Model {
  readonly explain: Model["explain"];
  private readonly traits: Traits;
  private readonly ears = new Map<string, Set<Hear>>();

  constructor(
    private readonly saved: Saved,
    thumbnails: Bytes,
    weights: Weights,
  ) {
    const { meta, selection, look, why } = saved;
    this.traits = { meta, selection, look, thumbnails, weights };
    this.explain = why && ((...asked) => this.dissect(why, ...asked));
  }

  get<K extends keyof Traits>(name: K): Traits[K] {
    return this.traits[name];
  }

  set<K extends keyof Traits>(name: K, value: Traits[K]): void {
    if (this.traits[name] === value) return;
    this.traits[name] = value;
    this.tell(`change:${name}`);
    if (name === "selection") void this.load();
  }

  tell(event: string, message?: unknown): void {
    for (const ear of this.ears.get(event) ?? []) ear(message);
  }

  /** Keep what is seen in the page's address; a frame within a page has none of its own. */
  save_changes(): void {
    const { selection, look } = this.traits;
    if (location.protocol === "about:") return;
    history.replaceState(null, "", written(selection, sane(look)));
  }

  /** Show what the page's address says. */
  follow(hash: string): void {
    const { selection, look } = read(hash);
    if (look) this.set("look", look);
    if (selection) this.set("selection", selection);
  }

  /** Unpack a head beside the chosen one. */
  fetch(selection: Selection, take: (weights: Weights) => void): void {
    unpacked(this.saved, selection)
      .then(take)
      .catch((error) => this.tell("msg:custom", { answer: "problem", text: damaged(error) }));
  }

  on(event: string, ear: Hear): void {
    const ears = this.ears.get(event) ?? new Set();
    this.ears.set(event, ears.add(ear));
  }

  off(event: string, ear: Hear): void {
    this.ears.get(event)?.delete(ear);
  }

  /** Unpack thumbnails of words, or without special tokens; a page may have none. */
  vary({ words, hide }: Choice, take: (reply: VariantReply, thumbnails: Bytes) => void): void {
    const found = this.saved.variants.find((one) => one.words === words && one.hide === hide);
    if (!found) return;
    inflate(found.thumbnails)
      .then((thumbnails) => take(found, thumbnails))
      .catch((error) => this.fail(error));
  }

  /** Take a weight of a head apart. */
  private dissect(
    why: Apart,
    head: Selection,
    tokens: Tokens,
    take: (reply: AnatomyReply) => void,
  ): void {
    explain(why, this.traits.meta, head, tokens)
      .then(take)
      .catch((error) => this.fail(error));
  }

  private fail(error: unknown): void {
    this.tell("msg:custom", { answer: "problem", text: damaged(error) });
  }

  /** Unpack the chosen head; say what is wrong with it, if anything is. */
  private async load(): Promise<void> {
    const { selection } = this.traits;
    try {
      const weights = await unpacked(this.saved, selection);
      const isMeant = this.traits.selection === selection; // else another was chosen meanwhile
      if (isMeant) this.set("weights", weights);
    } catch (error) {
      this.fail(error);
    }
  }
}

const isThere = ({ heads }: Saved, { kind, layer, head }: Selection): boolean =>
  heads[kind]?.[layer]?.[head] !== undefined;

async function unpacked(saved: Saved, selection: Selection): Promise<Weights> {
  const { kind, layer, head } = selection;
  const packed = saved.heads[kind]?.[layer]?.[head];
  if (!packed) throw new Error(`It lacks ${describe(kind, layer, head)}.`);
  if ("problem" in packed) throw new Unshown(packed.problem);
  const [bytes, sums] = await Promise.all([inflate(packed.bytes), inflate(packed.sums)]);
  return { ...selection, ...packed, bytes, sums };
}

/** Nothing is wrong with the page. */
class Unshown extends Error {}

const damaged = (error: unknown): string =>
  error instanceof Unshown
    ? error.message
    : `This page is damaged, save it anew. ${error instanceof Error ? error.message : error}`;

/** Show what a saved page holds. */
export async function openSaved(page: Document): Promise<void> {
  const place = page.getElementById("regard-view") ?? page.body;
  try {
    if (!("DecompressionStream" in window)) {
      throw new Error("This browser is too old for it (no DecompressionStream).");
    }
    const saved: Saved = JSON.parse(page.getElementById("regard-data")?.textContent ?? "");
    const { selection, look } = read(location.hash);
    if (selection && isThere(saved, selection)) Object.assign(saved, { selection, look });
    // both before anything is drawn, so that it is drawn once
    const none = new Uint8Array();
    const nothing = { pixels: [0, 0], scale: 0, power: 1, bytes: none, sums: none };
    let problem: unknown = null;
    const [thumbnails, weights] = await Promise.all([
      inflate(saved.thumbnails),
      unpacked(saved, saved.selection).catch((error: unknown) => {
        problem = { answer: "problem", text: damaged(error) };
        return { ...saved.selection, ...nothing, kind: "" } as Weights; // of no head to draw
      }),
    ]);
    const model = new SavedModel(saved, thumbnails, weights);
    mount(place, model);
    addEventListener("hashchange", () => model.follow(location.hash));
    if (problem) model.tell("msg:custom", problem);
  } catch (error) {
    place.append(make("p", { role: "alert" }, damaged(error)));
  }
}
