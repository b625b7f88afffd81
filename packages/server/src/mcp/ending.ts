/**
 * An AbortController for what comes with each call: its signal and the signal's listeners cost more than the message that they are for. Whoever needs a true
 * signal is made one then.
 */
export class Ending {
  #aborted = false;
  #heard: readonly (() => void)[] = [];
  #controller: AbortController | null = null;

  get aborted(): boolean {
    return this.#aborted;
  }

  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.#aborted) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  abort(): void {
    if (this.#aborted) return;
    this.#aborted = true;
    const heard = this.#heard;
    this.#heard = [];
    for (const act of heard) act();
    this.#controller?.abort();
  }

  /** Not of one that is aborted already. */
  on(act: () => void): void {
    this.#heard = this.#heard.length === 0 ? [act] : [...this.#heard, act];
  }

  off(act: () => void): void {
    if (this.#heard.includes(act)) this.#heard = this.#heard.filter(one => one !== act);
  }
}
