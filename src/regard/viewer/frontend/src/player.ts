/** Plays a stretch of a sound, which is read when it is first asked for. */

import { bytesOf } from "./album";

const WRITTEN = /^data:(audio\/wav);base64,([A-Za-z0-9+/]+=*)$/;

export class Player {
  private context: AudioContext | null = null;
  private read: Promise<AudioBuffer> | null = null;
  private playing: AudioBufferSourceNode | null = null;

  constructor(
    private readonly data: string,
    private readonly fail: (error: unknown) => void,
  ) {}

  /** Play from when to when, in seconds, in place of what is played. */
  play(from: number, to: number): void {
    this.start(from, to).catch(this.fail);
  }

  private async start(from: number, to: number): Promise<void> {
    this.context ??= new AudioContext(); // a browser gives one to who has clicked
    const { context } = this;
    this.read ??= context.decodeAudioData(bytesOf(this.data, WRITTEN)[1].buffer);
    const buffer = await this.read;
    await context.resume();
    this.playing?.stop();
    this.playing = context.createBufferSource();
    this.playing.buffer = buffer;
    this.playing.connect(context.destination);
    this.playing.start(0, from, to - from);
  }
}
